import * as asn1js from 'asn1js';
import { AuthorityKeyIdentifier, BasicConstraints, ExtKeyUsage } from 'pkijs';
import { derTrue, implicit, octetString, oid, sequence, tlv } from './der.ts';
import { extensionOids } from './oid.ts';

/** One extension to be written; `value` is the DER inside its OCTET STRING. */
export interface ExtensionInput {
  readonly oid: string;
  readonly critical?: boolean;
  readonly value: Uint8Array;
}

/** The bits of KeyUsage in their order (RFC 5280 §4.2.1.3), by cfssl's names. */
export const keyUsageBits = Object.freeze([
  'digital signature',
  'content commitment',
  'key encipherment',
  'data encipherment',
  'key agreement',
  'cert sign',
  'crl sign',
  'encipher only',
  'decipher only',
] as const);

export type KeyUsage = (typeof keyUsageBits)[number];

export function encodeExtension(extension: ExtensionInput): Buffer {
  const parts = extension.critical === true ? [derTrue] : [];
  return sequence(oid(extension.oid), ...parts, octetString(extension.value));
}

/** basicConstraints, critical (RFC 5280 §4.2.1.9). `pathLen`: how many CAs may follow; none set: no limit. */
export function basicConstraints(ca: boolean, pathLen?: number): Buffer {
  const limit = pathLen === undefined ? {} : { pathLenConstraint: pathLen };
  const value = new BasicConstraints({ cA: ca, ...limit }).toSchema();
  return encodeExtension({ oid: extensionOids.basicConstraints, critical: true, value: der(value) });
}

/** keyUsage, critical. A named bit list drops its trailing zero bits (X.690 §11.2.2). */
export function keyUsage(usages: readonly KeyUsage[]): Buffer {
  const bits = usages.map((usage) => keyUsageBits.indexOf(usage));
  const last = Math.max(...bits);
  const octets = Buffer.alloc(1 + (last >> 3));
  for (const bit of bits) octets[bit >> 3]! |= 0x80 >> (bit & 7);
  const value = tlv(0x03, Buffer.of(7 - (last & 7)), octets);
  return encodeExtension({ oid: extensionOids.keyUsage, critical: true, value });
}

/** extKeyUsage with the purposes given, as OIDs. */
export function extKeyUsage(purposes: readonly string[]): Buffer {
  const value = new ExtKeyUsage({ keyPurposes: [...purposes] }).toSchema();
  return encodeExtension({ oid: extensionOids.extKeyUsage, value: der(value) });
}

export function subjectKeyIdentifier(keyId: Uint8Array): Buffer {
  return encodeExtension({ oid: extensionOids.subjectKeyIdentifier, value: octetString(keyId) });
}

export function authorityKeyIdentifier(keyId: Uint8Array): Buffer {
  const keyIdentifier = new asn1js.OctetString({ valueHex: keyId });
  const value = new AuthorityKeyIdentifier({ keyIdentifier }).toSchema();
  return encodeExtension({ oid: extensionOids.authorityKeyIdentifier, value: der(value) });
}

/** cRLDistributionPoints with one URL (RFC 5280 §4.2.1.13). */
export function crlDistributionPoints(url: string): Buffer {
  const fullName = tlv(0xa0, implicit(6, Buffer.from(url, 'latin1')));
  const value = sequence(sequence(tlv(0xa0, fullName)));
  return encodeExtension({ oid: extensionOids.crlDistributionPoints, value });
}

/** authorityInfoAccess: where the issuer's certificates and its OCSP responder are (RFC 5280 §4.2.2.1). */
export function authorityInfoAccess(issuerUrls: readonly string[], ocspUrl?: string): Buffer {
  const location = (method: string, url: string): Buffer =>
    sequence(oid(method), implicit(6, Buffer.from(url, 'latin1')));
  const ocsp = ocspUrl === undefined ? [] : [location('1.3.6.1.5.5.7.48.1', ocspUrl)];
  const issuers = issuerUrls.map((url) => location('1.3.6.1.5.5.7.48.2', url));
  return encodeExtension({ oid: extensionOids.authorityInfoAccess, value: sequence(...ocsp, ...issuers) });
}

function der(block: asn1js.BaseBlock): Buffer {
  return Buffer.from(block.toBER());
}

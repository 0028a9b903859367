import { generateKeyPairSync } from 'node:crypto';
import {
  bitString,
  explicit,
  implicit,
  integer,
  octetString,
  oid,
  sequence,
  tlv,
  type Part,
} from '../../src/pki/der.ts';

const spki = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({
  type: 'spki',
  format: 'der',
});
export const ecdsaSha256 = sequence(oid('1.2.840.10045.4.3.2'));

export const utcTime = (text: string): Buffer => tlv(0x17, Buffer.from(text, 'latin1'));
export const generalizedTime = (text: string): Buffer => tlv(0x18, Buffer.from(text, 'latin1'));

/** An attribute with its value's identifier and content octets exactly as given. */
export const attribute = (type: string | Buffer, tag: number, content: Uint8Array | string): Buffer =>
  sequence(
    typeof type === 'string' ? oid(type) : type,
    tlv(tag, typeof content === 'string' ? Buffer.from(content, 'utf8') : content),
  );
/** A SET of attributes in the order given, which need not be DER's. */
export const rdn = (...attributes: readonly Buffer[]): Buffer => tlv(0x31, ...attributes);
export const name = (...rdns: readonly Buffer[]): Buffer => sequence(...rdns);
export const commonName = (text: string): Buffer => name(rdn(attribute('2.5.4.3', 0x0c, text)));

export const extension = (type: string, value: Buffer): Buffer => sequence(oid(type), octetString(value));
export const altNames = (...names: readonly Buffer[]): Buffer => extension('2.5.29.17', sequence(...names));
export const dnsName = (text: string | Uint8Array): Buffer =>
  implicit(2, typeof text === 'string' ? Buffer.from(text, 'latin1') : text);

export interface RawCertificate {
  /** Each is DER that stands in the certificate as it is. */
  readonly version?: Part | null;
  readonly serial?: Part;
  readonly algorithm?: Part;
  readonly issuer?: Part;
  readonly validity?: Part;
  readonly subject?: Part;
  readonly spki?: Part;
  /** Encoded extensions; or what stands in their place. */
  readonly extensions?: readonly Buffer[] | Part;
  readonly outerAlgorithm?: Part;
}

/** A certificate of given parts, with a signature that proves nothing: whoever reads it must cope. */
export function rawCertificate(parts: RawCertificate = {}): Buffer {
  const { version = explicit(0, integer(2)), extensions = [] } = parts;
  const list = Array.isArray(extensions)
    ? extensions.length === 0
      ? []
      : [explicit(3, sequence(...extensions))]
    : [extensions as Part];
  const body = sequence(
    ...(version === null ? [] : [version]),
    parts.serial ?? integer(1),
    parts.algorithm ?? ecdsaSha256,
    parts.issuer ?? commonName('issuer'),
    parts.validity ?? sequence(utcTime('200101000000Z'), utcTime('400101000000Z')),
    parts.subject ?? commonName('subject'),
    parts.spki ?? spki,
    ...list,
  );
  return sequence(body, parts.outerAlgorithm ?? ecdsaSha256, bitString(sequence(integer(1), integer(1))));
}

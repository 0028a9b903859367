import type { KeyObject } from 'node:crypto';
import { type AltName, subjectAltName } from './alt-name.ts';
import { randomSerial, signCertificate } from './certificate.ts';
import {
  authorityInfoAccess,
  authorityKeyIdentifier,
  basicConstraints,
  crlDistributionPoints,
  encodeExtension,
  extKeyUsage,
  type ExtensionInput,
  keyUsage,
  type KeyUsage,
  subjectKeyIdentifier,
} from './extension.ts';
import { keyIdentifier, spkiOf } from './key.ts';
import { extensionOids } from './oid.ts';

/** Whoever signs: the name, the key and the identifier that go into what it signs. */
export interface Issuer {
  /** DER of its subject, exactly as in its certificate. */
  readonly name: Uint8Array;
  readonly keyId: Uint8Array;
  readonly key: KeyObject;
}

/** What a certificate shall say; the rest (serial, key identifiers, issuer) follows from who signs it. */
export interface CertificateRequest {
  /** DER of the subject. */
  readonly subject: Uint8Array;
  readonly publicKey: KeyObject;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly keyUsages: readonly KeyUsage[];
  /** OIDs. */
  readonly purposes?: readonly string[];
  readonly altNames?: readonly AltName[];
  /** Set: a CA certificate. */
  readonly ca?: { readonly pathLen?: number };
  readonly crlUrl?: string;
  readonly ocspUrl?: string;
  readonly issuerUrls?: readonly string[];
  readonly serial?: Uint8Array;
  /** Take the place of ours of the same OID, else come last. */
  readonly extensions?: readonly ExtensionInput[];
  /** OIDs of extensions to leave out. */
  readonly without?: readonly string[];
}

export interface SignedCertificate {
  readonly der: Buffer;
  readonly serial: Uint8Array;
  /** The identifier of its own key, for what it may sign in turn. */
  readonly keyId: Buffer;
}

const emptyName = Buffer.of(0x30, 0x00);

/** Signs what is asked for, or itself when `issuer` is 'self' (then `key` is its own private key). */
export function issueCertificate(
  request: CertificateRequest,
  issuer: Issuer | { readonly selfSignedBy: KeyObject },
): SignedCertificate {
  const spki = spkiOf(request.publicKey);
  const keyId = keyIdentifier(spki);
  const serial = request.serial ?? randomSerial();
  const selfSigned = 'selfSignedBy' in issuer;
  const extensions = new Map<string, Buffer>();
  extensions.set(
    extensionOids.basicConstraints,
    basicConstraints(request.ca !== undefined, request.ca?.pathLen),
  );
  if (request.keyUsages.length > 0) extensions.set(extensionOids.keyUsage, keyUsage(request.keyUsages));
  if (request.purposes !== undefined && request.purposes.length > 0) {
    extensions.set(extensionOids.extKeyUsage, extKeyUsage(request.purposes));
  }
  extensions.set(extensionOids.subjectKeyIdentifier, subjectKeyIdentifier(keyId));
  extensions.set(
    extensionOids.authorityKeyIdentifier,
    authorityKeyIdentifier(selfSigned ? keyId : issuer.keyId),
  );
  if (request.altNames !== undefined && request.altNames.length > 0) {
    const critical = emptyName.equals(request.subject);
    extensions.set(extensionOids.subjectAltName, subjectAltName(request.altNames, critical));
  }
  if (request.crlUrl !== undefined) {
    extensions.set(extensionOids.crlDistributionPoints, crlDistributionPoints(request.crlUrl));
  }
  const issuerUrls = request.issuerUrls ?? [];
  if (request.ocspUrl !== undefined || issuerUrls.length > 0) {
    extensions.set(extensionOids.authorityInfoAccess, authorityInfoAccess(issuerUrls, request.ocspUrl));
  }
  for (const name of request.without ?? []) extensions.delete(name);
  for (const extension of request.extensions ?? []) {
    extensions.set(extension.oid, encodeExtension(extension));
  }
  const der = signCertificate(
    {
      serial,
      issuer: selfSigned ? request.subject : issuer.name,
      subject: request.subject,
      notBefore: request.notBefore,
      notAfter: request.notAfter,
      spki,
      extensions: [...extensions.values()],
    },
    selfSigned ? issuer.selfSignedBy : issuer.key,
  );
  return { der, serial, keyId };
}

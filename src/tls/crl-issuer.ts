import { createHash, type X509Certificate } from 'node:crypto';
import { DerReader, tags } from './der.ts';
import { formatRfc2253, isText } from './distinguished-name.ts';
import { readName } from './identity-reader.ts';
import type { DistinguishedName } from './identity.ts';
import { shorten } from '../observe/shorten.ts';

/** A CA, as far as CRLs need it: what one is matched by, and the key that must have signed it. Plain data, frozen. */
export interface CrlIssuer {
  /** SHA-256 over the SubjectPublicKeyInfo, lower-case hex. */
  readonly key: string;
  /** DER of the SubjectPublicKeyInfo, base64. */
  readonly publicKey: string;
  /** The subject, as `comparableName` writes it. */
  readonly name: string;
  /** The subject in RFC 2253 form, for people; at most 128 characters. */
  readonly subject: string;
  /** subjectKeyIdentifier, lower-case hex; null without. */
  readonly keyId: string | null;
  /** Its keyUsage has cRLSign, or it has no keyUsage at all (RFC 5280 §6.3.3 (f)). */
  readonly signsCrls: boolean;
}

const oids = { subjectKeyIdentifier: '2.5.29.14', keyUsage: '2.5.29.15' } as const;

const known = new WeakMap<X509Certificate, CrlIssuer>();

/**
 * Reads a CA's certificate. Each is read once.
 * @throws MalformedCertificate
 */
export function crlIssuerOf(certificate: X509Certificate): CrlIssuer {
  let issuer = known.get(certificate);
  if (issuer === undefined) known.set(certificate, (issuer = readIssuer(certificate.raw)));
  return issuer;
}

/**
 * A name (RFC 5280 §7.1) in a form in which two are equal where OpenSSL holds them to be: letter case of ASCII,
 * runs of white space and the kind of string do not count. What else is equal is told apart by keys.
 * @param reader Stands before the name.
 * @throws MalformedCertificate
 */
export function comparableName(reader: DerReader): string {
  return comparable(readName(reader, 'name'));
}

function comparable(name: DistinguishedName): string {
  return JSON.stringify(
    name.map((attributes) =>
      attributes
        .map((attribute) =>
          [attribute.oid, isText(attribute) ? fold(attribute.value) : attribute.value].join('='),
        )
        .toSorted(),
    ),
  );
}

function fold(value: string): string {
  return value
    .replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase())
    .replaceAll(/[ \t\n\v\f\r]+/g, ' ')
    .replaceAll(/^ | $/g, '');
}

function readIssuer(der: Uint8Array): CrlIssuer {
  const body = new DerReader(der).enter(tags.sequence, 'certificate').enter(tags.sequence, 'contents');
  if (body.nextTag === 0xa0) body.next();
  body.expect(tags.integer, 'serial number');
  for (const part of ['signature algorithm', 'issuer', 'validity']) body.expect(tags.sequence, part);
  const subject = readName(body, 'subject');
  const publicKey = Buffer.from(body.expect(tags.sequence, 'public key').element());
  let keyId: string | null = null;
  let signsCrls = true;
  while (!body.done && body.nextTag !== 0xa3) body.next();
  if (!body.done) {
    const extensions = body.enter(0xa3, 'extensions').enter(tags.sequence, 'extensions');
    while (!extensions.done) {
      const extension = extensions.enter(tags.sequence, 'extension');
      const oid = extension.oid('extension type');
      if (extension.nextTag === tags.boolean) extension.next();
      const value = extension.expect(tags.octetString, 'extension value').content();
      if (oid === oids.subjectKeyIdentifier) {
        keyId = Buffer.from(
          new DerReader(value).expect(tags.octetString, 'key identifier').content(),
        ).toString('hex');
      } else if (oid === oids.keyUsage) {
        const bits = new DerReader(value).expect(tags.bitString, 'key usage').content();
        // cRLSign is bit 6, counted from the highest of the first octet behind the count of unused bits.
        signsCrls = ((bits[1] ?? 0) & 0x02) !== 0;
      }
    }
  }
  const key = createHash('sha256').update(publicKey).digest('hex');
  return Object.freeze({
    key,
    publicKey: publicKey.toString('base64'),
    name: comparable(subject),
    subject: shorten(formatRfc2253(subject), 128),
    keyId,
    signsCrls,
  });
}

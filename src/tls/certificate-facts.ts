import { X509Certificate } from 'node:crypto';
import { DerReader, tags } from './der.ts';
import { readIdentity } from './identity-reader.ts';
import { shorten } from '../observe/shorten.ts';

/** What is watched of a certificate. */
export interface CertificateFacts {
  /** RFC 2253, at most 128 characters. */
  readonly subject: string;
  /** The first 16 hexadecimal digits of the SHA-256 over the DER: enough to tell two of a name apart. */
  readonly fingerprint: string;
  /** Milliseconds since 1970. */
  readonly notAfter: number;
}

/** What is watched of a CRL. Dates in milliseconds since 1970. */
export interface CrlFacts {
  /** The subject of the CA that issued it, as in CertificateFacts; its DER's bytes where no CA matches. */
  readonly issuer: string;
  readonly thisUpdate: number;
  /** Null where the CRL sets no date for the next. */
  readonly nextUpdate: number | null;
  readonly revoked: number;
}

/** The certificates of a PEM file, in its order. One that cannot be read is left out: TLS is what refuses it. */
export function readCertificates(pem: string): readonly CertificateFacts[] {
  return certificatesOf(pem).map(factsOf);
}

/** The CRLs of a PEM file, in its order; those that cannot be read are left out. `ca`: PEM of the trust store. */
export function readCrls(pem: string, ca: string): readonly CrlFacts[] {
  const issuers = new Map<string, string>();
  for (const certificate of certificatesOf(ca)) {
    const subject = attempt(() => subjectOf(certificate.raw));
    if (subject !== null) issuers.set(hex(subject), factsOf(certificate).subject);
  }
  const facts: CrlFacts[] = [];
  for (const block of blocksOf(pem, 'X509 CRL')) {
    const crl = attempt(() => readCrl(derOf(block)));
    if (crl === null) continue;
    const { issuer, ...dates } = crl;
    facts.push({ issuer: issuers.get(hex(issuer)) ?? shorten(`#${hex(issuer)}`, 128), ...dates });
  }
  return facts;
}

/** CertificateList (RFC 5280 §5.1), as far as its head and the number of its entries. */
function readCrl(der: Uint8Array): Omit<CrlFacts, 'issuer'> & { readonly issuer: Uint8Array } {
  const list = new DerReader(der).enter(tags.sequence, 'CRL').enter(tags.sequence, 'CRL to be signed');
  if (list.nextTag === tags.integer) list.next();
  list.expect(tags.sequence, 'signature algorithm');
  const issuer = list.expect(tags.sequence, 'issuer').element();
  const thisUpdate = list.time('thisUpdate');
  const dated = list.nextTag === tags.utcTime || list.nextTag === tags.generalizedTime;
  const nextUpdate = dated ? list.time('nextUpdate') : null;
  let revoked = 0;
  if (list.nextTag === tags.sequence) {
    const entries = list.enter(tags.sequence, 'revoked certificates');
    for (; !entries.done; revoked++) entries.next();
  }
  return { issuer, thisUpdate, nextUpdate, revoked };
}

/** The DER of a certificate's subject (RFC 5280 §4.1): a CRL names its issuer by the same octets. */
function subjectOf(der: Uint8Array): Uint8Array {
  const certificate = new DerReader(der).enter(tags.sequence, 'certificate').enter(tags.sequence, 'contents');
  if (certificate.nextTag === 0xa0) certificate.next();
  certificate.expect(tags.integer, 'serial');
  for (const part of ['signature algorithm', 'issuer', 'validity']) certificate.expect(tags.sequence, part);
  return certificate.expect(tags.sequence, 'subject').element();
}

function certificatesOf(pem: string): X509Certificate[] {
  const certificates: X509Certificate[] = [];
  for (const block of blocksOf(pem, '(?:TRUSTED |X509 )?CERTIFICATE')) {
    const certificate = attempt(() => new X509Certificate(block));
    if (certificate !== null) certificates.push(certificate);
  }
  return certificates;
}

function factsOf(certificate: X509Certificate): CertificateFacts {
  const fingerprint = certificate.fingerprint256.replaceAll(':', '').slice(0, 16).toLowerCase();
  // A CA that our reader of client certificates is too strict for still has a date to watch.
  const subject = attempt(() => readIdentity(certificate.raw).subjectText) ?? `#${fingerprint}`;
  return { subject: shorten(subject, 128), fingerprint, notAfter: certificate.validToDate.getTime() };
}

/** `label`: a pattern. Linear: base64 has no `-`. */
function blocksOf(pem: string, label: string): string[] {
  return pem.match(new RegExp(`-----BEGIN ${label}-----[^-]*-----END ${label}-----`, 'g')) ?? [];
}

function derOf(block: string): Buffer {
  return Buffer.from(block.replaceAll(/-----[^-]*-----/g, ''), 'base64');
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

function attempt<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}

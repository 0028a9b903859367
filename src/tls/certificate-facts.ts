import { X509Certificate } from 'node:crypto';
import { issuersIn, readLists } from './crl-file.ts';
import { readIdentity } from './identity-reader.ts';
import { RevocationList } from './revocation-list.ts';
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
  const lists = readLists(pem).filter((list) => list instanceof RevocationList);
  return crlFacts(lists, ca);
}

/** @param ca PEM of the trust store. */
export function crlFacts(lists: readonly RevocationList[], ca: string): readonly CrlFacts[] {
  const issuers = issuersIn(ca);
  return lists.map((list) => {
    const issuer = issuers.find((one) => list.mayBeOf(one))?.subject ?? shorten(`#${list.issuerDer}`, 128);
    const { thisUpdate, nextUpdate, entries: revoked } = list;
    return { issuer, thisUpdate, nextUpdate, revoked };
  });
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

function attempt<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}

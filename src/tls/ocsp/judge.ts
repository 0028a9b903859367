import { createHash, type KeyObject, timingSafeEqual, verify, X509Certificate } from 'node:crypto';
import { MalformedCertificate } from '../der.ts';
import { type CertificateFields, readCertificateFields } from './certificate-fields.ts';
import {
  type BasicResponse,
  type CertificateStatus,
  readResponse,
  ResponderError,
  type SingleResponse,
} from './response.ts';

/** A certificate and the one that issued it: proven elsewhere, signature and all. */
export interface Subject {
  readonly leaf: CertificateFields;
  readonly issuer: X509Certificate;
  readonly issuerFields: CertificateFields;
}

/** An answer that has been proven to be the issuer's, about this certificate, and to count now. */
export interface Answer {
  readonly status: CertificateStatus;
  /** Milliseconds since 1970. */
  readonly thisUpdate: number;
  readonly nextUpdate: number | null;
}

/** A response that is no answer to what was asked, or one that nobody trusted signed. The message says why. */
export class RefusedResponse extends Error {
  override readonly name = 'RefusedResponse';
}

/** Milliseconds by which a responder's clock may be off. */
export const clockSkew = 60_000;

/** Milliseconds for which an answer without nextUpdate is news, where no nonce says that it is. */
const freshFor = 600_000;

/** Extended key usage id-kp-OCSPSigning (RFC 6960 §4.2.2.2). anyExtendedKeyUsage does not stand for it. */
const ocspSigning = '1.3.6.1.5.5.7.3.9';

/** SHA-1 signatures are refused; names by SHA-1 secure nothing. */
const signatureDigests: ReadonlyMap<string, string | null> = new Map([
  ['1.2.840.113549.1.1.11', 'sha256'],
  ['1.2.840.113549.1.1.12', 'sha384'],
  ['1.2.840.113549.1.1.13', 'sha512'],
  ['1.2.840.10045.4.3.2', 'sha256'],
  ['1.2.840.10045.4.3.3', 'sha384'],
  ['1.2.840.10045.4.3.4', 'sha512'],
  ['1.3.101.112', null],
]);

const nameDigests: ReadonlyMap<string, string> = new Map([
  ['1.3.14.3.2.26', 'sha1'],
  ['2.16.840.1.101.3.4.2.1', 'sha256'],
  ['2.16.840.1.101.3.4.2.2', 'sha384'],
  ['2.16.840.1.101.3.4.2.3', 'sha512'],
]);

/**
 * What a response proves about a certificate, by RFC 6960 §3.2: it is about this certificate, signed by its issuer or
 * by a responder to which that issuer delegated, and within its time.
 *
 * @param nonce As sent. One that comes back must be the same; without one the dates alone keep replays out
 *   (RFC 9654 §2.1: many responders sign their answers beforehand). Null: none was sent, and any is passed over.
 * @param now Milliseconds since 1970.
 * @throws RefusedResponse
 */
export function judgeResponse(
  der: Uint8Array,
  subject: Subject,
  nonce: Uint8Array | null,
  now: number,
): Answer {
  const response = parse(der);
  const single = chooseSingle(response.responses, subject);
  if (single === null) throw new RefusedResponse('it is about another certificate');
  const echoed = nonce !== null && response.nonce !== null;
  if (echoed && !same(nonce, response.nonce)) throw new RefusedResponse('its nonce is not the one sent');
  const { status, thisUpdate, nextUpdate } = single;
  if (Math.max(thisUpdate, response.producedAt) > now + clockSkew) {
    throw new RefusedResponse('it is dated in the future');
  }
  if (nextUpdate === null ? !echoed && now > thisUpdate + freshFor : now > nextUpdate + clockSkew) {
    throw new RefusedResponse('it is out of date');
  }
  if (!isSigned(response, subject, now)) {
    throw new RefusedResponse('neither the issuer nor a responder it delegated to signed it');
  }
  return { status, thisUpdate, nextUpdate };
}

function parse(der: Uint8Array): BasicResponse {
  try {
    return readResponse(der);
  } catch (error) {
    if (error instanceof ResponderError) throw new RefusedResponse(`it says ${error.message}`);
    if (error instanceof MalformedCertificate) throw new RefusedResponse(`it is malformed: ${error.message}`);
    throw error;
  }
}

/** The part that is about the certificate; of several the one that revokes it. */
function chooseSingle(responses: readonly SingleResponse[], subject: Subject): SingleResponse | null {
  const about = responses.filter((single) => isAbout(single, subject));
  return about.find(({ status }) => status === 'revoked') ?? about[0] ?? null;
}

function isAbout(single: SingleResponse, { leaf, issuerFields }: Subject): boolean {
  const digest = nameDigests.get(single.hashAlgorithm);
  if (digest === undefined || !same(single.serial, leaf.serial)) return false;
  return (
    same(single.issuerNameHash, hash(digest, leaf.issuer)) &&
    same(single.issuerKeyHash, hash(digest, issuerFields.keyBits))
  );
}

function isSigned(response: BasicResponse, { issuer, issuerFields }: Subject, now: number): boolean {
  if (isResponder(response, issuerFields)) return holds(response, issuer.publicKey);
  return response.certificates.some((der) => {
    const delegate = attempt(() => new X509Certificate(der));
    const fields = attempt(() => readCertificateFields(der));
    return (
      delegate !== null &&
      fields !== null &&
      isResponder(response, fields) &&
      isDelegate(delegate, issuer, now) &&
      holds(response, delegate.publicKey)
    );
  });
}

function isResponder({ responder }: BasicResponse, { subject, keyBits }: CertificateFields): boolean {
  return responder.by === 'name'
    ? same(responder.name, subject)
    : same(responder.hash, hash('sha1', keyBits));
}

/** Issued by the very issuer, for this purpose, and valid (RFC 6960 §4.2.2.2). */
function isDelegate(delegate: X509Certificate, issuer: X509Certificate, now: number): boolean {
  // Typed as always there, it is undefined in a certificate without extended key usage.
  const purposes = delegate.keyUsage as readonly string[] | undefined;
  if (purposes?.includes(ocspSigning) !== true) return false;
  if (now < delegate.validFromDate.getTime() || now > delegate.validToDate.getTime()) return false;
  return delegate.checkIssued(issuer) && attempt(() => delegate.verify(issuer.publicKey)) === true;
}

function holds({ signatureAlgorithm, signed, signature }: BasicResponse, key: KeyObject): boolean {
  const digest = signatureDigests.get(signatureAlgorithm);
  if (digest === undefined) return false;
  // A key of another kind than the algorithm makes OpenSSL throw.
  return attempt(() => verify(digest, signed, key, signature)) === true;
}

function hash(algorithm: string, bytes: Uint8Array): Buffer {
  return createHash(algorithm).update(bytes).digest();
}

function same(one: Uint8Array, two: Uint8Array | null): boolean {
  return two !== null && one.length === two.length && timingSafeEqual(one, two);
}

function attempt<Value>(read: () => Value): Value | null {
  try {
    return read();
  } catch {
    return null;
  }
}

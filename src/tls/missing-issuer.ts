import type { X509Certificate } from 'node:crypto';
import { shorten } from '../observe/shorten.ts';
import { readIdentity } from './identity-reader.ts';
import type { TrustStore } from './trust-store.ts';
import type { VerdictFailed } from './verdict.ts';

/** Certificates of the client that are looked at, and signatures that are checked for it. */
const maxSent = 16;
const maxSignatures = 32;

/**
 * Why a chain ends before it comes to the trust store, in a sentence for the operator: whose certificate was not sent
 * and is not trusted, or that its last one is its own issuer. Null where the chain does come there.
 *
 * @param sent What the client sent, its own certificate first.
 * @param believing Take the client's word for who issued what it sent. A signature is then checked by trusted keys alone:
 *   whoever sends a chain picks the keys in it, and how long each check takes.
 */
export function missingIssuer(
  sent: readonly X509Certificate[],
  trust: TrustStore,
  believing = false,
): string | null {
  const [leaf, ...helpers] = sent.slice(0, maxSent);
  if (leaf === undefined) return null;
  const seen = new Set<string>();
  let signatures = 0;
  for (let certificate = leaf; !seen.has(certificate.fingerprint256);) {
    seen.add(certificate.fingerprint256);
    const vouches = (issuer: X509Certificate): boolean => {
      if (++signatures > maxSignatures) return false;
      try {
        return certificate.verify(issuer.publicKey);
      } catch {
        return false;
      }
    };
    if (trust.issuersOf(certificate).some(vouches)) return null;
    const { subject, issuer } = namesOf(certificate);
    if (certificate.issuer === certificate.subject && (believing || vouches(certificate))) {
      return `${subject} is its own issuer, and is not among the trusted CAs`;
    }
    const issued = (helper: X509Certificate): boolean => certificate.checkIssued(helper);
    const next = helpers.find((helper) => issued(helper) && (believing || vouches(helper)));
    if (next === undefined) {
      const like = trust.certificates.some(({ subject }) => subject === certificate.issuer);
      return like
        ? `${subject} names ${issuer} as its issuer, and the trusted CA of that name has another key`
        : `${issuer}, who issued ${subject}, was not sent and is not among the trusted CAs`;
    }
    certificate = next;
  }
  return null;
}

/**
 * A failure together with what the chain lacked, where that is what it failed by. For the path of every handshake.
 *
 * @param sent All that the client sent, its own certificate first.
 */
export function withMissingIssuer(
  verdict: VerdictFailed,
  sent: readonly X509Certificate[],
  trust: TrustStore,
): VerdictFailed {
  if (verdict.reason !== 'untrusted' && verdict.reason !== 'self_signed') return verdict;
  const missing = missingIssuer(sent, trust, true);
  if (missing === null) return verdict;
  const alone = sent.length === 1 && verdict.reason === 'untrusted' ? 'leaf only: ' : '';
  return { ...verdict, about: `${alone}${missing}` };
}

/** RFC 2253, as far as our own strict reader can read it. */
export function namesOf(certificate: X509Certificate): { readonly subject: string; readonly issuer: string } {
  try {
    const { subjectText, issuerText } = readIdentity(certificate.raw);
    return { subject: named(subjectText), issuer: named(issuerText) };
  } catch {
    return { subject: lines(certificate.subject), issuer: lines(certificate.issuer) };
  }
}

const named = (text: string): string => (text === '' ? '(an empty name)' : shorten(text, 256));

const lines = (text: string): string => named(text.split('\n').reverse().join(','));

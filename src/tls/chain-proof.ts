import type { X509Certificate } from 'node:crypto';
import { crlIssuerOf } from './crl-issuer.ts';
import { MalformedCertificate } from './der.ts';
import type { RevocableCertificate } from './revocation.ts';
import type { TrustStore } from './trust-store.ts';

/** A chain from a client's certificate to an anchor of the trust store, every signature of it checked. */
export interface ChainProof {
  /** Certificates between the two. */
  readonly intermediates: number;
  /** Of the client's own certificate. */
  readonly issuer: X509Certificate;
  /** When the first certificate of the chain runs out, in milliseconds since 1970. */
  readonly validUntil: number;
  /**
   * What tells whether it was revoked: the client's certificate first; the anchor is not in it. Empty where one of
   * its CAs cannot be read as strictly as we do: nothing is known of it then.
   */
  readonly chain: readonly RevocableCertificate[];
  /** The client's certificate first, the anchor last. */
  readonly certificates: readonly X509Certificate[];
}

/** Certificates of the client that are looked at. OpenSSL takes a hundred kilobytes of them. */
const maxSent = 16;

/** Signatures checked for one proof: some 100 µs each with P-256, and whoever sends the chain picks how many. */
const maxSignatures = 32;

/**
 * The shortest chain that can be proven, or null where none can within the bounds above. For certificates that
 * OpenSSL has verified: it says that there is a chain, but Node does not show which. What `getPeerCertificate(true)`
 * follows are names alone, so a client that puts an expired forgery of its issuer's certificate in front, which
 * OpenSSL passes over, would choose the length that we count (measured on Node 26.10).
 *
 * @param sent What the client sent, its own certificate first.
 * @param now Milliseconds since 1970.
 */
export function proveChain(
  sent: readonly X509Certificate[],
  trust: TrustStore,
  now: number,
): ChainProof | null {
  const [leaf, ...helpers] = sent.slice(0, maxSent);
  if (leaf === undefined) return null;
  const search = new Search(helpers, trust, now);
  let level: readonly Step[] = [
    { certificate: leaf, issuer: null, validUntil: leaf.validToDate.getTime(), below: null },
  ];
  const seen = new Set([leaf.fingerprint256]);
  for (let certificates = 1; level.length > 0; certificates++) {
    const next: Step[] = [];
    for (const step of level) {
      const anchored = search.anchors(step);
      if (anchored !== null) {
        const chain = chainTo(anchored.anchor, step);
        const { anchor, issuer, validUntil } = anchored;
        return {
          intermediates: certificates - 1,
          issuer,
          validUntil,
          chain,
          certificates: [...below(step), anchor],
        };
      }
      for (const issuer of search.issuers(step)) {
        if (seen.has(issuer.certificate.fingerprint256)) continue;
        seen.add(issuer.certificate.fingerprint256);
        next.push(issuer);
      }
    }
    level = next;
  }
  return null;
}

/** A certificate that a chain has been proven up to. */
interface Step {
  readonly certificate: X509Certificate;
  /** The first of them above the client's own; null where this is the client's own. */
  readonly issuer: X509Certificate | null;
  /** The earliest end of validity so far. */
  readonly validUntil: number;
  /** The one that it issued; null where this is the client's own. */
  readonly below: Step | null;
}

/** From the client's certificate up to this one. */
function below(top: Step): X509Certificate[] {
  const certificates: X509Certificate[] = [];
  for (let step: Step | null = top; step !== null; step = step.below) certificates.unshift(step.certificate);
  return certificates;
}

function chainTo(anchor: X509Certificate, top: Step): readonly RevocableCertificate[] {
  const chain: RevocableCertificate[] = [];
  try {
    let issuer = anchor;
    for (let step: Step | null = top; step !== null; step = step.below) {
      const { serialNumber: serial, ca: isCa } = step.certificate;
      chain.unshift({ serial, isCa, issuer: crlIssuerOf(issuer) });
      issuer = step.certificate;
    }
  } catch (error) {
    if (error instanceof MalformedCertificate) return [];
    throw error;
  }
  return chain;
}

class Search {
  readonly #helpers: readonly X509Certificate[];
  readonly #trust: TrustStore;
  readonly #now: number;
  #signatures = 0;

  constructor(helpers: readonly X509Certificate[], trust: TrustStore, now: number) {
    this.#helpers = helpers;
    this.#trust = trust;
    this.#now = now;
  }

  /** Where an anchor (self-signed, in the trust store) issued the certificate: the chain's end, and its first issuer. */
  anchors({
    certificate,
    issuer: first,
    validUntil,
  }: Step): (Pick<ChainProof, 'issuer' | 'validUntil'> & { readonly anchor: X509Certificate }) | null {
    for (const issuer of this.#trust.issuersOf(certificate)) {
      if (issuer.issuer !== issuer.subject || !this.#vouches(issuer, certificate)) continue;
      const end = Math.min(validUntil, issuer.validToDate.getTime());
      return { anchor: issuer, issuer: first ?? issuer, validUntil: end };
    }
    return null;
  }

  issuers(below: Step): Step[] {
    const { certificate, issuer: first, validUntil } = below;
    const sent = this.#helpers.filter((helper) => certificate.checkIssued(helper));
    return [...this.#trust.issuersOf(certificate), ...sent]
      .filter((issuer) => issuer.issuer !== issuer.subject && this.#vouches(issuer, certificate))
      .map((issuer) => ({
        certificate: issuer,
        issuer: first ?? issuer,
        validUntil: Math.min(validUntil, issuer.validToDate.getTime()),
        below,
      }));
  }

  #vouches(issuer: X509Certificate, certificate: X509Certificate): boolean {
    if (!issuer.ca) return false;
    if (issuer.validFromDate.getTime() > this.#now || issuer.validToDate.getTime() < this.#now) return false;
    if (this.#signatures >= maxSignatures) return false;
    this.#signatures++;
    try {
      return certificate.verify(issuer.publicKey);
    } catch {
      return false;
    }
  }
}

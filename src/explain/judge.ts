import { X509Certificate } from 'node:crypto';
import type { Judged } from '../snapshot/connection.ts';
import { explainVerdict, isoTime } from '../snapshot/explain/trust.ts';
import type { Trust } from '../snapshot/snapshot.ts';
import { judgeChainAgainst } from '../tls/certificate-judge.ts';
import { type ChainProof, proveChain } from '../tls/chain-proof.ts';
import { LoadedStore } from '../tls/loaded-store.ts';
import { missingIssuer, namesOf, withMissingIssuer } from '../tls/missing-issuer.ts';
import { success, type Verdict, verdictOf } from '../tls/verdict.ts';
import { refuseDeepChain } from '../tls/verification.ts';
import type { ExplainedCertificate, ExplainedStore } from './report.ts';

/** What a trust store says of a chain, as a connection has it and as it is told. */
export interface JudgedStore {
  readonly judged: Judged;
  readonly explained: ExplainedStore;
}

/** Certificates that are told of. */
const shownSent = 16;

/**
 * Judges a client's chain by one trust store as a handshake does: OpenSSL's verdict on a handshake in memory, then the
 * chain that is proven for it and how long it is.
 *
 * @param sent The client's own certificate first.
 * @param at Milliseconds since 1970; null: now. OpenSSL can be asked of this moment alone. For another the dates are
 *   judged by us, and what it said of them does not count; a note says so.
 * @throws UnjudgedChain where a handshake would break off.
 */
export async function judgeByStore(
  trust: Trust,
  sent: readonly X509Certificate[],
  at: number | null,
): Promise<JudgedStore> {
  const store = loaded(trust);
  const said = await judgeChainAgainst(
    sent.map(({ raw }) => raw),
    store.context,
  );
  const time = at ?? Date.now();
  const dated = at === null ? said : verdictAt(said, sent, store, at);
  const proof = dated.status === 'success' ? proveChain(sent, store.certificates, time) : null;
  const deep = dated.status === 'success' ? refuseDeepChain(proof, trust.verifyDepth) : null;
  const verdict = deep ?? dated;
  const proven = verdict.status === 'success' ? proof : null;
  const told = verdict.status === 'failed' ? withMissingIssuer(verdict, sent, store.certificates) : verdict;
  return {
    judged: { verdict: told, chain: proven?.chain ?? [] },
    explained: {
      store: trust.key.slice(0, 16),
      verdict: explainVerdict(verdict),
      chain: chainOf(proof, store),
      missing: verdict.status === 'failed' && proof === null ? missingIssuer(sent, store.certificates) : null,
      note: at === null || dated === said ? null : otherTime(said, at),
    },
  };
}

/** A trust store lives as long as its snapshot, and may be asked about often. */
const stores = new WeakMap<Trust, LoadedStore>();

function loaded(trust: Trust): LoadedStore {
  let store = stores.get(trust);
  if (store === undefined) stores.set(trust, (store = new LoadedStore(trust)));
  return store;
}

function otherTime(said: Verdict, at: number): string {
  const now = said.status === 'failed' ? `${said.reason} (${said.detail})` : said.status;
  return `OpenSSL, which can only be asked of this moment, says ${now}; the dates are judged for ${isoTime(at)} here`;
}

/** What the dates make of a verdict at another moment. Everything else in it stays. */
function verdictAt(
  said: Verdict,
  sent: readonly X509Certificate[],
  { certificates }: LoadedStore,
  at: number,
): Verdict {
  const [leaf] = sent;
  const byDates = said.status === 'failed' && (said.reason === 'expired' || said.reason === 'not_yet_valid');
  if (leaf === undefined || (said.status !== 'success' && !byDates)) return said;
  if (at < leaf.validFromDate.getTime()) return failedWith('CERT_NOT_YET_VALID');
  if (at > leaf.validToDate.getTime()) return failedWith('CERT_HAS_EXPIRED');
  if (proveChain(sent, certificates, at) !== null) return said.status === 'success' ? said : success;
  return said.status === 'success' ? failedWith('CERT_HAS_EXPIRED') : said;
}

function failedWith(authorizationError: string): Verdict {
  return verdictOf({ requested: true, certificatePresent: true, authorized: false, authorizationError });
}

function chainOf(proof: ChainProof | null, { certificates: trusted }: LoadedStore): ExplainedStore['chain'] {
  const own = new Set(trusted.certificates.map(({ fingerprint256 }) => fingerprint256));
  return (proof?.certificates ?? []).map((certificate, index) => ({
    ...explainCertificate(certificate),
    from: index > 0 && own.has(certificate.fingerprint256) ? 'trust store' : 'client',
  }));
}

/** What a client sends, as far as it is told. */
export function explainSent(sent: readonly X509Certificate[]): readonly ExplainedCertificate[] {
  return sent.slice(0, shownSent).map(explainCertificate);
}

function explainCertificate(certificate: X509Certificate): ExplainedCertificate {
  return {
    ...namesOf(certificate),
    serial: certificate.serialNumber,
    notBefore: isoTime(certificate.validFromDate.getTime()),
    notAfter: isoTime(certificate.validToDate.getTime()),
    fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
  };
}

/** Certificates as OpenSSL reads them; null where it cannot read one. */
export function readChain(chain: readonly Uint8Array[]): readonly X509Certificate[] | null {
  try {
    return chain.map((der) => new X509Certificate(der));
  } catch {
    return null;
  }
}

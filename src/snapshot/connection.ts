import type { Noted } from '../observe/inventory/recorder.ts';
import type { Identity } from '../tls/identity.ts';
import { judgeRevocation, type RevocableCertificate } from '../tls/revocation.ts';
import { none, type Verdict } from '../tls/verdict.ts';
import type { ClientAuth } from './snapshot.ts';

/** What is known of a downstream connection once its handshake is over. Plain data: `decide` takes it. */
export interface Connection {
  /** Which listener accepted it. */
  readonly listener: 'https' | 'http';
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localPort: number;
  /** The SNI, normalised, or null where the client sent none. */
  readonly serverName: string | null;
  /** `Host.id` of the host under whose TLS settings the handshake ran; null for plain HTTP. */
  readonly hostId: string | null;
  /** The server name matched that host; false where the default host stood in for an absent or unknown one. */
  readonly serverNameMatched: boolean;
  /** `HostClientAuth.key` of the host that the handshake ran for; null where no certificate was asked for. */
  readonly trustKey: string | null;
  /**
   * By `Trust.key`: what verification said, against each trust store that the host had at the handshake. A
   * store that has no entry was not asked, or can no longer be: for its routes this is another host's connection.
   */
  readonly judged: ReadonlyMap<string, Judged>;
  /** The certificate's facts: for a verdict `success` proven, for `failed` only claimed. */
  readonly identity: Identity | null;
  /** `TLSv1.3` and the like; null for plain HTTP. */
  readonly tlsVersion: string | null;
  readonly cipher: string | null;
  readonly resumed: boolean;
  /** What observers keep with it. Nothing is decided by it, and it is the only part that changes. */
  readonly notes?: ConnectionNotes;
}

/** Kept here because a WeakMap that every request asks is dear to the garbage collector. */
export interface ConnectionNotes {
  identity: Noted | null;
}

/** What verification against one trust store said of a connection's certificate. */
export interface Judged {
  readonly verdict: Verdict;
  /** With `success`, what tells whether a CA has revoked it since (`ChainProof.chain`); else empty. */
  readonly chain: readonly RevocableCertificate[];
  /** Milliseconds since 1970 until when a success counts: as long as what an OCSP responder said. Absent: no end. */
  readonly validUntil?: number;
}

/**
 * What a connection proves now, where certificates are asked for in this way. Without verification: `none`. A success
 * at the handshake stays one only as long as no CA has revoked the certificate, or one of its chain: that is judged
 * anew each time, by the CRLs of the trust store as it is now, also for a session that was resumed.
 *
 * @param now Milliseconds since 1970.
 */
export function verdictFor(
  connection: Pick<Connection, 'judged'>,
  { mode, trust }: ClientAuth,
  now: number,
): Verdict {
  if (mode === 'off' || trust === null) return none;
  const judged = connection.judged.get(trust.key);
  if (judged === undefined) return none;
  const { verdict, chain } = judged;
  const { revocation } = trust;
  if (revocation === null || verdict.status === 'none') return verdict;
  if (verdict.status === 'failed') {
    // Of a stranger's CA there is no CRL; nginx refuses it, too.
    const isLetIn = mode === 'optional_no_ca' && verdict.untrustedOnly && revocation.missing === 'deny';
    return isLetIn ? strangersCrl : verdict;
  }
  const answer = judgeRevocation(revocation, chain, now);
  if (!answer.revoked) return answer.stale === null ? verdict : { ...verdict, staleCrl: answer.stale };
  const { reason, detail, about } = answer;
  return { status: 'failed', reason, detail, about, untrustedOnly: false };
}

const strangersCrl: Verdict = Object.freeze({
  status: 'failed',
  reason: 'crl_missing',
  detail: 'unable to get certificate CRL',
  about: 'of a CA that is not trusted',
  untrustedOnly: false,
});

/** What verification said at the handshake; for what comes behind the decision, which has asked about revocation. */
export function handshakeVerdict(connection: Connection, { mode, trust }: ClientAuth): Verdict {
  if (mode === 'off' || trust === null) return none;
  return connection.judged.get(trust.key)?.verdict ?? none;
}

/**
 * What the log says of a connection as a whole: `success` if one of the trust stores takes the certificate, else
 * what the first said. Nothing is decided by it.
 */
export function overallVerdict({ judged }: Pick<Connection, 'judged'>): Verdict {
  const verdicts = [...judged.values()].map(({ verdict }) => verdict);
  return verdicts.find(({ status }) => status === 'success') ?? verdicts[0] ?? none;
}

/** Of a connection on which no certificate was asked for. */
export const nothingJudged: ReadonlyMap<string, Judged> = new Map();

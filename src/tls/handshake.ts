import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import type { Connection } from '../snapshot/connection.ts';
import type { Host } from '../snapshot/snapshot.ts';
import { proveChain } from './chain-proof.ts';
import { readIdentity } from './identity-reader.ts';
import type { Identity } from './identity.ts';
import type { ProofMemory } from './proof-memory.ts';
import type { TrustStore } from './trust-store.ts';
import { type Verdict, type VerdictFailed, verdictOf } from './verdict.ts';
import { refuseDeepChain, sentCertificates, verdictOfSocket } from './verification.ts';

/** What was known before the handshake. */
export interface Accepted {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localPort: number;
  readonly serverName: string | null;
  readonly serverNameMatched: boolean;
}

/** What a handshake is judged by, beside the host it ran for. */
export interface Judging {
  /** What OpenSSL verified against; null where no certificate was asked for. */
  readonly trust: TrustStore | null;
  readonly proofs: ProofMemory;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/**
 * Reads the facts of a finished handshake, once: the Connection that every later decision is made from. Where
 * a session was resumed that can no longer be judged, its trust key is null: it was verified for nothing, and
 * its requests are answered 421.
 */
export function connectionOfHandshake(
  socket: TLSSocket,
  host: Host,
  accepted: Accepted,
  judging: Judging,
): Connection {
  const { clientAuth } = host;
  const { verdict, identity } = judge(socket, host, judging);
  return Object.freeze({
    listener: 'https',
    remoteAddress: accepted.remoteAddress,
    remotePort: accepted.remotePort,
    localPort: accepted.localPort,
    serverName: accepted.serverName,
    hostId: host.id,
    serverNameMatched: accepted.serverNameMatched,
    trustKey: verdict === unknownProof ? null : clientAuth.key,
    verdict,
    identity,
    tlsVersion: socket.getProtocol(),
    cipher: socket.getCipher().name,
    resumed: socket.isSessionReused(),
  });
}

/**
 * The verdict on a resumed session whose proof was forgotten or has run out. The session's tickets are to be
 * made worthless then, so that the next handshake is a full one.
 */
export const unknownProof: VerdictFailed = Object.freeze({
  status: 'failed',
  reason: 'other',
  detail: 'the session was resumed, and what was verified for it no longer holds',
  untrustedOnly: false,
});

interface Judgement {
  readonly verdict: Verdict;
  readonly identity: Identity | null;
}

function judge(socket: TLSSocket, { clientAuth }: Host, judging: Judging): Judgement {
  const certificate = socket.getPeerX509Certificate();
  const verdict = verdictOfSocket(socket, clientAuth.mode !== 'off', certificate);
  if (verdict.status === 'none' || certificate === undefined) return { verdict, identity: null };
  const identity = identityOf(certificate);
  if (identity === null) {
    const detail = 'the certificate could not be read';
    return {
      verdict: { status: 'failed', reason: 'malformed_cert', detail, untrustedOnly: false },
      identity,
    };
  }
  const { key, verifyDepth } = clientAuth;
  const { trust, proofs, now } = judging;
  // All below only narrows a success.
  if (verdict.status !== 'success' || key === null || trust === null) return { verdict, identity };
  const resumed = socket.isSessionReused();
  // What a session says of its certificate was said when it began.
  if (resumed && now > identity.notAfter) return { verdict: expired, identity };
  if (proofs.holds(key, identity.sha256, now)) return { verdict, identity };
  if (resumed) return { verdict: unknownProof, identity: null };
  const proof = proveChain(sentCertificates(socket), trust, now);
  const deep = refuseDeepChain(proof, verifyDepth);
  if (deep !== null) return { verdict: deep, identity };
  if (proof !== null) proofs.remember(key, identity.sha256, proof.validUntil);
  return { verdict, identity };
}

const expired: Verdict = verdictOf({
  requested: true,
  certificatePresent: true,
  authorized: false,
  authorizationError: 'CERT_HAS_EXPIRED',
});

/** A certificate that OpenSSL takes and our stricter reader does not is no identity. */
function identityOf(certificate: X509Certificate): Identity | null {
  try {
    return readIdentity(certificate.raw);
  } catch {
    return null;
  }
}

/**
 * Whether OpenSSL read the server name that chose the host: a second ClientHello could bring another. A resumed
 * TLS 1.2 session shows none (Node 20 to 26); there it is the ticket that binds, which only the host opens that
 * wrote it, after a handshake whose name was compared. TLS 1.2 knows no second ClientHello.
 */
export function serverNameHolds(socket: TLSSocket, serverName: string | null): boolean {
  const read = socket.servername || null;
  if (read === serverName) return true;
  return read === null && socket.isSessionReused() && socket.getProtocol() === 'TLSv1.2';
}

import { createHash, type X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { nothingJudged, type Connection, type Judged } from '../snapshot/connection.ts';
import type { Host, Trust } from '../snapshot/snapshot.ts';
import { judgeChainAgainst, UnjudgedChain } from './certificate-judge.ts';
import { proveChain, type ChainProof } from './chain-proof.ts';
import { IdentityMemory } from './identity-memory.ts';
import type { Identity } from './identity.ts';
import { firstEndAfter, type LoadedStore } from './loaded-store.ts';
import type { ProofMemory, RememberedProof } from './proof-memory.ts';
import { withMissingIssuer } from './missing-issuer.ts';
import { judgeRevocation } from './revocation.ts';
import { none, success, type Verdict, verdictOf } from './verdict.ts';
import { refuseDeepChain, sentCertificates, verdictOfSocket } from './verification.ts';

/** Of all listeners: what a certificate says does not depend on who is asked. */
const identities = new IdentityMemory();

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
  /** What to verify against; empty where no certificate was asked for. */
  readonly stores: readonly LoadedStore[];
  readonly proofs: ProofMemory;
  /** Of the host as it is now: the stores may have been loaded for earlier CRLs. */
  readonly trusts: readonly Trust[];
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** What a handshake says of the client, against each trust store of its host. */
export interface Judgement {
  readonly judged: ReadonlyMap<string, Judged>;
  readonly identity: Identity | null;
  /**
   * The session was resumed, and what was verified for it no longer holds, or was forgotten, with some of the
   * stores: they have no entry, so their requests are answered 421. The host's tickets are to be made worthless
   * then, so that the next handshake is a full one.
   */
  readonly forgotten: boolean;
  /** By `Trust.key`: who issued the certificate, where it was proven and a responder is to be asked about it. */
  readonly issuers: ReadonlyMap<string, X509Certificate>;
}

const noIssuers: Judgement['issuers'] = new Map();

/** The facts of a finished handshake: the Connection that every later decision is made from. */
export function connectionOfHandshake(
  socket: TLSSocket,
  host: Host,
  accepted: Accepted,
  { judged, identity }: Judgement,
): Connection {
  return Object.freeze({
    listener: 'https',
    remoteAddress: accepted.remoteAddress,
    remotePort: accepted.remotePort,
    localPort: accepted.localPort,
    serverName: accepted.serverName,
    hostId: host.id,
    serverNameMatched: accepted.serverNameMatched,
    trustKey: host.clientAuth.key,
    judged,
    identity,
    tlsVersion: socket.getProtocol(),
    cipher: socket.getCipher().name,
    resumed: socket.isSessionReused(),
    notes: { identity: null },
  });
}

/**
 * Judges a finished handshake, once. A host with a single trust store had the handshake verify against exactly that;
 * with several it verified against all of them together, which proves nothing for any one, so the client's
 * certificates are verified again against each (certificate-judge.ts). Only that takes time; a socket that is closed
 * meanwhile ends it early.
 */
export function judgeHandshake(socket: TLSSocket, judging: Judging): Judgement | Promise<Judgement> {
  const { stores } = judging;
  const [only] = stores;
  if (only === undefined)
    return { judged: nothingJudged, identity: null, forgotten: false, issuers: noIssuers };
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return sameForAll(stores, none, null);
  const identity = identities.read(certificate.raw);
  if (identity === null) {
    const detail = 'the certificate could not be read';
    const malformed = { status: 'failed', reason: 'malformed_cert', detail, untrustedOnly: false } as const;
    return sameForAll(stores, malformed, null);
  }
  if (stores.length > 1) return judgeEach(socket, identity, judging);
  const one = judgeOnly(socket, certificate, identity, only, judging);
  if (one === null) return { judged: nothingJudged, identity: null, forgotten: true, issuers: noIssuers };
  const { key } = only.trust;
  const issuers = one.issuer === null ? noIssuers : new Map([[key, one.issuer]]);
  return { judged: new Map([[key, one.judged]]), identity, forgotten: false, issuers };
}

function sameForAll(stores: readonly LoadedStore[], verdict: Verdict, identity: Identity | null): Judgement {
  const judged = new Map(stores.map(({ trust }) => [trust.key, unproven(verdict)]));
  return { judged, identity, forgotten: false, issuers: noIssuers };
}

/** What one trust store says. */
interface JudgedAlone {
  readonly judged: Judged;
  /** Of a proven certificate, where a responder is to be asked about it; else null. */
  readonly issuer: X509Certificate | null;
}

/** By OpenSSL's own verdict on the handshake. Null: there is nothing to judge a resumed session by any more. */
function judgeOnly(
  socket: TLSSocket,
  certificate: X509Certificate,
  identity: Identity,
  { trust, certificates }: LoadedStore,
  judging: Judging,
): JudgedAlone | null {
  const { proofs, now } = judging;
  const verdict = verdictOfSocket(socket, true, certificate);
  // All below only narrows a success.
  const resumed = socket.isSessionReused();
  if (verdict.status === 'failed' && !resumed) {
    return refused(withMissingIssuer(verdict, sentCertificates(socket, 17), certificates));
  }
  if (verdict.status !== 'success') return refused(verdict);
  // What a session says of its certificate was said when it began.
  if (resumed && now > identity.notAfter) return refused(expired);
  const known = recall(judging, trust, identity, resumed);
  if (known !== null) return known;
  if (resumed) return null;
  const proof = proveChain(sentCertificates(socket), certificates, now);
  const deep = refuseDeepChain(proof, trust.verifyDepth);
  if (proof === null || deep !== null) return refused(deep ?? verdict);
  return remember(proofs, trust, identity, proof);
}

function recall(
  { proofs, trusts, now }: Judging,
  trust: Trust,
  identity: Identity,
  resumed: boolean,
): JudgedAlone | null {
  const proof = proofs.recall(trust.key, identity.sha256, now);
  // A responder can be asked only where the issuer is known.
  if (proof === null || (trust.ocsp !== null && proof.issuer === null)) return null;
  // The CA may have a new certificate in place of the one that was revoked, and the client send that now.
  if (!resumed && trusts.some((one) => one.key === trust.key && refusesCa(one, proof, now))) return null;
  return { judged: proven(proof), issuer: trust.ocsp === null ? null : proof.issuer };
}

function refusesCa({ revocation }: Trust, { chain }: RememberedProof, now: number): boolean {
  if (revocation === null || revocation.check === 'leaf' || chain.length < 2) return false;
  return judgeRevocation(revocation, chain.slice(1), now).revoked;
}

function remember(
  proofs: ProofMemory,
  trust: Trust,
  identity: Identity,
  { issuer: ca, validUntil, chain }: Omit<ChainProof, 'intermediates'>,
): JudgedAlone {
  const issuer = trust.ocsp === null ? null : ca;
  const proof = proofs.remember(trust.key, identity.sha256, { validUntil, issuer, chain });
  return { judged: proven(proof), issuer };
}

async function judgeEach(socket: TLSSocket, identity: Identity, judging: Judging): Promise<Judgement> {
  const { stores, now } = judging;
  const resumed = socket.isSessionReused();
  if (resumed && now > identity.notAfter) return sameForAll(stores, expired, identity);
  const sent = resumed ? null : new SentChain(sentCertificates(socket));
  const judged = new Map<string, Judged>();
  const issuers = new Map<string, X509Certificate>();
  let forgotten = false;
  for (const store of stores) {
    const one = await judgeAgainst(store, identity, sent, judging);
    if (one === null) forgotten = true;
    else judged.set(store.trust.key, one.judged);
    if (one !== null && one.issuer !== null) issuers.set(store.trust.key, one.issuer);
    // What is left has no entry: nothing will be asked of it.
    if (socket.destroyed) break;
  }
  return { judged, identity, forgotten, issuers };
}

/** What a client sent, its own certificate first. */
class SentChain {
  readonly certificates: readonly X509Certificate[];
  readonly hash: string;

  constructor(certificates: readonly X509Certificate[]) {
    this.certificates = certificates;
    const hash = createHash('sha256');
    for (const { fingerprint256 } of certificates) hash.update(fingerprint256);
    this.hash = hash.digest('hex');
  }
}

/**
 * Against exactly one of several trust stores, from memory where that knows.
 * @param sent Null for a resumed session, which shows no chain.
 */
async function judgeAgainst(
  store: LoadedStore,
  identity: Identity,
  sent: SentChain | null,
  judging: Judging,
): Promise<JudgedAlone | null> {
  const { proofs, now } = judging;
  const { key, verifyDepth } = store.trust;
  const known = recall(judging, store.trust, identity, sent === null);
  if (known !== null) return known;
  const failure = proofs.recallFailure(key, identity.sha256, sent?.hash ?? null, now);
  if (failure !== null) return refused(failure);
  if (sent === null) return null;
  const verdict = await verdictAgainst(store, sent);
  const proof = verdict.status === 'success' ? proveChain(sent.certificates, store.certificates, now) : null;
  const failed =
    verdict.status === 'failed'
      ? withMissingIssuer(verdict, sent.certificates, store.certificates)
      : refuseDeepChain(proof, verifyDepth);
  if (failed !== null) proofs.rememberFailure(key, identity.sha256, sent.hash, failed, now);
  if (failed !== null || proof === null) return refused(failed ?? none);
  // OpenSSL may have found another chain than the one that was proven, so all count that could be part of one.
  const validUntil = Math.min(
    proof.validUntil,
    firstEndAfter(now, sent.certificates),
    store.firstEndAfter(now),
  );
  return remember(proofs, store.trust, identity, { ...proof, validUntil });
}

async function verdictAgainst(store: LoadedStore, sent: SentChain): Promise<Verdict> {
  try {
    return await judgeChainAgainst(
      sent.certificates.map(({ raw }) => raw),
      store.context,
    );
  } catch (error) {
    if (!(error instanceof UnjudgedChain)) throw error;
    return { status: 'failed', reason: 'other', detail: error.message, untrustedOnly: false };
  }
}

function proven({ chain }: RememberedProof): Judged {
  return { verdict: success, chain };
}

function unproven(verdict: Verdict): Judged {
  return { verdict, chain: [] };
}

function refused(verdict: Verdict): JudgedAlone {
  return { judged: unproven(verdict), issuer: null };
}

const expired: Verdict = verdictOf({
  requested: true,
  certificatePresent: true,
  authorized: false,
  authorizationError: 'CERT_HAS_EXPIRED',
});

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

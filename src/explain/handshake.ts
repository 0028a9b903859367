import type { X509Certificate } from 'node:crypto';
import { plainConnection } from '../proxy/plain-connection.ts';
import { type Connection, type Judged, nothingJudged } from '../snapshot/connection.ts';
import { normaliseHostName } from '../snapshot/host-name.ts';
import { hostOfServerName } from '../snapshot/server-name.ts';
import type { Host, Snapshot } from '../snapshot/snapshot.ts';
import { UnjudgedChain } from '../tls/certificate-judge.ts';
import { MalformedCertificate } from '../tls/der.ts';
import { outcomeOf } from '../tls/handshake-outcome.ts';
import { readIdentity } from '../tls/identity-reader.ts';
import type { Identity } from '../tls/identity.ts';
import { none, type Verdict } from '../tls/verdict.ts';
import { explainSent, judgeByStore, readChain } from './judge.ts';
import { BadQuestion, type ClientChain, type Question } from './question.ts';
import type { EndedHandshake, ExplainedHandshake, ExplainedStore } from './report.ts';

/** The connection that a handshake ends in, or that it is ended. */
export interface Shaken {
  readonly connection: Connection | null;
  readonly ended: EndedHandshake | null;
  /** Null over plain HTTP. */
  readonly explained: ExplainedHandshake | null;
}

/**
 * Goes through the handshake of a question: the host by its server name, its trust stores, OpenSSL's verdict by each, and
 * whether the host is strict. In memory; no responder is asked, and nobody else either.
 */
export async function shakeHands(snapshot: Snapshot, question: Question): Promise<Shaken> {
  if (question.plainHttp) return { connection: plain(snapshot, question), ended: null, explained: null };
  const { serverName } = question;
  const found = hostOfServerName(snapshot, serverName);
  if ('refused' in found) {
    const { refused: reason, detail } = found;
    const nobody = {
      serverName,
      host: null,
      serverNameMatched: false,
      asksForCertificate: false,
      strict: false,
    };
    return {
      connection: null,
      ended: { action: 'end_handshake', reason, detail },
      explained: { ...nobody, sent: [], stores: [], reason, detail },
    };
  }
  const { host, matched } = found;
  const now = question.time ?? Date.now();
  const judgement = await judge(host, question);
  const about = {
    serverName,
    host: host.id,
    serverNameMatched: matched,
    asksForCertificate: host.clientAuth.stores.length > 0,
    strict: host.clientAuth.strict,
    sent: explainSent(judgement.sent),
    stores: judgement.stores,
  };
  if (judgement.broken !== null) {
    const reason = 'protocol';
    return {
      connection: null,
      ended: { action: 'end_handshake', reason, detail: judgement.broken },
      explained: { ...about, reason, detail: judgement.broken },
    };
  }
  const connection: Connection = {
    listener: 'https',
    remoteAddress: question.address,
    remotePort: 0,
    localPort: snapshot.listeners.https.port,
    serverName: serverName === null ? null : normaliseHostName(serverName),
    hostId: host.id,
    serverNameMatched: matched,
    trustKey: host.clientAuth.key,
    judged: judgement.judged,
    identity: judgement.identity,
    tlsVersion: 'TLSv1.3',
    cipher: null,
    resumed: false,
  };
  const { accepted, reason, detail } = outcomeOf(host, connection, false, now);
  const ended =
    accepted || !host.clientAuth.strict ? null : { action: 'end_handshake' as const, reason, detail };
  return {
    connection: ended === null ? connection : null,
    ended,
    explained: { ...about, reason, detail },
  };
}

function plain(snapshot: Snapshot, { address }: Question): Connection {
  const { http } = snapshot.listeners;
  if (http === null) throw new BadQuestion('there is no listener for plain HTTP');
  return plainConnection('http', { localPort: http.port }, { address, port: 0 });
}

interface Judgement {
  readonly sent: readonly X509Certificate[];
  readonly stores: readonly ExplainedStore[];
  readonly judged: ReadonlyMap<string, Judged>;
  readonly identity: Identity | null;
  /** Why the handshake breaks off over the certificates; null where it does not. */
  readonly broken: string | null;
}

const malformed: Verdict = {
  status: 'failed',
  reason: 'malformed_cert',
  detail: 'the certificate could not be read',
  untrustedOnly: false,
};

async function judge({ clientAuth }: Host, { certificate, time }: Question): Promise<Judgement> {
  const nothing = { sent: [], stores: [], judged: nothingJudged, identity: null, broken: null };
  const { stores } = clientAuth;
  if (stores.length === 0) return nothing;
  if (certificate === null) {
    const judged = new Map(stores.map(({ key }) => [key, { verdict: none, chain: [] }]));
    return { ...nothing, judged };
  }
  const sent = readChain(certificate.chain);
  if (sent === null) return { ...nothing, broken: 'the certificate cannot be read' };
  const judged = new Map<string, Judged>();
  const explained: ExplainedStore[] = [];
  const identity = identityOf(certificate);
  try {
    for (const trust of stores) {
      const one = await judgeByStore(trust, sent, certificate.identity === undefined ? time : null);
      // As a handshake does: what cannot be read strictly is nobody's certificate.
      judged.set(trust.key, identity === null ? { verdict: malformed, chain: [] } : one.judged);
      explained.push(one.explained);
    }
  } catch (error) {
    if (error instanceof UnjudgedChain) return { ...nothing, sent, broken: error.message };
    throw error;
  }
  return { sent, stores: explained, judged, identity, broken: null };
}

function identityOf({ chain, identity }: ClientChain): Identity | null {
  if (identity !== undefined) return identity;
  try {
    return readIdentity(chain[0] ?? new Uint8Array());
  } catch (error) {
    if (error instanceof MalformedCertificate) return null;
    throw error;
  }
}

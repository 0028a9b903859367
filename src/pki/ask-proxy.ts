import { createFileSource } from '../config/file-source.ts';
import { compile } from '../snapshot/compile.ts';
import { type Connection, type Judged, nothingJudged, verdictFor } from '../snapshot/connection.ts';
import { decide } from '../snapshot/decide.ts';
import { splitAuthority } from '../snapshot/host-name.ts';
import { normalisePath } from '../snapshot/path.ts';
import { answers } from '../snapshot/reason.ts';
import type { Host, Route, Snapshot } from '../snapshot/snapshot.ts';
import { MalformedCertificate } from '../tls/der.ts';
import { readIdentity } from '../tls/identity-reader.ts';
import type { Identity } from '../tls/identity.ts';
import { failureInFull, none, type Verdict } from '../tls/verdict.ts';
import { PkiError } from './error.ts';
import { judgeAsHandshake } from './judge.ts';

/** A client's certificate and the request it comes with. */
export interface ProxyQuestion {
  /** Path of the configuration file. */
  readonly config: string;
  readonly host: string;
  /** Path, and query if any. */
  readonly path: string;
  readonly method: string;
  /** The client's chain, leaf first, DER. */
  readonly chain: readonly Uint8Array[];
}

/** What the proxy would do. */
export interface ProxyAnswer {
  readonly verdict: Verdict;
  /** True: the request goes to an upstream. */
  readonly forwarded: boolean;
  /** Of our own answer; null when forwarded, and where the handshake is ended and HTTP says nothing. */
  readonly status: number | null;
  readonly message: string | null;
  /** A code of the closed set of reasons; `ok` when forwarded. */
  readonly reason: string;
  /** For the operator: which rule missed, or which upstream. */
  readonly detail: string | null;
}

async function loadSnapshot(file: string): Promise<Snapshot> {
  const loaded = await createFileSource(file).load();
  if (!loaded.ok) throw new PkiError(`${file} cannot be used:\n${loaded.problems.join('\n')}`);
  const compiled = compile(loaded.config, loaded.material);
  if (compiled.ok) return compiled.snapshot;
  throw new PkiError(
    `${file} cannot be used:\n${compiled.problems.map((problem) => loaded.place(problem)).join('\n')}`,
  );
}

async function judge(
  host: Host,
  chain: readonly Uint8Array[],
): Promise<{ judged: ReadonlyMap<string, Judged>; identity: Identity | null }> {
  const { stores } = host.clientAuth;
  if (stores.length === 0) return { judged: nothingJudged, identity: null };
  const judged = new Map<string, Judged>();
  for (const trust of stores) {
    judged.set(trust.key, await judgeAsHandshake(chain, { ...trust, crl: null }));
  }
  try {
    return { judged, identity: readIdentity(chain[0]!) };
  } catch (error) {
    if (!(error instanceof MalformedCertificate)) throw error;
    const detail = `the certificate could not be read: ${error.message}`;
    const verdict: Verdict = { status: 'failed', reason: 'malformed_cert', detail, untrustedOnly: false };
    return { judged: new Map(stores.map(({ key }) => [key, { verdict, chain: [] }])), identity: null };
  }
}

function abortedHandshake(verdict: Verdict, reason: string, detail: string): ProxyAnswer {
  return { verdict, forwarded: false, status: null, message: null, reason, detail };
}

/**
 * Asks a configuration what would become of a request: the same snapshot, verification and `decide` that serve. The
 * connection is one whose server name is the host of the request. Throws PkiError where the configuration cannot be used.
 */
export async function askProxy(question: ProxyQuestion, now = Date.now()): Promise<ProxyAnswer> {
  const authority = splitAuthority(question.host);
  if (authority === null) throw new PkiError(`${JSON.stringify(question.host)} is no host`);
  if (!question.path.startsWith('/')) throw new PkiError('--path begins with a slash');
  const name = authority.host;
  const snapshot = await loadSnapshot(question.config);
  const named = snapshot.hosts.find(name);
  if (named === null && snapshot.standIn.unknown === 'refuse') {
    return abortedHandshake(none, 'unknown_sni', 'no host has this server name');
  }
  const host = named ?? snapshot.defaultHost;
  const { judged, identity } = await judge(host, question.chain);
  const verdicts = host.clientAuth.trusts.map((trust) =>
    verdictFor({ judged }, { mode: 'require', trust }, now),
  );
  const seen = verdicts.find(({ status }) => status === 'success') ?? verdicts[0] ?? none;
  if (host.clientAuth.strict && seen.status === 'failed') {
    return abortedHandshake(seen, seen.reason, failureInFull(seen));
  }
  const connection: Connection = {
    listener: 'https',
    remoteAddress: '127.0.0.1',
    remotePort: 0,
    localPort: snapshot.listeners.https.port,
    serverName: name,
    hostId: host.id,
    serverNameMatched: named !== null,
    trustKey: host.clientAuth.key,
    judged,
    identity,
    tlsVersion: 'TLSv1.3',
    cipher: null,
    resumed: false,
  };
  const mark = question.path.indexOf('?');
  const path = mark === -1 ? question.path : question.path.slice(0, mark);
  const query = mark === -1 ? '' : question.path.slice(mark);
  const head = { method: question.method, path, query, host: name, authority: question.host };
  const decision = decide(snapshot, connection, head, now);
  const guard = decision.route ?? routeOf(decision.host, path) ?? decision.host;
  const verdict = guard === null ? seen : verdictFor(connection, guard.clientAuth, now);
  if (decision.action === 'forward') {
    const detail = `to upstream ${decision.route.upstream}, by route ${decision.route.id}`;
    return { verdict, forwarded: true, status: null, message: null, reason: 'ok', detail };
  }
  const { status, reason, detail } = decision;
  return { verdict, forwarded: false, status, message: answers[reason].message, reason, detail };
}

/** The route whose way to ask for certificates decided, also where the refusal does not name it. */
function routeOf(host: Host | null, path: string): Route | null {
  const normal = normalisePath(path);
  return host === null || normal === null ? null : host.routes.find(normal.path);
}

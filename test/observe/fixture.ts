import { judgedUnder, testHostAuth, testRevocation } from '../support/client-auth.ts';
import type { Policy } from '../../src/policy/policy.ts';
import type { Connection } from '../../src/snapshot/connection.ts';
import type { Forward, Respond } from '../../src/snapshot/decision.ts';
import type { PolicyReason, RefusalReason } from '../../src/snapshot/reason.ts';
import { enforced } from '../../src/snapshot/report.ts';
import { respond as respondWith } from '../../src/snapshot/respond.ts';
import { createRouteTable } from '../../src/snapshot/route-table.ts';
import type { HostClientAuth, Host, Route, Snapshot, Trust, Upstream } from '../../src/snapshot/snapshot.ts';
import type { HandshakeEvent, RequestEvent } from '../../src/observe/observer.ts';
import type { Identity } from '../../src/tls/identity.ts';
import { testRoute } from '../support/route.ts';
import { testSnapshot as snapshotOf, testUpstream as upstreamWith } from '../support/snapshot.ts';

export { testRoute } from '../support/route.ts';

/** A rule that nothing meets; its reason is what matters here. */
export function rule(reason: PolicyReason): Policy {
  return { kind: 'rule', fact: reason, reason, values: () => [], matchers: [] };
}

export function testHost(
  id: string,
  changes: Partial<Omit<Host, 'routes' | 'clientAuth'>> & {
    readonly routes?: readonly Route[];
    readonly clientAuth?: Partial<HostClientAuth & Pick<Trust, 'ca'>> & { readonly crl?: string };
  } = {},
): Host {
  const { routes = [testRoute(id)], clientAuth, ...rest } = changes;
  return {
    id,
    names: [id],
    certificate: { cert: '', key: '' },
    stapling: null,
    clientAuth: testHostAuth(clientAuth?.mode ?? 'require', clientAuth?.key ?? `trust of ${id}`, {
      ca: clientAuth?.ca ?? '',
      revocation: clientAuth?.crl === undefined ? null : testRevocation(clientAuth.crl),
    }),
    policy: null,
    reports: enforced,
    routes: createRouteTable(routes),
    judgesPaths: false,
    ...rest,
  };
}

export function testUpstream(name: string, endpoints: readonly string[], key = endpoints.join()): Upstream {
  return upstreamWith(name, {
    endpoints: endpoints.map((endpoint) => ({ address: '127.0.0.1', port: 1, name: endpoint })),
    key,
  });
}

export function testSnapshot(hosts: readonly Host[], changes: Partial<Snapshot> = {}): Snapshot {
  const upstreams = new Map([['backend', testUpstream('backend', ['127.0.0.1:8000'])]]);
  return snapshotOf(hosts, { upstreams, ...changes });
}

export const testIdentity: Identity = {
  subject: [[{ oid: '2.5.4.3', value: 'roshankhatri' }]],
  issuer: [[{ oid: '2.5.4.3', value: 'Demo' }]],
  subjectText: 'CN=roshankhatri,OU=ITOps,O=Logpoint Nepal',
  issuerText: 'CN=Demo',
  san: { dns: [], uri: [], email: [], ip: [] },
  serial: '01AB',
  notBefore: Date.UTC(2026, 0, 1),
  notAfter: Date.UTC(2027, 0, 1),
  sha256: 'ab'.repeat(32),
  sha1: 'cd'.repeat(20),
  spki: 'ef'.repeat(32),
  keyAlgorithm: 'id-ecPublicKey',
  signatureAlgorithm: 'ecdsa-with-SHA256',
  der: new Uint8Array(),
};

export function testConnection(changes: Partial<Connection> = {}): Connection {
  return {
    listener: 'https',
    remoteAddress: '192.0.2.7',
    remotePort: 40_000,
    localPort: 8443,
    serverName: 'a.test',
    hostId: 'a.test',
    serverNameMatched: true,
    trustKey: 'trust of a.test',
    judged: judgedUnder('trust of a.test', { status: 'success' }),
    identity: testIdentity,
    tlsVersion: 'TLSv1.3',
    cipher: 'TLS_AES_256_GCM_SHA384',
    resumed: false,
    ...changes,
  };
}

export function forward(host: Host, route: Route = host.routes.all[0]!): Forward {
  return { action: 'forward', reason: 'ok', host, route, target: '/', authenticate: false };
}

export function respond(
  reason: RefusalReason,
  host: Host | null,
  route: Route | null = null,
  detail: string | null = null,
): Respond {
  return { ...respondWith(reason, host, route, detail), close: false };
}

export function requestEvent(
  decision: Forward | Respond,
  changes: Partial<Omit<RequestEvent, 'decision'>> = {},
): RequestEvent {
  return {
    id: '0123456789abcdef0123456789abcdef',
    connection: testConnection(),
    method: 'GET',
    authority: 'a.test',
    target: '/things?x=1',
    userAgent: 'curl/8.5.0',
    decision,
    status: decision.action === 'forward' ? 200 : decision.status,
    reason: decision.reason,
    detail: null,
    bytesReceived: 10,
    bytesSent: 200,
    durationMs: 4,
    upstream:
      decision.action === 'forward'
        ? { upstream: 'backend', endpoint: '127.0.0.1:8000', tries: 1, headMs: 3, status: 200 }
        : null,
    upgrade: false,
    ...changes,
  };
}

export function handshakeEvent(changes: Partial<HandshakeEvent> = {}): HandshakeEvent {
  return {
    listener: 'https',
    host: 'a.test',
    result: 'accepted',
    reason: 'ok',
    tlsVersion: 'TLSv1.3',
    cipher: 'TLS_AES_256_GCM_SHA384',
    resumed: false,
    durationMs: 7,
    remoteAddress: '192.0.2.7',
    remotePort: 40_000,
    serverName: 'a.test',
    identity: testIdentity,
    detail: null,
    offer: null,
    ...changes,
  };
}

/** One line of a metrics page, read back. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Reads a metrics page: a reader of its own, so that the printer does not judge itself. */
export function samplesOf(page: string): Sample[] {
  const samples: Sample[] = [];
  for (const line of page.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const match = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/s.exec(line);
    if (match === null) throw new Error(`not a sample: ${line}`);
    const labels: Record<string, string> = {};
    for (const [, name, value] of (match[2] ?? '').matchAll(
      /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/g,
    )) {
      labels[name!] = value!.replaceAll(/\\(.)/gs, (_, one: string) => (one === 'n' ? '\n' : one));
    }
    samples.push({ name: match[1]!, labels, value: Number(match[3]!.replace('Inf', 'Infinity')) });
  }
  return samples;
}

/** The samples of a name whose labels include `labels`. */
export function find(page: string, name: string, labels: Readonly<Record<string, string>> = {}): Sample[] {
  return samplesOf(page).filter(
    (sample) =>
      sample.name === name &&
      Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
  );
}

/** The value of the one sample that there must be. */
export function valueOf(page: string, name: string, labels: Readonly<Record<string, string>> = {}): number {
  const found = find(page, name, labels);
  if (found.length !== 1) throw new Error(`${found.length} samples of ${name} ${JSON.stringify(labels)}`);
  return found[0]!.value;
}

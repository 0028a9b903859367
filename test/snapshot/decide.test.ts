import * as fc from 'fast-check';
import t from 'tap';
import { enforced } from '../../src/snapshot/report.ts';
import type { ClientAuthMode } from '../../src/config/schema.ts';
import type { Policy } from '../../src/policy/policy.ts';
import type { Connection } from '../../src/snapshot/connection.ts';
import { decide } from '../../src/snapshot/decide.ts';
import type { RequestHead } from '../../src/snapshot/request-head.ts';
import { createRouteTable } from '../../src/snapshot/route-table.ts';
import type { Host, Route, Snapshot } from '../../src/snapshot/snapshot.ts';
import { none, success, type Verdict } from '../../src/tls/verdict.ts';
import { judgedUnder, testHostAuth } from '../support/client-auth.ts';
import { nobody } from '../../src/snapshot/admin-access.ts';
import { anIdentity } from '../support/identity.ts';
import { testRoute } from '../support/route.ts';
import { testSnapshot } from '../support/snapshot.ts';

const now = Date.UTC(2026, 10, 23);

function ou(wanted: string): Policy {
  return {
    kind: 'rule',
    fact: 'OU',
    reason: 'policy_ou',
    values: (identity) =>
      identity.subject.flat().flatMap(({ oid, value }) => (oid === '2.5.4.11' ? [value] : [])),
    matchers: [{ text: wanted, test: (value) => value === wanted }],
  };
}

function route(hostId: string, path: string, policy: Policy | null): Route {
  const identityHeaders = { dialects: ['nginx'], certificate: false, templates: new Map() } as const;
  return testRoute(hostId, path, { policy, upstream: 'u', identityHeaders });
}

function host(
  name: string,
  mode: ClientAuthMode,
  key: string,
  policy: Policy | null,
  routes: readonly Route[],
): Host {
  const clientAuth = testHostAuth(mode, key);
  return {
    id: name,
    names: [name],
    certificate: { cert: '', key: '' },
    stapling: null,
    clientAuth,
    policy,
    reports: enforced,
    routes: createRouteTable(routes.map((one) => ({ ...one, clientAuth }))),
    judgesPaths: policy !== null || routes.some((one) => one.policy !== null),
  };
}

const modes: readonly ClientAuthMode[] = ['require', 'optional', 'optional_no_ca', 'off'];
const hosts: readonly Host[] = [
  ...modes.map((mode) => {
    const id = `${mode.replaceAll('_', '-')}.test`;
    return host(id, mode, `key of ${mode}`, null, [
      route(id, '/', null),
      ...(mode === 'off' ? [] : [route(id, '/admin', ou('ITOps'))]),
    ]);
  }),
  host('policy.test', 'require', 'key of require', ou('ITOps'), [route('policy.test', '/app', ou('ITOps'))]),
];
const snapshot: Snapshot = testSnapshot(hosts, {
  listeners: {
    https: { address: '', port: 8443, proxyProtocol: null },
    http: { address: '', port: 8080, redirectPort: null, proxyProtocol: null },
    admin: { address: '', port: 9090, access: nobody, host: null },
    reusePort: false,
  },
});

const itops = anIdentity({ subject: [[{ oid: '2.5.4.11', value: 'ITOps' }]], notAfter: now + 1000 });
const sales = anIdentity({ subject: [[{ oid: '2.5.4.11', value: 'Sales' }]], notAfter: now + 1000 });
const untrusted: Verdict = { status: 'failed', reason: 'untrusted', detail: 'x', untrustedOnly: true };
const expired: Verdict = { status: 'failed', reason: 'expired', detail: 'x', untrustedOnly: false };

function connectionTo(id: string, more: Partial<Connection> = {}): Connection {
  const bound = hosts.find((one) => one.id === id)!;
  return {
    listener: 'https',
    remoteAddress: '192.0.2.1',
    remotePort: 1,
    localPort: 8443,
    serverName: id,
    hostId: id,
    serverNameMatched: true,
    trustKey: bound.clientAuth.key,
    judged: judgedUnder(bound.clientAuth.trust?.key ?? '', success),
    identity: itops,
    tlsVersion: 'TLSv1.3',
    cipher: 'x',
    resumed: false,
    ...more,
  };
}

function head(hostName: string, path = '/', query = ''): RequestHead {
  return { method: 'GET', path, query, host: hostName, authority: hostName };
}

await t.test('forwards what mode, policy and route allow, with the path it decided on', async (t) => {
  const decision = decide(
    snapshot,
    connectionTo('require.test'),
    head('require.test', '/admin/../admin//x', '?a'),
    now,
  );
  t.match(decision, { action: 'forward', target: '/admin/x?a', route: { path: '/admin' } });
});

await t.test('asks the policies of host and route, and both must hold', async (t) => {
  const ask = (identity: typeof itops, path: string) =>
    decide(snapshot, connectionTo('policy.test', { identity }), head('policy.test', path), now);
  t.match(ask(itops, '/app'), { action: 'forward' });
  t.match(ask(sales, '/app'), { status: 403, reason: 'policy_ou' });
  t.match(ask(sales, '/nowhere'), { status: 403 }, 'an outsider does not learn which paths there are');
  t.match(ask(itops, '/nowhere'), { status: 404, reason: 'no_route' });
});

await t.test(
  'what a responder said counts for as long as it said, and then a new connection is wanted',
  async (t) => {
    const key = 'key of require';
    const connection = connectionTo('require.test', {
      judged: new Map([[key, { ...judgedUnder(key, success).get(key)!, validUntil: now + 10 }]]),
    });
    const ask = (at: number) => decide(snapshot, connection, head('require.test'), at);
    t.match(ask(now + 9), { action: 'forward' });
    t.match(ask(now + 10), { status: 421, reason: 'ocsp_expired', close: true });
  },
);

await t.test('an unproven identity satisfies no policy, whatever it claims', async (t) => {
  for (const [verdict, identity] of [
    [none, null],
    [untrusted, itops],
  ] as const) {
    const connection = connectionTo('optional-no-ca.test', {
      judged: judgedUnder('key of optional_no_ca', verdict),
      identity,
    });
    t.match(decide(snapshot, connection, head('optional-no-ca.test', '/'), now), { action: 'forward' });
    t.match(decide(snapshot, connection, head('optional-no-ca.test', '/admin'), now), {
      status: 403,
      reason: 'policy_no_identity',
    });
  }
});

await t.test('a certificate that expires on an open connection is refused from then on', async (t) => {
  const ask = (at: number) => decide(snapshot, connectionTo('require.test'), head('require.test'), at);
  t.match(ask(now + 1000), { action: 'forward' });
  t.match(ask(now + 1001), { status: 400, reason: 'expired', close: true });
});

await t.test('paths with two readings are refused on a host with any policy, and only there', async (t) => {
  for (const path of ['/x%2f..%2fadmin', '/admin%00', '/..%5cadmin', '/a\\..\\admin']) {
    t.match(
      decide(snapshot, connectionTo('require.test'), head('require.test', path), now),
      { reason: 'bad_path' },
      path,
    );
  }
  const open = connectionTo('off.test', { judged: new Map(), identity: null });
  t.match(decide(snapshot, open, head('off.test', '/x%2fy'), now), { action: 'forward', target: '/x%2Fy' });
});

await t.test('the plain listener redirects or refuses, and forwards nothing', async (t) => {
  const plain = connectionTo('off.test', {
    listener: 'http',
    judged: new Map(),
    identity: null,
    trustKey: null,
  });
  for (const { id } of hosts) {
    t.match(decide(snapshot, plain, head(id, '/a', '?b=c'), now), {
      status: 308,
      location: `https://${id}:8443/a?b=c`,
    });
  }
  t.match(decide(snapshot, plain, head('nobody.test'), now), { status: 404, reason: 'no_host' });
});

const anyConnection = fc.record({
  listener: fc.constantFrom<'https' | 'http'>('https', 'http'),
  bound: fc.constantFrom(...hosts),
  matched: fc.boolean(),
  keyFrom: fc.constantFrom(...hosts, null),
  verdict: fc.constantFrom<Verdict>(success, none, untrusted, expired),
  identity: fc.constantFrom(itops, sales, null),
});
const anyHead = fc.record({
  host: fc.constantFrom(...hosts.map(({ id }) => id), 'nobody.test'),
  path: fc.constantFrom('/', '/admin', '/app', '/admin/x', '/nowhere', '/%2e%2e', '/a%2fb', '/x/../admin'),
});

await t.test('never forwards past a check, for any connection, head and time', async (t) => {
  fc.assert(
    fc.property(anyConnection, anyHead, fc.integer({ min: now - 5, max: now + 2000 }), (c, h, at) => {
      const connection = connectionTo(c.bound.id, {
        listener: c.listener,
        serverNameMatched: c.matched,
        trustKey: c.keyFrom?.clientAuth.key ?? null,
        judged: judgedUnder(c.keyFrom?.clientAuth.trust?.key ?? '', c.verdict),
        identity: c.identity,
      });
      const decision = decide(snapshot, connection, head(h.host, h.path), at);
      if (decision.action === 'respond') return decision.status >= 308;
      // Said a second time and the other way round: what must be true of everything that is forwarded.
      const { clientAuth, policy } = decision.host;
      const proven = c.verdict.status === 'success' && c.identity !== null && at <= c.identity.notAfter;
      const policies = [policy, decision.route.policy].filter((one) => one !== null);
      const verified =
        clientAuth.mode === 'off' ||
        (connection.trustKey === clientAuth.key && (!c.matched || c.bound.id === decision.host.id));
      const passes =
        proven ||
        clientAuth.mode === 'off' ||
        (c.verdict.status === 'none' && clientAuth.mode !== 'require') ||
        (c.verdict === untrusted && clientAuth.mode === 'optional_no_ca');
      return (
        c.listener === 'https' &&
        decision.host.id === h.host &&
        verified &&
        passes &&
        (policies.length === 0 || (proven && c.identity === itops))
      );
    }),
    { numRuns: 5000 },
  );
  t.pass('5000 requests');
});

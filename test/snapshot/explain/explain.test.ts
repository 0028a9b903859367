import * as fc from 'fast-check';
import t from 'tap';
import { compilePolicy } from '../../../src/policy/compile.ts';
import { enforced } from '../../../src/snapshot/report.ts';
import type { Policy } from '../../../src/policy/policy.ts';
import { readWholeHead } from '../../../src/proxy/whole-head.ts';
import type { Access } from '../../../src/snapshot/access.ts';
import { compilePathPattern } from '../../../src/snapshot/path-pattern.ts';
import type { Connection } from '../../../src/snapshot/connection.ts';
import { decide } from '../../../src/snapshot/decide.ts';
import { explain, type ExplainedInput } from '../../../src/snapshot/explain/explain.ts';
import { createRouteTable } from '../../../src/snapshot/route-table.ts';
import type { Host, Route } from '../../../src/snapshot/snapshot.ts';
import { AddressRanges, parseCidr } from '../../../src/tls/cidr.ts';
import { none, success, type Verdict } from '../../../src/tls/verdict.ts';
import { judgedUnder, testHostAuth } from '../../support/client-auth.ts';
import { aName, anIdentity } from '../../support/identity.ts';
import { testRoute } from '../../support/route.ts';
import { testSnapshot, testUpstream } from '../../support/snapshot.ts';

const now = Date.UTC(2026, 10, 24);

function policy(config: Parameters<typeof compilePolicy>[0]): Policy {
  const compiled = compilePolicy(config, '');
  if ('problems' in compiled) throw new Error(JSON.stringify(compiled.problems));
  return compiled.policy;
}

const itOps = policy({ ou: 'ITOps' });
const office: Access = {
  addresses: { deny: null, allow: new AddressRanges([parseCidr('192.0.2.0/24')!]) },
  basicAuth: null,
  external: null,
  satisfy: 'all',
};

function host(id: string, names: readonly string[], changes: Partial<Host> = {}): Host {
  const clientAuth = changes.clientAuth ?? testHostAuth('require', `key of ${id}`);
  const pattern = compilePathPattern('/old/(.*)');
  if ('problem' in pattern) throw new Error(pattern.problem);
  const routes: Route[] = [
    testRoute(id, '/', { clientAuth, upstream: 'site' }),
    testRoute(id, '/admin', { clientAuth, upstream: 'site', policy: itOps }),
    testRoute(id, '/admin', {
      clientAuth,
      upstream: 'site',
      pathType: 'Exact',
      policy: policy({ cn: 'boss' }),
    }),
    testRoute(id, '/office', { clientAuth, upstream: 'site', access: office }),
    testRoute(id, '/old/(.*)', { clientAuth, pathType: 'Regex', pattern, upstream: 'site' }),
    testRoute(id, '/plain', { clientAuth, plainHttp: 'serve', upstream: 'site' }),
  ];
  return {
    id,
    names,
    certificate: { cert: '', key: '' },
    stapling: null,
    clientAuth,
    policy: null,
    reports: enforced,
    routes: createRouteTable(routes),
    judgesPaths: true,
    ...changes,
  };
}

const hosts: readonly Host[] = [
  host('require.test', ['require.test'], { policy: policy({ any: [{ ou: 'ITOps' }, { o: 'Contoso' }] }) }),
  host('optional.test', ['optional.test', '*.test'], { clientAuth: testHostAuth('optional', 'o') }),
  host('lax.test', ['lax.test'], { clientAuth: testHostAuth('optional_no_ca', 'l') }),
  host('open.test', ['open.test', '*'], { clientAuth: testHostAuth('off', '') }),
];
const snapshot = testSnapshot(hosts, {
  limits: { ...testSnapshot(hosts).limits, headerCount: 20 },
  upstreams: new Map([['site', testUpstream('site')]]),
  forwarded: { trust: new AddressRanges([parseCidr('198.51.100.0/24')!]), append: false },
});

const itops = anIdentity({ subject: aName(['OU', 'ITOps'], ['CN', 'x']), notAfter: now + 1000 });
const sales = anIdentity({ subject: aName(['OU', 'Sales'], ['CN', 'y']), notAfter: now + 1000 });
const untrusted: Verdict = { status: 'failed', reason: 'untrusted', detail: 'x', untrustedOnly: true };

function connectionTo(bound: Host, changes: Partial<Connection> = {}): Connection {
  return {
    listener: 'https',
    remoteAddress: '192.0.2.1',
    remotePort: 1,
    localPort: 8443,
    serverName: bound.id,
    hostId: bound.id,
    serverNameMatched: true,
    trustKey: bound.clientAuth.key,
    judged: judgedUnder(bound.clientAuth.trust?.key ?? '', success),
    identity: itops,
    tlsVersion: 'TLSv1.3',
    cipher: 'x',
    resumed: false,
    ...changes,
  };
}

function get(hostName: string, target: string, ...headers: string[]): ExplainedInput {
  return { method: 'GET', target, httpVersion: '1.1', rawHeaders: ['Host', hostName, ...headers] };
}

const anyCase = fc.record({
  bound: fc.constantFrom(...hosts),
  listener: fc.constantFrom<'https' | 'http'>('https', 'https', 'http'),
  matched: fc.boolean(),
  // Mostly a connection as it should be, so that what comes behind is reached.
  own: fc.constantFrom(true, true, true, false),
  keyFrom: fc.option(fc.constantFrom(...hosts)),
  verdict: fc.constantFrom<Verdict>(success, none, untrusted),
  identity: fc.constantFrom(itops, sales, null),
  address: fc.constantFrom('192.0.2.1', '203.0.113.9', '198.51.100.7'),
  host: fc.constantFrom(
    'require.test',
    'optional.test',
    'a.test',
    'open.test',
    'lax.test',
    'x.y.test',
    'bad host',
  ),
  target: fc.oneof(
    fc.constantFrom(
      '/',
      '/admin',
      '/admin/x?q',
      '/administer',
      '/office',
      '/OLD/a',
      '/plain',
      '/%2e%2e',
      '/a%2fb',
    ),
    fc.string({ unit: 'grapheme-ascii', maxLength: 12 }).map((text) => `/${text}`),
  ),
  method: fc.constantFrom('GET', 'OPTIONS', 'TRACE'),
  headers: fc.constantFrom<readonly string[]>(
    [],
    ['X-Forwarded-Proto', 'https', 'X-Forwarded-For', '192.0.2.77'],
    ['Expect', 'miracles'],
    ['Content-Length', '5', 'Transfer-Encoding', 'chunked'],
  ),
  at: fc.integer({ min: now - 5, max: now + 2000 }),
});

await t.test('says what decide says, for any connection, head and time', async (t) => {
  const reasons = new Set<string>();
  fc.assert(
    fc.property(anyCase, (c) => {
      const keyFrom = c.own ? c.bound : c.keyFrom;
      const connection = connectionTo(c.bound, {
        listener: c.listener,
        serverNameMatched: c.own || c.matched,
        trustKey: keyFrom?.clientAuth.key ?? null,
        judged: judgedUnder(keyFrom?.clientAuth.trust?.key ?? '', c.verdict),
        identity: c.identity,
        remoteAddress: c.address,
      });
      const input = { ...get(c.own ? c.bound.id : c.host, c.target, ...c.headers), method: c.method };
      const { decision, explanation } = explain(snapshot, connection, input, c.at);
      const read = readWholeHead(snapshot, connection.remoteAddress, input);
      if (!read.ok) return decision.reason === read.reason && explanation.checks.length === 0;
      const decided = decide(snapshot, connection, read.head, c.at);
      reasons.add(decided.reason);
      t.strictSame(decision, decided);
      t.equal(explanation.decision.reason, decided.reason);
      t.equal(explanation.upstreamRequest === null, decided.action === 'respond');
      // The one check that was not passed is the last, and the one that decided.
      const failed = explanation.checks.filter(({ passed }) => !passed);
      const told = failed.map(({ reason }) => reason);
      t.strictSame(told, decided.action === 'respond' ? [decided.reason] : []);
      t.equal(explanation.checks.at(-1)?.passed, decided.action === 'forward');
      if (decided.action === 'forward') t.ok(explanation.policies.every(({ holds }) => holds));
      t.doesNotThrow(() => JSON.stringify(explanation));
      return true;
    }),
    { numRuns: 3000 },
  );
  // So that the property is about something.
  const wanted = [
    'ok',
    'misdirected',
    'no_certificate',
    'policy_ou',
    'policy_no_identity',
    'expired',
    'untrusted',
  ];
  for (const reason of [...wanted, 'bad_path', 'redirect_https', 'address_denied'])
    t.ok(reasons.has(reason), reason);
});

await t.test('shows each rule of the policies with what it saw, and which were not asked', async (t) => {
  const connection = connectionTo(hosts[0]!, { identity: sales });
  const { explanation } = explain(snapshot, connection, get('require.test', '/admin/x'), now);
  t.match(explanation.policies, [
    {
      of: 'host',
      holds: false,
      tree: {
        kind: 'any',
        holds: false,
        parts: [
          { kind: 'rule', fact: 'OU', holds: false, saw: { texts: ['Sales'] }, wants: { texts: ['ITOps'] } },
          { kind: 'rule', fact: 'O', holds: false, saw: { texts: [], count: 0 } },
        ],
      },
    },
    { of: 'route', holds: false },
  ]);
  t.match(explanation.checks.at(-1), {
    check: 'host_policy',
    passed: false,
    reason: 'policy_ou',
    detail: 'OU was `Sales`, the rule wants `ITOps`',
  });
  t.notOk(explanation.checks.some(({ check }) => check === 'route_policy'));
});

await t.test('an identity that is not proven satisfies no policy, whatever its rules say', async (t) => {
  const lax = hosts[2]!;
  const connection = connectionTo(lax, { judged: judgedUnder('l', untrusted), identity: itops });
  const { explanation } = explain(snapshot, connection, get('lax.test', '/admin/x'), now);
  t.match(explanation.policies, [{ of: 'route', holds: false, tree: { holds: true } }]);
  t.match(explanation.decision, { reason: 'policy_no_identity', status: 403 });
});

await t.test('names the hosts and routes that were not found, each with why', async (t) => {
  const { explanation } = explain(snapshot, connectionTo(hosts[1]!), get('optional.test', '/admin'), now);
  t.match(explanation.hosts, {
    found: { id: 'optional.test', by: 'its name `optional.test`' },
    others: [
      {
        id: 'open.test',
        matches: true,
        why: 'its name `*`, which is for all others covers it too, and a whole name goes first',
      },
      { id: 'require.test', matches: false, why: 'its name is `require.test`' },
      { id: 'lax.test', matches: false },
    ],
    more: 0,
  });
  const why = new Map(explanation.routes?.others.map((other) => [other.id, other]));
  t.match(explanation.routes?.found, { id: '/admin (Exact)', by: 'the whole path' });
  t.match(why.get('/admin (Prefix)'), { matches: true, why: 'a whole path goes first' });
  t.match(why.get('/ (Prefix)'), { matches: true });
  t.match(why.get('/office (Prefix)'), { matches: false, why: 'the path does not lie below it' });
  t.match(why.get('/old/(.*) (Regex)'), { matches: false });
  const near = explain(snapshot, connectionTo(hosts[1]!), get('optional.test', '/administer'), now);
  t.match(near.explanation.routes, {
    found: { id: '/ (Prefix)' },
    others: [
      { id: '/admin (Prefix)', matches: false, why: 'the path begins with it, but its segment goes on' },
      {},
      {},
      {},
      {},
    ],
  });
});

await t.test('stays bounded however many hosts and routes there are', async (t) => {
  const clientAuth = testHostAuth('off', '');
  const many = Array.from({ length: 500 }, (_, index) =>
    host(`h${index}.example.test`, [`h${index}.example.test`], {
      clientAuth,
      routes: createRouteTable(Array.from({ length: 500 }, (_, at) => testRoute('x', `/a${at}`))),
    }),
  );
  const big = testSnapshot(many, { limits: snapshot.limits });
  const connection = connectionTo(many[7]!, { identity: null });
  const { explanation } = explain(big, connection, get('h7.example.test', `/a7/${'x'.repeat(5000)}`), now);
  t.equal(explanation.hosts?.others.length, 8);
  t.equal(explanation.hosts?.more, 491);
  t.equal(explanation.routes?.others.length, 8);
  t.equal(explanation.routes?.more, 491);
  t.ok(JSON.stringify(explanation).length < 30_000);
});

await t.test('tells where canaries send the request, by whom and with what chance', async (t) => {
  const canary = (upstream: string, share: number, header: string | null = null) => ({
    upstream,
    share,
    cookie: null,
    header:
      header === null
        ? null
        : { name: header, judge: (value: string) => (value === 'always' ? ('always' as const) : null) },
  });
  const clientAuth = testHostAuth('off', '');
  const route = testRoute('c.test', '/', {
    upstream: 'site',
    canaries: [canary('one', 0.25, 'x-canary'), canary('two', 0.5)],
  });
  const one = host('c.test', ['c.test'], { clientAuth, routes: createRouteTable([route]) });
  const small = testSnapshot([one], { limits: snapshot.limits });
  const ask = (...headers: string[]) =>
    explain(small, connectionTo(one, { identity: null }), get('c.test', '/', ...headers), now).explanation
      .upstreamRequest;
  t.match(ask('X-Canary', 'always'), { destinations: [{ upstream: 'one', by: 'header', share: 1 }] });
  t.match(ask(), {
    destinations: [
      { upstream: 'one', by: 'weight', share: 0.25 },
      { upstream: 'two', by: 'weight', share: 0.5 },
      { upstream: 'site', by: 'weight', share: 0.25 },
    ],
  });
});

import { spawnSync } from 'node:child_process';
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import t from 'tap';
import { catalogue } from '../../src/observe/catalogue.ts';
import { maxBaselineHosts, Metrics, workerEnds } from '../../src/observe/metrics.ts';
import type { HandshakeEvent, RequestEvent } from '../../src/observe/observer.ts';
import { answers, connectionEnds, handshakeFailures, handshakeReasons } from '../../src/snapshot/reason.ts';
import { createAuthority } from '../support/pki.ts';
import type { Host } from '../../src/snapshot/snapshot.ts';
import { testHostAuth } from '../support/client-auth.ts';
import { needs } from '../support/program.ts';
import {
  find,
  forward,
  handshakeEvent,
  requestEvent,
  respond,
  rule,
  samplesOf,
  testHost,
  testRoute,
  testSnapshot,
  testUpstream,
  valueOf,
} from './fixture.ts';

const create = (): Metrics => new Metrics({ version: '1.2.3', process: false });

/** A metric of the page, by its declared name: a histogram's samples carry a suffix. */
const families = (page: string): Set<string> =>
  new Set(Array.from(page.matchAll(/^# TYPE (\S+) /gm), ([, name]) => name!));

void t.test('a request is counted once, by host, route, method and status', async (t) => {
  const metrics = create();
  const route = testRoute('a.test', '/api');
  const host = testHost('a.test', { routes: [route] });
  metrics.describeSnapshot(testSnapshot([host]));
  metrics.request(requestEvent(forward(host)));
  metrics.request(requestEvent(forward(host), { durationMs: 40 }));
  metrics.request(requestEvent(forward(host), { method: 'POST', status: 503, reason: 'upstream_none' }));
  const page = await metrics.render();
  const on = { host: 'a.test', route: route.id };
  t.equal(valueOf(page, 'mtls_requests_total', { ...on, method: 'GET', status: '200' }), 2);
  t.equal(valueOf(page, 'mtls_requests_total', { ...on, method: 'POST', status: '503' }), 1);
  t.equal(valueOf(page, 'mtls_request_duration_seconds_count', { ...on, status: '2xx' }), 2);
  t.equal(valueOf(page, 'mtls_request_duration_seconds_sum', { ...on, status: '2xx' }), 0.044);
  t.equal(valueOf(page, 'mtls_request_duration_seconds_bucket', { ...on, status: '2xx', le: '0.005' }), 1);
  t.equal(valueOf(page, 'mtls_refusals_total', { host: 'a.test', reason: 'upstream_none' }), 1);
  t.equal(valueOf(page, 'mtls_received_bytes_total', { host: 'a.test' }), 30);
  t.equal(valueOf(page, 'mtls_sent_bytes_total', { host: 'a.test' }), 600);
  t.equal(valueOf(page, 'mtls_upstream_duration_seconds_count', { upstream: 'backend' }), 3);
});

void t.test('who broke off midway is counted apart from what was refused', async (t) => {
  const metrics = create();
  const host = testHost('a.test');
  metrics.describeSnapshot(testSnapshot([host]));
  metrics.request(requestEvent(forward(host), { status: 0, reason: 'client_abort' }));
  metrics.request(requestEvent(forward(host), { reason: 'upstream_truncated' }));
  const page = await metrics.render();
  for (const reason of ['client_abort', 'upstream_truncated']) {
    t.equal(valueOf(page, 'mtls_requests_aborted_total', { host: 'a.test', reason }), 1);
  }
  t.equal(valueOf(page, 'mtls_requests_total', { host: 'a.test', status: '0' }), 1);
  t.ok(find(page, 'mtls_refusals_total').every(({ value }) => value === 0));
});

void t.test('every refusal reason stands at zero for every host from the start', async (t) => {
  const metrics = create();
  metrics.describeSnapshot(testSnapshot([testHost('a.test'), testHost('b.test')]));
  const page = await metrics.render();
  for (const host of ['a.test', 'b.test', '_']) {
    for (const reason of Object.keys(answers)) {
      t.equal(valueOf(page, 'mtls_refusals_total', { host, reason }), 0, `${host} ${reason}`);
    }
  }
});

void t.test(
  'every handshake reason stands at zero for every host and TLS version from the start',
  async (t) => {
    const metrics = create();
    metrics.describeSnapshot(testSnapshot([testHost('a.test'), testHost('b.test')]));
    const page = await metrics.render();
    const failures: readonly string[] = handshakeFailures;
    for (const host of ['a.test', 'b.test']) {
      for (const reason of handshakeReasons) {
        const result = reason === 'ok' ? 'accepted' : 'rejected';
        for (const tls_version of failures.includes(reason) ? ['none'] : ['TLSv1.2', 'TLSv1.3']) {
          const labels = { listener: 'https', host, reason, result, tls_version, resumed: 'false' };
          t.equal(valueOf(page, 'mtls_handshakes_total', labels), 0, JSON.stringify(labels));
        }
      }
    }
    for (const reason of failures) t.equal(valueOf(page, 'mtls_handshakes_total', { host: '_', reason }), 0);
  },
);

void t.test('handshakes at zero are those that the mode and the lowest TLS version allow', async (t) => {
  const reasonsOf = async (mode: 'off' | 'optional' | 'optional_no_ca'): Promise<Set<string>> => {
    const metrics = create();
    const host = testHost('a.test', { clientAuth: { mode } });
    metrics.describeSnapshot(testSnapshot([host], { minVersion: 'TLSv1.3' }));
    const samples = find(await metrics.render(), 'mtls_handshakes_total', { host: 'a.test' });
    t.ok(samples.every(({ labels }) => labels.tls_version !== 'TLSv1.2'));
    return new Set(samples.map(({ labels }) => `${labels.result} ${labels.reason}`));
  };
  t.notOk((await reasonsOf('off')).has('rejected expired'));
  t.ok((await reasonsOf('optional')).has('accepted no_certificate'));
  t.notOk((await reasonsOf('optional')).has('accepted untrusted'));
  t.ok((await reasonsOf('optional_no_ca')).has('accepted untrusted'));
});

void t.test(
  'policy decisions stand at zero for what each policy can answer, and say where it stands',
  async (t) => {
    const metrics = create();
    const open = testRoute('a.test', '/open');
    const guarded = testRoute('a.test', '/guarded', {
      policy: { kind: 'all', parts: [rule('policy_ou'), { kind: 'not', part: rule('policy_cn') }] },
    });
    const host = testHost('a.test', { routes: [open, guarded] });
    const strict = testHost('b.test', {
      policy: { kind: 'any', parts: [rule('policy_dns')] },
      routes: [testRoute('b.test', '/', { policy: rule('policy_uri') })],
    });
    metrics.describeSnapshot(testSnapshot([host, strict]));
    metrics.request(requestEvent(forward(host, guarded)));
    metrics.request(requestEvent(forward(host, open)));
    metrics.request(requestEvent(respond('policy_ou', host, guarded)));
    metrics.request(requestEvent(respond('policy_dns', strict)));
    const page = await metrics.render();
    const seen = find(page, 'mtls_policy_decisions_total').map(
      ({ labels: { route, policy, decision, reason }, value }) =>
        `${route} ${policy} ${decision} ${reason} ${value}`,
    );
    t.same(
      seen.sort(),
      [
        'a.test Prefix /guarded route allow ok 1',
        'a.test Prefix /guarded route deny policy_cn 0',
        'a.test Prefix /guarded route deny policy_no_identity 0',
        'a.test Prefix /guarded route deny policy_not 0',
        'a.test Prefix /guarded route deny policy_ou 1',
        '_ host deny policy_dns 1',
        '_ host deny policy_no_identity 0',
        '_ host deny policy_not 0',
        'b.test Prefix / both allow ok 0',
        'b.test Prefix / both deny policy_dns 0',
        'b.test Prefix / both deny policy_no_identity 0',
        'b.test Prefix / both deny policy_not 0',
        'b.test Prefix / both deny policy_uri 0',
      ].sort(),
    );
  },
);

void t.test(
  'no client can add a label: not by host, method, status, reason, cipher or listener',
  async (t) => {
    const metrics = create();
    const route = testRoute('a.test');
    const host = testHost('a.test', { routes: [route] });
    metrics.describeSnapshot(testSnapshot([host]));
    const hostile = fc.string({ unit: 'binary', minLength: 1 });
    const foreign = testHost('evil.test');
    const events = fc.record({
      text: hostile,
      status: fc.integer({ min: 0, max: 1100 }),
      kind: fc.constantFrom('known', 'foreign', 'none'),
    });
    fc.assert(
      fc.property(events, ({ text, status, kind }) => {
        const other = testHost(`${text}.evil`);
        const decision =
          kind === 'known'
            ? forward(host)
            : kind === 'foreign'
              ? forward(other)
              : respond('no_host', null, null, text);
        metrics.request(
          requestEvent(decision, {
            method: text,
            status,
            authority: text,
            target: text,
            userAgent: text,
            reason: text as RequestEvent['reason'],
            upstream: { upstream: text, endpoint: text, tries: 1, headMs: 1, status },
          }),
        );
        metrics.handshake(
          handshakeEvent({
            host: `?${text}`,
            reason: text as HandshakeEvent['reason'],
            tlsVersion: text,
            cipher: text,
            serverName: text,
          }),
        );
        metrics.connectionOpened(text);
        metrics.upstream({ kind: 'ejected', upstream: text, endpoint: text, forMs: 1 });
        metrics.upstream({ kind: 'unhealthy', upstream: 'backend', endpoint: text, detail: text });
      }),
      { numRuns: 500 },
    );
    metrics.request(requestEvent(forward(foreign)));
    const page = await metrics.render();
    const values = (label: string): Set<string> =>
      new Set(samplesOf(page).flatMap(({ labels }) => (label in labels ? [labels[label]!] : [])));
    assert.deepEqual([...values('host')].sort(), ['_', 'a.test']);
    assert.deepEqual([...values('route')].sort(), ['_', route.id]);
    assert.deepEqual([...values('upstream')].sort(), ['_', 'backend']);
    assert.deepEqual([...values('endpoint')], ['127.0.0.1:8000']);
    assert.deepEqual([...values('listener')].sort(), ['http', 'https', 'other']);
    t.ok(values('method').size <= 10);
    t.ok(values('status').size < 80);
    t.ok(values('cipher').size <= 65);
    const reasons = new Set<string>([...Object.keys(answers), ...handshakeReasons, 'client_abort']);
    for (const more of ['upstream_truncated', 'back_pressure', 'error', ...workerEnds, ...connectionEnds])
      reasons.add(more);
    for (const reason of values('reason')) t.ok(reasons.has(reason), JSON.stringify(reason));
  },
);

void t.test(
  'methods times statuses times routes end at a bound, and every request is still counted',
  async (t) => {
    const metrics = create();
    const routes = Array.from({ length: 60 }, (_, index) => testRoute('a.test', `/${index}`));
    const host = testHost('a.test', { routes });
    metrics.describeSnapshot(testSnapshot([host]));
    const methods = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'BREW'];
    let sent = 0;
    for (const route of routes) {
      for (const method of methods) {
        for (let status = 100; status < 600; status++) {
          metrics.request(requestEvent(forward(host, route), { method, status }));
          sent++;
        }
      }
    }
    const samples = find(await metrics.render(), 'mtls_requests_total');
    t.ok(samples.length <= 20_000 + 7 * routes.length, `${samples.length} series`);
    t.equal(
      samples.reduce((sum, { value }) => sum + value, 0),
      sent,
    );
  },
);

void t.test('a host, route or upstream that left the snapshot takes its series along', async (t) => {
  const metrics = create();
  const [gone, kept] = [testRoute('a.test', '/gone'), testRoute('a.test', '/kept')];
  const [a, b] = [testHost('a.test', { routes: [gone, kept] }), testHost('b.test')];
  const upstreams = new Map([
    ['backend', testUpstream('backend', ['127.0.0.1:1', '127.0.0.1:2'])],
    ['old', testUpstream('old', ['127.0.0.1:3'])],
  ]);
  metrics.describeSnapshot(testSnapshot([a, b], { upstreams }));
  for (const decision of [forward(a, gone), forward(a, kept), forward(b)]) {
    metrics.request(requestEvent(decision));
  }
  metrics.handshake(handshakeEvent({ host: 'b.test', resumed: true }));
  const after = testHost('a.test', { routes: [kept] });
  metrics.describeSnapshot(
    testSnapshot([after], { upstreams: new Map([['backend', testUpstream('backend', ['127.0.0.1:2'])]]) }),
  );
  // Requests that began before the reload end after it.
  metrics.request(requestEvent(forward(b)));
  metrics.request(requestEvent(respond('policy_cn', b)));
  metrics.request(requestEvent(forward(a, kept)));
  metrics.request(requestEvent(forward(a, gone)));
  metrics.handshake(handshakeEvent({ host: 'b.test' }));
  metrics.upstream({ kind: 'ejected', upstream: 'old', endpoint: '127.0.0.1:3', forMs: 1 });
  metrics.upstream({ kind: 'ejected', upstream: 'backend', endpoint: '127.0.0.1:1', forMs: 1 });
  const page = await metrics.render();
  t.notMatch(page, 'b.test');
  t.notMatch(page, '/gone');
  t.notMatch(page, '"old"');
  t.notMatch(page, '127.0.0.1:1"');
  t.equal(valueOf(page, 'mtls_requests_total', { host: 'a.test', route: kept.id }), 2, 'kept on counting');
  t.equal(valueOf(page, 'mtls_requests_total', { host: 'a.test', route: '_' }), 1, 'its route is gone');
  t.equal(valueOf(page, 'mtls_requests_total', { host: '_', status: '200' }), 1, 'its host is gone');
  t.equal(valueOf(page, 'mtls_policy_decisions_total', { host: '_', reason: 'policy_cn' }), 1);
  t.equal(valueOf(page, 'mtls_handshakes_total', { host: '_', reason: 'ok' }), 1);
  metrics.describeSnapshot(testSnapshot([after, b]));
  const back = await metrics.render();
  t.equal(valueOf(back, 'mtls_refusals_total', { host: 'b.test', reason: 'policy_cn' }), 0);
  t.same(find(back, 'mtls_requests_total', { host: 'b.test' }), [], 'a host that comes back starts anew');
});

void t.test('policy series follow the place of the policy', async (t) => {
  const metrics = create();
  const at = async (host: ReturnType<typeof testHost>): Promise<string[]> => {
    metrics.describeSnapshot(testSnapshot([host]));
    metrics.request(requestEvent(forward(host)));
    const found = find(await metrics.render(), 'mtls_policy_decisions_total', { decision: 'allow' });
    return found.map(({ labels, value }) => `${labels.policy} ${value}`);
  };
  const guarded = testRoute('a.test', '/', { policy: rule('policy_ou') });
  t.same(await at(testHost('a.test', { routes: [guarded] })), ['route 1']);
  t.same(await at(testHost('a.test', { routes: [guarded] })), ['route 2']);
  t.same(await at(testHost('a.test', { routes: [guarded], policy: rule('policy_cn') })), ['both 1']);
  t.same(await at(testHost('a.test')), []);
});

void t.test('with very many hosts the page keeps to what has happened', async (t) => {
  const many = Array.from({ length: maxBaselineHosts + 1 }, (_, index) => testHost(`h${index}.test`));
  const metrics = create();
  metrics.describeSnapshot(testSnapshot(many));
  metrics.request(requestEvent(respond('expired', many[7]!)));
  const page = await metrics.render();
  t.same(
    find(page, 'mtls_refusals_total', { host: 'h7.test' }).map(({ labels }) => labels.reason),
    ['expired'],
  );
  t.equal(find(page, 'mtls_refusals_total', { host: '_' }).length, Object.keys(answers).length);
  t.ok(page.length < 100_000, `${page.length} bytes`);
  const full = create();
  full.describeSnapshot(testSnapshot(many.slice(1)));
  const fullPage = await full.render();
  t.equal(find(fullPage, 'mtls_refusals_total', { host: 'h7.test' }).length, Object.keys(answers).length);
  t.ok(fullPage.length < 2_000_000, `${fullPage.length} bytes`);
});

void t.test(
  'endpoints count as healthy until told otherwise, and their state lives as long as their pool',
  async (t) => {
    const metrics = create();
    const host = testHost('a.test');
    const snapshot = (key: string): ReturnType<typeof testSnapshot> =>
      testSnapshot([host], {
        upstreams: new Map([['backend', testUpstream('backend', ['e:1', 'e:2'], key)]]),
      });
    const state = async (): Promise<number[]> => {
      const page = await metrics.render();
      return ['mtls_upstream_endpoint_healthy', 'mtls_upstream_endpoint_ejected'].flatMap((name) =>
        ['e:1', 'e:2'].map((endpoint) => valueOf(page, name, { upstream: 'backend', endpoint })),
      );
    };
    metrics.describeSnapshot(snapshot('one'));
    t.same(await state(), [1, 1, 0, 0]);
    metrics.upstream({ kind: 'unhealthy', upstream: 'backend', endpoint: 'e:1', detail: '500' });
    metrics.upstream({ kind: 'ejected', upstream: 'backend', endpoint: 'e:2', forMs: 1000 });
    metrics.upstream({ kind: 'retry', upstream: 'backend', endpoint: 'e:1', detail: 'refused' });
    t.same(await state(), [0, 1, 0, 1]);
    metrics.describeSnapshot(snapshot('one'));
    t.same(await state(), [0, 1, 0, 1], 'the same pool');
    metrics.describeSnapshot(snapshot('two'));
    t.same(await state(), [1, 1, 0, 0], 'a new pool');
    metrics.upstream({ kind: 'unhealthy', upstream: 'backend', endpoint: 'e:1', detail: '500' });
    metrics.upstream({ kind: 'healthy', upstream: 'backend', endpoint: 'e:1', detail: '200' });
    metrics.upstream({ kind: 'ejected', upstream: 'backend', endpoint: 'e:2', forMs: 1000 });
    metrics.upstream({ kind: 'readmitted', upstream: 'backend', endpoint: 'e:2' });
    t.same(await state(), [1, 1, 0, 0]);
    const page = await metrics.render();
    t.equal(valueOf(page, 'mtls_upstream_ejections_total', { endpoint: 'e:2' }), 2);
    t.equal(valueOf(page, 'mtls_upstream_retries_total', { upstream: 'backend' }), 1);
  },
);

void t.test('reloads, connections, dropped lines and the version in force are on the page', async (t) => {
  let now = 5000;
  const metrics = new Metrics({ version: '1.2.3', process: false, now: () => now });
  metrics.describeSnapshot(
    testSnapshot([testHost('a.test')], { version: `${'0'.repeat(10)}ff${'1'.repeat(52)}` }),
  );
  metrics.reload({ result: 'success', version: 'x', problems: [] });
  now = 9000;
  metrics.reload({ result: 'failure', version: null, problems: ['bad'] });
  for (const listener of ['https', 'https', 'http']) metrics.connectionOpened(listener);
  metrics.connectionClosed('https');
  metrics.logLineDropped('back_pressure');
  metrics.observerFailed();
  const page = await metrics.render();
  t.equal(valueOf(page, 'mtls_reload_total', { result: 'success' }), 1);
  t.equal(valueOf(page, 'mtls_reload_total', { result: 'failure' }), 1);
  t.equal(valueOf(page, 'mtls_config_last_reload_successful'), 0);
  t.equal(valueOf(page, 'mtls_config_last_reload_successful_timestamp_seconds'), 5);
  t.equal(valueOf(page, 'mtls_config_hash'), 255);
  t.equal(valueOf(page, 'mtls_config_hosts'), 1);
  t.equal(valueOf(page, 'mtls_open_connections', { listener: 'https' }), 1);
  t.equal(valueOf(page, 'mtls_connections_total', { listener: 'https' }), 2);
  t.equal(valueOf(page, 'mtls_log_lines_dropped_total', { reason: 'back_pressure' }), 1);
  t.equal(valueOf(page, 'mtls_observer_errors_total'), 1);
  t.equal(valueOf(page, 'mtls_build_info', { version: '1.2.3', node: process.versions.node }), 1);
  metrics.describeSnapshot(testSnapshot([testHost('a.test')], { version: 'f'.repeat(64) }));
  const after = await metrics.render();
  t.equal(valueOf(after, 'mtls_config_info', { version: 'f'.repeat(64) }), 1, 'one version at a time');
  t.equal(find(after, 'mtls_config_info').length, 1);
});

void t.test('promtool accepts the page with a sample in every metric', needs('promtool'), async (t) => {
  const ca = await createAuthority({ cn: 'Root "quoted" \\ ünicode' });
  const server = await ca.issue({ cn: 'a.test', hosts: ['a.test'], usage: 'server' });
  const metrics = new Metrics({ version: '1.2.3' });
  const host = testHost('a.test', {
    certificate: { cert: server.cert, key: server.key },
    clientAuth: { ca: ca.cert, crl: ca.crl({ revoked: [] }) },
    policy: rule('policy_ou'),
    routes: [testRoute('a.test', '/"odd"\\path')],
  });
  const ocsp = { mode: 'soft', responder: null, timeoutMs: 1, maxAgeMs: 1 } as const;
  const asking: Host = {
    ...testHost('b.test', { stapling: { kind: 'fetched' } }),
    clientAuth: testHostAuth('require', 'trust of b', { ocsp }),
  };
  metrics.describeSnapshot(testSnapshot([host, asking]));
  metrics.handshake(handshakeEvent({ resumed: true }));
  metrics.request(requestEvent(forward(host)));
  metrics.request(requestEvent(forward(host), { status: 0, reason: 'client_abort' }));
  metrics.request(requestEvent(respond('policy_ou', host)));
  const wouldDeny = {
    check: 'host_policy',
    reason: 'policy_ou',
    status: 403,
    detail: null,
    unverified: false,
  } as const;
  metrics.request(requestEvent({ ...forward(host), wouldDeny }));
  metrics.upstream({ kind: 'ejected', upstream: 'backend', endpoint: '127.0.0.1:8000', forMs: 1 });
  metrics.kubernetesFailing(1);
  metrics.webhookKept(true);
  const page = await metrics.render();
  for (const { name } of Object.values(catalogue)) t.ok(families(page).has(name), name);
  t.ok(families(page).has('process_cpu_seconds_total'));
  t.ok(families(page).has('nodejs_eventloop_lag_p99_seconds'));
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
    input: page,
    encoding: 'utf8',
  });
  t.equal(`${stdout}${stderr}`, '');
  t.equal(status, 0);
});

void t.test('the catalogue declares each name once, and its labels and buckets well', (t) => {
  const names = Object.values(catalogue).map(({ name }) => name);
  t.equal(new Set(names).size, names.length);
  for (const declaration of Object.values(catalogue)) {
    t.match(declaration.name, /^mtls_[a-z0-9_]+$/);
    t.equal(declaration.name.endsWith('_total'), declaration.type === 'counter', declaration.name);
    t.equal(new Set<string>(declaration.labels).size, declaration.labels.length);
    if (declaration.type !== 'histogram') continue;
    t.same(
      declaration.buckets,
      declaration.buckets.toSorted((one, two) => one - two),
    );
  }
  t.end();
});

void t.test('a snapshot that keeps most of its objects leaves the page that it would alone', async (t) => {
  const ca = (await createAuthority({ cn: 'Root' })).cert;
  const other = (await createAuthority({ cn: 'Other' })).cert;
  const host = (id: string, paths: readonly string[], authority = ca): Host =>
    testHost(id, {
      clientAuth: { ca: authority, key: authority },
      routes: paths.map((path) => testRoute(id, path)),
    });
  const hosts = Array.from({ length: maxBaselineHosts + 5 }, (_, index) =>
    host(`h${index}.test`, ['/', '/a']),
  );
  const upstreams = (...all: (readonly [string, readonly string[]])[]) =>
    new Map(all.map(([name, endpoints]) => [name, testUpstream(name, endpoints)]));
  const before = upstreams(['same', ['a:1']], ['gone', ['b:1']], ['changed', ['c:1', 'd:1']]);
  const after = upstreams(['changed', ['d:1', 'e:1']], ['added', ['f:1']]);
  after.set('same', before.get('same')!);
  const metrics = create();
  metrics.describeSnapshot(testSnapshot(hosts, { upstreams: before }));
  for (const one of hosts.slice(0, 4)) metrics.request(requestEvent(forward(one)));
  const [, , third, ...rest] = hosts;
  const next = [host('h0.test', ['/a', '/b'], other), host('new.test', ['/']), third!, ...rest];
  metrics.describeSnapshot(testSnapshot(next, { upstreams: after }));
  const alone = create();
  alone.describeSnapshot(testSnapshot(next, { upstreams: after }));
  const page = await metrics.render();
  // What was counted of hosts and upstreams that are still there stays, and nothing else is more than alone.
  const series = (text: string): string[] =>
    text
      .split('\n')
      .map((line) => line.replace(/ \S+$/, ''))
      .filter((line) => !/^(?:#|mtls_requests_total|mtls_request_duration|\w+\{upstream="_")/.test(line))
      .sort();
  t.same(series(page), series(await alone.render()));
  t.equal(
    valueOf(page, 'mtls_received_bytes_total', { host: 'h0.test' }),
    10,
    'a host that changed counts on',
  );
  t.match(page, /mtls_requests_total\{host="h2\.test"/, 'so does one that did not');
  t.notMatch(page, /"h1\.test"/, 'nothing is left of one that is gone');
  t.notMatch(page, /mtls_requests_total\{host="h0\.test",route="h0\.test Prefix \/"/, 'nor of its routes');
  metrics.request(requestEvent(forward(third!)));
  t.equal(
    valueOf(await metrics.render(), 'mtls_requests_total', { host: 'h2.test', method: 'GET', status: '200' }),
    2,
  );
});

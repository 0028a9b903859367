import { spawnSync } from 'node:child_process';
import t from 'tap';
import { Metrics } from '../../src/observe/metrics.ts';
import { needs } from '../support/program.ts';
import { handshakeEvent, requestEvent, forward, testHost, testSnapshot, valueOf } from './fixture.ts';

const host = testHost('a.test');
const make = (process = false): Metrics => {
  const metrics = new Metrics({ version: '1.2.3', process, now: () => 1_700_000_000_000 });
  metrics.describeSnapshot(testSnapshot([host]));
  return metrics;
};
const labels = { host: 'a.test', route: 'a.test Prefix /', method: 'GET', status: '200' };

void t.test('the page of a supervisor is the sum of its workers, and changes none of them', async (t) => {
  const [supervisor, one, two] = [make(), make(), make()];
  one.request(requestEvent(forward(host)));
  for (let index = 0; index < 3; index++) two.request(requestEvent(forward(host)));
  one.connectionOpened('https');
  two.connectionOpened('https');
  two.connectionOpened('https');
  two.connectionClosed('https');
  const before = await supervisor.render();
  const page = await supervisor.renderWith([await one.state(), await two.state()]);
  t.equal(valueOf(page, 'mtls_requests_total', labels), 4);
  t.equal(valueOf(page, 'mtls_request_duration_seconds_count', { host: 'a.test', status: '2xx' }), 4);
  t.equal(valueOf(page, 'mtls_open_connections', { listener: 'https' }), 2);
  t.equal(valueOf(page, 'mtls_connections_total', { listener: 'https' }), 3);
  const own = (text: string): string[] => text.split('\n').filter((line) => !line.includes('event_loop'));
  t.same(own(await supervisor.render()), own(before), 'folding leaves the supervisor as it was');
});

void t.test('an endpoint is healthy only if it is so to every worker', async (t) => {
  const [supervisor, one, two] = [make(), make(), make()];
  one.upstream({ kind: 'unhealthy', upstream: 'backend', endpoint: '127.0.0.1:8000', detail: 'no' });
  two.upstream({ kind: 'ejected', upstream: 'backend', endpoint: '127.0.0.1:8000', forMs: 1 });
  const page = await supervisor.renderWith([await one.state(), await two.state()]);
  const endpoint = { upstream: 'backend', endpoint: '127.0.0.1:8000' };
  t.equal(valueOf(page, 'mtls_upstream_endpoint_healthy', endpoint), 0);
  t.equal(valueOf(page, 'mtls_upstream_endpoint_ejected', endpoint), 1);
});

void t.test('a reload counts once, as the supervisor saw it', async (t) => {
  const [supervisor, worker] = [make(), make()];
  for (const metrics of [supervisor, worker])
    metrics.reload({ result: 'success', version: 'x', problems: [] });
  supervisor.reload({ result: 'failure', version: null, problems: [] });
  const page = await supervisor.renderWith([await worker.state()]);
  t.equal(valueOf(page, 'mtls_reload_total', { result: 'success' }), 1);
  t.equal(valueOf(page, 'mtls_reload_total', { result: 'failure' }), 1);
  t.equal(valueOf(page, 'mtls_config_last_reload_successful'), 0);
});

void t.test(
  'what a worker had counted is kept when it is gone, and how things stood with it is not',
  async (t) => {
    const [supervisor, one, two] = [make(true), make(true), make(true)];
    one.connectionOpened('https');
    one.handshake(handshakeEvent());
    two.handshake(handshakeEvent());
    const both = await supervisor.renderWith([await one.state(), await two.state()]);
    supervisor.inherit(await one.state());
    const page = await supervisor.renderWith([await two.state()]);
    t.equal(valueOf(page, 'mtls_connections_total', { listener: 'https' }), 1);
    t.equal(valueOf(page, 'mtls_open_connections', { listener: 'https' }), 0);
    for (const name of ['mtls_handshake_duration_seconds_count', 'process_cpu_seconds_total']) {
      t.ok(valueOf(page, name) > 0, name);
      t.ok(valueOf(page, name) >= valueOf(both, name), `${name} does not go back`);
    }
  },
);

void t.test('a host that left takes what dead workers had counted for it along', async (t) => {
  const [supervisor, worker] = [make(), make()];
  worker.request(requestEvent(forward(host)));
  supervisor.inherit(await worker.state());
  t.match(await supervisor.renderWith([]), 'mtls_requests_total{host="a.test"');
  supervisor.describeSnapshot(testSnapshot([testHost('b.test')]));
  t.notMatch(await supervisor.renderWith([]), 'a.test');
});

void t.test('promtool accepts the page of many processes', needs('promtool'), async (t) => {
  const [supervisor, one, two] = [make(true), make(true), make(true)];
  one.handshake(handshakeEvent({ resumed: true }));
  two.request(requestEvent(forward(host)));
  supervisor.inherit(await one.state());
  const input = await supervisor.renderWith([await one.state(), await two.state()]);
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input, encoding: 'utf8' });
  t.equal(`${stdout}${stderr}`, '');
  t.equal(status, 0);
});

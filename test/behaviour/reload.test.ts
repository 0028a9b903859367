import { once } from 'node:events';
import { Agent, get } from 'node:https';
import t from 'tap';
import { openTls, parseAnswer, request } from '../support/client.ts';
import { createAuthority } from '../support/pki.ts';
import { completeConfig, startBackend, startProxy, type PartialConfig } from '../support/proxy.ts';

const root = await createAuthority({ cn: 'Root A' });
const other = await createAuthority({ cn: 'Root B' });
const client = await root.issue({ ou: 'ITOps', cn: 'roshankhatri' });
const newcomer = await other.issue({ ou: 'ITOps', cn: 'newcomer' });
const server = await root.issue({ cn: 'server', hosts: ['a.test'], usage: 'server' });
const material = { 'server.pem': server.bundle, 'server.key': server.key, 'ca.pem': root.cert };

function configFor(endpoint: string, ou = 'ITOps'): PartialConfig {
  return {
    hosts: [
      {
        names: ['a.test'],
        certificate: { cert: 'server.pem', key: 'server.key' },
        clientAuth: { mode: 'require', ca: 'ca.pem' },
        routes: [{ path: '/', upstream: 'backend', policy: { ou } }],
      },
    ],
    upstreams: { backend: { endpoints: [endpoint] } },
  };
}

await t.test('a changed policy holds for the next request, on connections that are open too', async (t) => {
  const backend = await startBackend(t);
  const proxy = await startProxy(t, configFor(backend.endpoint), material);
  const agent = new Agent({
    keepAlive: true,
    maxSockets: 1,
    cert: client.bundle,
    key: client.key,
    rejectUnauthorized: false,
  });
  t.teardown(() => agent.destroy());
  const status = async (): Promise<number | undefined> => {
    const headers = { host: 'a.test' };
    const [response] = await once(
      get({ host: '127.0.0.1', port: proxy.port, servername: 'a.test', headers, agent }),
      'response',
    );
    response.resume();
    await once(response, 'end');
    return response.statusCode;
  };
  t.equal(await status(), 200);
  proxy.source.set(completeConfig(configFor(backend.endpoint, 'Sales')), material);
  await proxy.app.reload();
  t.equal(await status(), 403);
});

await t.test(
  'reload-new-ca-ends-old-trust: an open connection of the old trust store is misdirected',
  async (t) => {
    const backend = await startBackend(t);
    const proxy = await startProxy(t, configFor(backend.endpoint), material);
    const socket = await openTls({ port: proxy.port, serverName: 'a.test', certificate: client });
    proxy.source.set(completeConfig(configFor(backend.endpoint)), { ...material, 'ca.pem': other.cert });
    await proxy.app.reload();
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.write('GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n');
    await once(socket, 'close');
    t.equal(parseAnswer(Buffer.concat(chunks).toString()).status, 421);
    const before = await request({
      port: proxy.port,
      serverName: 'a.test',
      host: 'a.test',
      certificate: client,
    });
    t.equal(before.status, 400, 'the old CA is no longer trusted');
    const after = await request({
      port: proxy.port,
      serverName: 'a.test',
      host: 'a.test',
      certificate: newcomer,
    });
    t.equal(after.status, 200, 'the new one is');
  },
);

const broken: Record<string, Partial<typeof material>> = {
  'reload-broken-ca-keeps-old': {
    'ca.pem': '-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n',
  },
  'reload-empty-ca-keeps-old': { 'ca.pem': '\n' },
  'reload-broken-key-keeps-old': { 'server.key': 'no key' },
  'reload-other-key-keeps-old': { 'server.key': client.key },
};
for (const [name, change] of Object.entries(broken)) {
  await t.test(name, async (t) => {
    const backend = await startBackend(t);
    const proxy = await startProxy(t, configFor(backend.endpoint), material);
    proxy.source.set(completeConfig(configFor(backend.endpoint, 'Sales')), { ...material, ...change });
    const { version } = proxy.app.snapshot;
    await proxy.app.reload();
    t.equal(proxy.app.snapshot.version, version, 'the old snapshot stays');
    const good = await request({
      port: proxy.port,
      serverName: 'a.test',
      host: 'a.test',
      certificate: client,
    });
    t.equal(good.status, 200);
    const nobody = await request({ port: proxy.port, serverName: 'a.test', host: 'a.test' });
    t.equal(nobody.status, 400, 'and its checks with it');
    const metrics = await proxy.metrics();
    t.match(metrics, /mtls_reload_total\{result="failure"\} 1/);
    t.match(metrics, /mtls_config_last_reload_successful 0/);
    proxy.source.set(completeConfig(configFor(backend.endpoint)), material);
    await proxy.app.reload();
    t.match(await proxy.metrics(), /mtls_config_last_reload_successful 1/, 'mended, it is taken');
  });
}

await t.test('a source that cannot be read keeps the old snapshot and logs every problem', async (t) => {
  const backend = await startBackend(t);
  const proxy = await startProxy(t, configFor(backend.endpoint), material);
  proxy.source.fail('a.yaml:3:5 /hosts is missing', 'a.yaml:9:1 /tsl is unknown');
  await proxy.app.reload();
  const good = await request({ port: proxy.port, serverName: 'a.test', host: 'a.test', certificate: client });
  t.equal(good.status, 200);
  const log = JSON.stringify(proxy.log);
  t.match(log, 'a.yaml:3:5 /hosts is missing');
  t.match(log, 'a.yaml:9:1 /tsl is unknown');
});

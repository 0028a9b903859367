import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { Agent, get } from 'node:https';
import t from 'tap';
import type { Test } from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import { request } from '../support/client.ts';
import { createAuthority } from '../support/pki.ts';
import { completeConfig, startBackend, startProxy, type PartialConfig } from '../support/proxy.ts';

const root = await createAuthority({ cn: 'Root' });
const client = await root.issue({ ou: 'ITOps', cn: 'roshankhatri' });
const colleague = await root.issue({ ou: 'ITOps', cn: 'colleague' });
const server = await root.issue({ cn: 'server', hosts: ['a.test', 'public.test'], usage: 'server' });
const certificate = { cert: 'server.pem', key: 'server.key' };

const material = (denied: string) => ({
  'server.pem': server.bundle,
  'server.key': server.key,
  'ca.pem': root.cert,
  'denied.yaml': denied,
});

const configFor = (endpoint: string): PartialConfig => ({
  denyList: 'denied.yaml',
  hosts: [
    {
      names: ['a.test'],
      certificate,
      clientAuth: { mode: 'optional', ca: 'ca.pem' },
      routes: [{ path: '/', upstream: 'backend' }],
    },
    { names: ['public.test'], certificate, routes: [{ path: '/', upstream: 'backend' }] },
  ],
  upstreams: { backend: { endpoints: [endpoint] } },
});

async function start(t: Test, denied: string) {
  const backend = await startBackend(t);
  const config = configFor(backend.endpoint);
  const proxy = await startProxy(t, config, material(denied));
  const reload = async (text: string): Promise<void> => {
    proxy.source.set(completeConfig(config), material(text));
    await proxy.app.reload();
  };
  return { backend, proxy, reload };
}

await t.test('denied-client-next-request-fails, on an open connection, after a reload alone', async (t) => {
  const { proxy, reload, backend } = await start(t, '[]');
  const agent = new Agent({
    keepAlive: true,
    maxSockets: 1,
    cert: client.bundle,
    key: client.key,
    rejectUnauthorized: false,
  });
  t.teardown(() => agent.destroy());
  const ask = async (): Promise<{ status: number | undefined; reused: boolean }> => {
    const headers = { host: 'a.test' };
    const options = { host: '127.0.0.1', port: proxy.port, servername: 'a.test', headers, agent };
    const asked = get(options);
    const [response] = await once(asked, 'response');
    response.resume();
    await once(response, 'end');
    return { status: response.statusCode, reused: asked.reusedSocket };
  };
  t.match(await ask(), { status: 200 });
  await reload(`- serial: '${client.serial}'\n  issuer: CN=Root`);
  t.match(await ask(), { status: 403, reused: true }, 'the connection from before');
  t.match(await ask(), { status: 403, reused: false }, 'and the next one');
  t.equal(backend.seen.length, 1);
  const port = proxy.port;
  const on = (who: typeof client | null, host = 'a.test') =>
    request({ port, serverName: host, host, certificate: who });
  const denied = await on(client);
  t.equal(denied.body.includes('deny list'), false, 'the client is not told why');
  t.match(JSON.stringify(proxy.log), 'entry 1 of the deny list');
  t.match(await proxy.metrics(), /mtls_refusals_total\{host="a.test",reason="denied"\} 3/);
  t.equal((await on(colleague)).status, 200, 'others are served');
  t.equal((await on(null)).status, 200);
  t.equal((await on(client, 'public.test')).status, 200, 'where no certificate is shown, nobody is known');
  await reload('[]');
  t.equal((await on(client)).status, 200, 'taken off the list');
});

await t.test('reload-broken-deny-list-keeps-old', async (t) => {
  const { proxy, reload } = await start(t, '- cn: roshankhatri');
  const status = async (): Promise<number> =>
    (await request({ port: proxy.port, serverName: 'a.test', host: 'a.test', certificate: client })).status;
  t.equal(await status(), 403);
  for (const broken of ['', '# nobody', '- cn: [x', '- serail: 01', '- cn: []']) {
    await reload(broken);
    t.equal(await status(), 403, broken);
    t.match(await proxy.metrics(), /mtls_config_last_reload_successful 0/);
  }
});

await t.test('denied-client-tunnel-ends: at the reload, and others live on', async (t) => {
  const { proxy, reload, backend } = await start(t, '[]');
  const sockets = new WebSocketServer({ server: backend.server });
  t.teardown(() => sockets.close());
  sockets.on('connection', (socket) => {
    socket.on('message', (data, binary) => socket.send(data, { binary }));
  });
  const open = async ({ bundle, key }: typeof client): Promise<WebSocket> => {
    const tls = { servername: 'a.test', rejectUnauthorized: false, cert: bundle, key };
    const headers = { host: 'a.test' };
    const socket = new WebSocket(`wss://127.0.0.1:${proxy.port}/chat`, { ...tls, headers });
    t.teardown(() => socket.terminate());
    await once(socket, 'open');
    return socket;
  };
  const [ended, kept] = [await open(client), await open(colleague)];
  const closed = once(ended, 'close');
  await reload(`- fingerprint: '${new X509Certificate(client.cert).fingerprint256}'`);
  await closed;
  kept.send('still here');
  t.equal(String((await once(kept, 'message'))[0]), 'still here');
});

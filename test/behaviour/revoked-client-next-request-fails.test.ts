import { createPrivateKey } from 'node:crypto';
import { once } from 'node:events';
import { Agent, get } from 'node:https';
import t from 'tap';
import type { Test } from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import type { HostConfig } from '../../src/config/schema.ts';
import { request } from '../support/client.ts';
import { createAuthority, type Issued } from '../support/pki.ts';
import {
  completeConfig,
  startBackend,
  startProxy,
  type PartialConfig,
  type Proxy,
} from '../support/proxy.ts';
import { visit } from '../support/session.ts';

const day = 86_400_000;
const versions = ['TLSv1.2', 'TLSv1.3'] as const;
type ClientAuth = NonNullable<HostConfig['clientAuth']>;

const root = await createAuthority({ cn: 'Root' });
const intermediate = await createAuthority({ cn: 'Int', parent: root });
const client = await intermediate.issue({ ou: 'ITOps', cn: 'roshankhatri' });
const colleague = await intermediate.issue({ ou: 'ITOps', cn: 'colleague' });
const foreign = await createAuthority({ cn: 'Foreign' });
const stranger = await foreign.issue({ cn: 'stranger' });
const server = await root.issue({ cn: 'server', hosts: ['a.test'], usage: 'server' });

const nobody = root.crl() + intermediate.crl();
const clientRevoked = root.crl() + intermediate.crl({ revoked: [client] });
const intermediateRevoked = root.crl({ revoked: [intermediate.serial] }) + intermediate.crl();
const late = (days = 1, revoked: readonly Issued[] = []): string =>
  root.crl() +
  intermediate.crl({ revoked, thisUpdate: Date.now() - 30 * day, nextUpdate: Date.now() - days * day });

interface Setup {
  readonly crl: string;
  /** False: at first the host has none. */
  readonly hadCrl?: boolean;
  readonly clientAuth?: Partial<ClientAuth>;
  readonly files?: Readonly<Record<string, string>>;
  readonly routes?: (route: HostConfig['routes'][number]) => HostConfig['routes'];
}

async function start(t: Test, { crl, hadCrl = true, clientAuth = {}, files = {}, routes }: Setup) {
  const backend = await startBackend(t, (request, response) => {
    response.end(String(request.headers['ssl-client-verify'] ?? 'no header'));
  });
  const route = { path: '/', upstream: 'backend' };
  const configWith = (changes: Partial<ClientAuth>, hasCrl = true): PartialConfig => ({
    hosts: [
      {
        names: ['a.test'],
        certificate: { cert: 'server.pem', key: 'server.key' },
        clientAuth: {
          mode: 'require',
          ca: 'ca.pem',
          ...(hasCrl ? { crl: 'crl.pem' } : {}),
          ...clientAuth,
          ...changes,
        },
        routes: routes?.(route) ?? [route],
      },
    ],
    upstreams: { backend: { endpoints: [backend.endpoint] } },
  });
  const material = (text: string) => ({
    'server.pem': server.bundle,
    'server.key': server.key,
    'ca.pem': root.cert,
    'crl.pem': text,
    ...files,
  });
  const proxy = await startProxy(t, configWith({}, hadCrl), material(crl));
  const reload = async (text: string, changes: Partial<ClientAuth> = {}): Promise<void> => {
    proxy.source.set(completeConfig(configWith(changes)), material(text));
    await proxy.app.reload();
  };
  const ask = async (certificate: Issued | null = client, path = '/') =>
    request({ port: proxy.port, serverName: 'a.test', host: 'a.test', certificate, path });
  return { backend, proxy, reload, ask };
}

const logged = (proxy: Proxy): string => JSON.stringify(proxy.log);

await t.test('revoked-client-next-request-fails, on an open connection, after a reload alone', async (t) => {
  const { proxy, reload, backend, ask } = await start(t, { crl: nobody });
  const identity = { cert: client.bundle, key: client.key };
  const agent = new Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false, ...identity });
  t.teardown(() => agent.destroy());
  const again = async (): Promise<{ status: number | undefined; reused: boolean }> => {
    const where = { host: '127.0.0.1', port: proxy.port, servername: 'a.test' };
    const asked = get({ ...where, headers: { host: 'a.test' }, agent });
    const [response] = await once(asked, 'response');
    response.resume();
    await once(response, 'end');
    return { status: response.statusCode, reused: asked.reusedSocket };
  };
  t.match(await again(), { status: 200, reused: false });
  t.match(await again(), { status: 200, reused: true });
  await reload(root.crl() + intermediate.crl());
  t.match(await again(), { status: 200, reused: true }, 'a new CRL costs nobody a handshake');
  await reload(clientRevoked);
  t.match(await again(), { status: 400, reused: true }, 'the connection from before');
  t.match(await again(), { status: 400, reused: false }, 'and the next one');
  t.equal(backend.seen.length, 3);
  t.match((await ask()).body, 'The SSL certificate error');
  t.match(logged(proxy), `certificate revoked: serial number ${client.serial} of CN=Int`);
  t.match(await proxy.metrics(), /mtls_refusals_total\{host="a.test",reason="revoked"\} 3/);
  t.match(
    await proxy.metrics(),
    /mtls_handshakes_total\{[^}]*host="a.test",[^}]*result="rejected",reason="revoked"[^}]*\} [12]/,
  );
  t.equal((await ask(colleague)).status, 200, 'others are served');
  await reload(nobody);
  t.equal((await ask()).status, 200, 'off the list again');
});

await t.test('revoked-client-tunnel-ends: at the reload, and others live on', async (t) => {
  const { proxy, reload, backend } = await start(t, { crl: nobody });
  const sockets = new WebSocketServer({ server: backend.server });
  t.teardown(() => sockets.close());
  sockets.on('connection', (socket) => {
    socket.on('message', (data, binary) => socket.send(data, { binary }));
  });
  const open = async ({ bundle, key }: Issued): Promise<WebSocket> => {
    const tls = { servername: 'a.test', rejectUnauthorized: false, cert: bundle, key };
    const socket = new WebSocket(`wss://127.0.0.1:${proxy.port}/chat`, {
      ...tls,
      headers: { host: 'a.test' },
    });
    t.teardown(() => socket.terminate());
    await once(socket, 'open');
    return socket;
  };
  const [ended, kept] = [await open(client), await open(colleague)];
  const closed = once(ended, 'close');
  await reload(clientRevoked);
  await closed;
  kept.send('still here');
  t.equal(String((await once(kept, 'message'))[0]), 'still here');
});

for (const version of versions) {
  const at = (proxy: Proxy) => ({ port: proxy.port, serverName: 'a.test', version });

  await t.test(`${version}: revoked-client-session-resumes-to-a-refusal`, async (t) => {
    const { proxy, reload, backend } = await start(t, { crl: nobody });
    const first = await visit({ ...at(proxy), certificate: client });
    t.match(first, { status: 200, resumed: false });
    const session = first.sessions.at(-1)!;
    t.match(
      await visit(at(proxy), session),
      { status: 200, resumed: true },
      'judged by what it was proven with',
    );
    await reload(clientRevoked);
    t.match(await visit(at(proxy), first.sessions[0]), { status: 400, resumed: true });
    t.equal(backend.seen.length, 2);
    await reload(intermediateRevoked);
    const other = await visit({ ...at(proxy), certificate: client });
    t.match(other, { status: 400 }, 'a revoked intermediate');
  });

  await t.test(`${version}: a session from before there was a CRL is judged by it`, async (t) => {
    const { proxy, reload } = await start(t, { crl: nobody, hadCrl: false });
    const first = await visit({ ...at(proxy), certificate: client });
    await reload(intermediateRevoked);
    t.match(await visit(at(proxy), first.sessions[0]), { status: 400, resumed: true });
    t.match(logged(proxy), `certificate revoked: serial number ${intermediate.serial} of CN=Root`);
  });

  await t.test(`${version}: strict ends the connection of a revoked client, and counts why`, async (t) => {
    const { proxy, reload, backend } = await start(t, { crl: nobody, clientAuth: { strict: true } });
    const first = await visit({ ...at(proxy), certificate: client });
    t.equal(first.status, 200);
    await reload(clientRevoked);
    for (const session of [undefined, first.sessions[0]]) {
      const answer = await visit({ ...at(proxy), certificate: client }, session).catch(() => null);
      t.notOk(answer?.status, 'no HTTP answer');
    }
    t.equal(backend.seen.length, 1);
    for (const resumed of ['false', 'true']) {
      const counted = `result="rejected",reason="revoked",tls_version="${version}",resumed="${resumed}"} 1\n`;
      t.match(await proxy.metrics(), counted);
    }
  });
}

await t.test(
  'what a CRL past its nextUpdate does is as configured, and whom it lists is refused',
  async (t) => {
    const stale = (revocation: ClientAuth['revocation'] & object) => ({ revocation });
    const { proxy, reload, ask } = await start(t, { crl: late() });
    t.equal((await ask()).status, 400, 'by default as nginx does');
    t.match(logged(proxy), 'CRL has expired: of CN=Int');
    await reload(late(), stale({ stale: 'allow', grace: '48h' }));
    t.equal((await ask()).status, 200, 'within the grace');
    await reload(late(3), stale({ stale: 'allow', grace: '48h' }));
    t.equal((await ask()).status, 400, 'past the grace');
    await reload(late(25), stale({ stale: 'report' }));
    t.equal((await ask()).body, 'SUCCESS');
    t.match(logged(proxy), 'let through under a CRL past its nextUpdate');
    t.match(await proxy.metrics(), /mtls_crl_stale_requests_total\{host="a.test"\} 2/);
    t.match(await proxy.metrics(), /mtls_crl_age_seconds\{host="a.test",issuer="#[^"]*"\} 25920\d\d/);
    for (const revocation of [{ stale: 'report' }, { stale: 'allow', grace: '500h' }] as const) {
      await reload(late(1, [client]), { revocation });
      t.equal((await ask()).status, 400, `${revocation.stale}: revoked`);
      t.equal((await ask(colleague)).status, 200);
    }
    await reload(late(1, [client]), stale({ stale: 'report', check: 'leaf' }));
    t.equal((await ask()).status, 400);
  },
);

await t.test('clients of a CA without CRL are refused, or let in where that is configured', async (t) => {
  const { proxy, reload, ask } = await start(t, { crl: intermediate.crl() });
  t.equal((await ask()).status, 400);
  t.match(logged(proxy), 'unable to get certificate CRL: of CN=Root');
  await reload(intermediate.crl(), { revocation: { missing: 'allow' } });
  t.equal((await ask()).status, 200);
  await reload(intermediate.crl({ revoked: [client] }), { revocation: { missing: 'allow' } });
  t.equal((await ask()).status, 400, 'what is there counts');
  await reload(intermediate.crl(), { revocation: { check: 'leaf' } });
  t.equal((await ask()).status, 200, 'nobody asks for the CRL of the root');
  await reload(root.crl(), { revocation: { check: 'leaf' } });
  t.equal((await ask()).status, 400);
});

await t.test(
  'a revoked intermediate shuts out its clients, unless the leaf alone is asked about',
  async (t) => {
    const { reload, ask } = await start(t, { crl: intermediateRevoked });
    t.equal((await ask()).status, 400);
    await reload(intermediateRevoked, { revocation: { check: 'leaf' } });
    t.equal((await ask()).status, 200);
  },
);

await t.test(
  'an intermediate that was revoked and issued anew: who sends the new one is let in',
  async (t) => {
    const { reload, ask } = await start(t, { crl: nobody });
    t.equal((await ask()).status, 200);
    await reload(intermediateRevoked);
    t.equal((await ask()).status, 400);
    const renewed = await createAuthority({
      cn: 'Int',
      parent: root,
      key: createPrivateKey(intermediate.key),
    });
    t.equal((await ask({ ...client, bundle: client.cert + renewed.cert })).status, 200);
  },
);

await t.test('optional_no_ca: a stranger’s CRL is missing, as nginx says, unless that may be', async (t) => {
  const { proxy, reload, ask } = await start(t, { crl: nobody, clientAuth: { mode: 'optional_no_ca' } });
  t.equal((await ask(stranger)).status, 400);
  t.match(logged(proxy), '"crl_missing"');
  t.equal((await ask(null)).status, 200);
  await reload(nobody, { revocation: { missing: 'allow' } });
  t.match((await ask(stranger)).body, 'FAILED:unable to verify the first certificate');
  await reload(clientRevoked, { revocation: { missing: 'allow' } });
  t.equal((await ask()).status, 400, 'revoked is never let pass');
});

await t.test('CRLs come from several files, and a route has its own', async (t) => {
  const { proxy, ask } = await start(t, {
    crl: root.crl(),
    clientAuth: { crl: ['crl.pem', 'int.pem'] },
    files: { 'int.pem': intermediate.crl({ revoked: [colleague] }), 'own.pem': clientRevoked },
    routes: (route) => [
      route,
      { ...route, path: '/own', clientAuth: { mode: 'require', crl: 'own.pem' } },
      {
        ...route,
        path: '/leaf',
        clientAuth: { mode: 'require', crl: 'int.pem', revocation: { check: 'leaf' } },
      },
    ],
  });
  const statuses = async (who: Issued): Promise<number[]> =>
    Promise.all(['/', '/own', '/leaf'].map(async (path) => (await ask(who, path)).status));
  t.same(await statuses(client), [200, 400, 200]);
  t.same(await statuses(colleague), [400, 200, 400]);
  const page = await proxy.metrics();
  t.equal(page.match(/^mtls_crl_next_update_seconds\{host="a.test",issuer="[^"]+"\} /gm)?.length, 2);
});

await t.test('reload-broken-crl-keeps-old', async (t) => {
  const { proxy, reload, ask } = await start(t, { crl: clientRevoked });
  const another = await createAuthority({ cn: 'Root' });
  const broken = {
    empty: '',
    'no CRL': root.cert,
    'cut off': nobody.slice(0, -100),
    'of another key in the name of the CA': another.crl(),
    'no DER': '-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n',
  };
  for (const [what, crl] of Object.entries(broken)) {
    await reload(crl);
    t.equal((await ask()).status, 400, `${what}: revoked still`);
    t.equal((await ask(colleague)).status, 200, `${what}: others are served`);
    t.match(await proxy.metrics(), /mtls_config_last_reload_successful 0/, what);
  }
});

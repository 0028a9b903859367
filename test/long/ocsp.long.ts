import { utimesSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import t, { type Test } from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import type { Config } from '../../src/config/schema.ts';
import { openTls, request } from '../support/client.ts';
import { freePort } from '../support/free-port.ts';
import { answering, indexOf, startOpenssl, startResponder } from '../support/ocsp.ts';
import { createAuthority } from '../support/pki.ts';
import { needs } from '../support/program.ts';
import { type Backend, type Proxy, startBackend, startProxy } from '../support/proxy.ts';
import { visit } from '../support/session.ts';
import { accessTo } from '../tls/ocsp/respond.ts';

type ClientAuth = NonNullable<Config['hosts'][number]['clientAuth']>;
type Ocsp = NonNullable<ClientAuth['ocsp']>;

const ca = await createAuthority({ cn: 'CA' });
const root = await createAuthority({ cn: 'Root' });
const issuing = await createAuthority({ cn: 'Issuing', parent: root });
const stranger = await createAuthority({ cn: 'Stranger' });
const server = await ca.issue({ cn: 'server', hosts: ['a.test', 'localhost'], usage: 'server' });
const client = await ca.issue({ cn: 'client' });
const other = await ca.issue({ cn: 'other' });
const lost = await ca.issue({ cn: 'lost' });
const below = await issuing.issue({ cn: 'below' });
const material = {
  'server.pem': server.bundle,
  'server.key': server.key,
  'ca.pem': ca.cert,
  'root.pem': root.cert,
};
const hour = 3_600_000;

function config(backend: Backend, ocsp: Ocsp, clientAuth: Partial<ClientAuth> = {}) {
  return {
    hosts: [
      {
        names: ['a.test', 'localhost'],
        certificate: { cert: 'server.pem', key: 'server.key' },
        clientAuth: { mode: 'require' as const, ca: 'ca.pem', ocsp, ...clientAuth },
        routes: [{ path: '/', upstream: 'backend' }],
      },
    ],
    upstreams: { backend: { endpoints: [backend.endpoint] } },
    limits: { keepAliveRequests: 1_000_000 },
  };
}

async function start(t: Test, ocsp: Ocsp, clientAuth: Partial<ClientAuth> = {}): Promise<Proxy> {
  return startProxy(t, config(await startBackend(t), ocsp, clientAuth), material);
}

function ask({ port }: Proxy, certificate: typeof client | null, version: 'TLSv1.2' | 'TLSv1.3' = 'TLSv1.3') {
  return request({ port, host: 'a.test', serverName: 'a.test', certificate, version });
}

async function counted(proxy: Proxy, result: string): Promise<number> {
  const line = new RegExp(`^mtls_ocsp_checks_total\\{host="a.test",result="${result}"\\} (\\d+)$`, 'm');
  return Number(line.exec(await proxy.metrics())?.[1]);
}

async function failures(proxy: Proxy, reason: string): Promise<number> {
  const line = new RegExp(
    `^mtls_handshakes_total\\{.*result="rejected",reason="${reason}",tls_version="TLSv1.3",resumed="false"\\} (\\d+)$`,
    'm',
  );
  return Number(line.exec(await proxy.metrics())?.[1]);
}

await t.test("openssl's responder decides who comes in", needs('openssl', 'version'), async (t) => {
  const { url, index } = await startOpenssl(t, ca, ca, indexOf({ V: [client, other], R: [] }));
  const proxy = await start(t, { mode: 'hard', responder: url.href, maxAge: '1s' });
  t.equal((await ask(proxy, client)).status, 200);
  t.match(await ask(proxy, lost), { status: 400, body: /certificate error/ }, 'one that it does not know');
  t.equal(await failures(proxy, 'ocsp_unknown'), 1);
  t.equal((await ask(proxy, other)).status, 200);
  writeFileSync(index, indexOf({ V: [client], R: [other] }));
  // It tells changes by the second.
  utimesSync(index, new Date(), new Date(Date.now() + 60_000));
  // What is remembered runs out within a second.
  let answer = await ask(proxy, other);
  while (answer.status === 200) answer = await ask(proxy, other);
  t.match(answer, { status: 400, body: /certificate error/ }, 'one that was revoked meanwhile');
  t.equal(await failures(proxy, 'revoked'), 1);
  t.equal((await ask(proxy, client)).status, 200, 'others are let in still');
  t.match([await counted(proxy, 'revoked'), await counted(proxy, 'unknown')], [1, 1]);
});

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  await t.test(
    `${version}: an answer is remembered, and a resumed session is checked like a new one`,
    async (t) => {
      let status: 'good' | 'revoked' = 'good';
      const responder = await startResponder(
        t,
        answering(ca, [client], () => ({ status })),
      );
      const proxy = await start(t, { mode: 'hard', responder: responder.url.href, maxAge: '1s' });
      const at = { port: proxy.port, serverName: 'a.test', version, certificate: client };
      const first = await visit(at);
      t.match(first, { status: 200, resumed: false });
      t.match(await visit(at, first.sessions.at(-1)), { status: 200, resumed: true });
      t.equal(responder.asked(), 1);
      status = 'revoked';
      let [session, last] = [first.sessions.at(-1), first];
      while (last.status === 200) {
        last = await visit(at, session);
        session = last.sessions.at(-1) ?? session;
      }
      t.match(last, { status: 400, resumed: true });
      t.equal(responder.asked(), 2);
    },
  );
}

await t.test(
  'the issuer that is asked about may be an intermediate, and is remembered with the proof',
  async (t) => {
    const responder = await startResponder(
      t,
      answering(issuing, [below], () => ({})),
    );
    const named = await issuing.issue({
      cn: 'named',
      extensions: [{ oid: '1.3.6.1.5.5.7.1.1', value: accessTo(responder.url.href) }],
    });
    const all = answering(issuing, [below, named], () => ({}));
    const asked = await startResponder(t, all);
    const proxy = await start(t, { mode: 'hard', responder: asked.url.href }, { ca: 'root.pem' });
    t.equal((await ask(proxy, below)).status, 200);
    t.equal((await ask(proxy, named)).status, 200);
    t.equal(asked.asked(), 2);
    t.equal(responder.asked(), 0, 'the configured responder stands in for the one that is named');
  },
);

await t.test('nobody is asked about a certificate that is not trusted, or that is not there', async (t) => {
  const responder = await startResponder(
    t,
    answering(ca, [client], () => ({})),
  );
  const aia = [{ oid: '1.3.6.1.5.5.7.1.1', value: accessTo(responder.url.href) }];
  const namesake = await createAuthority({ cn: 'CA' });
  const proxy = await start(t, { mode: 'hard' }, { mode: 'optional' });
  const past = Date.now() - 24 * hour;
  for (const [name, certificate] of Object.entries({
    'of a stranger': await stranger.issue({ cn: 'x', extensions: aia }),
    "of a CA with our CA's name": await namesake.issue({ cn: 'x', extensions: aia }),
    expired: await ca.issue({ cn: 'x', extensions: aia, notBefore: past - hour, notAfter: past }),
    'for servers': await ca.issue({ cn: 'x', extensions: aia, usage: 'server' }),
  })) {
    t.equal((await ask(proxy, certificate)).status, 400, name);
  }
  t.equal((await ask(proxy, null)).status, 200, 'no certificate');
  t.equal(responder.asked(), 0);
  const mine = await ca.issue({ cn: 'mine', extensions: aia });
  t.equal((await ask(proxy, mine)).status, 400, 'one of ours that the responder fails on');
  t.equal(responder.asked(), 1, 'whom a trusted certificate names is asked');
});

await t.test('without an answer hard refuses, and soft lets in, counts and logs', async (t) => {
  const responder = `http://127.0.0.1:${await freePort()}/`;
  const hard = await start(t, { mode: 'hard', responder });
  t.match(await ask(hard, client), { status: 400, body: /certificate error/ });
  t.equal(await failures(hard, 'ocsp_unavailable'), 1);
  t.equal(await counted(hard, 'unavailable'), 1);
  const soft = await start(t, { mode: 'soft', responder });
  t.equal((await ask(soft, client)).status, 200);
  t.equal(await counted(soft, 'unavailable'), 1);
  t.match(
    soft.log.filter(({ message }) => message === 'certificate let in without an OCSP answer'),
    [{ level: 'warn', host: 'a.test', result: 'unavailable', detail: /ECONNREFUSED/ }],
  );
});

await t.test('soft refuses whom the responder says is revoked', async (t) => {
  const responder = await startResponder(
    t,
    answering(ca, [client, lost], (one) => ({ status: one === client ? 'revoked' : 'unknown' })),
  );
  const proxy = await start(t, { mode: 'soft', responder: responder.url.href });
  t.equal((await ask(proxy, client)).status, 400);
  t.equal((await ask(proxy, lost)).status, 200, 'and lets in whom it does not know');
});

await t.test('strict ends the connection of one who is revoked', async (t) => {
  const responder = await startResponder(
    t,
    answering(ca, [client], () => ({ status: 'revoked' })),
  );
  const proxy = await start(t, { mode: 'hard', responder: responder.url.href }, { strict: true });
  t.equal((await ask(proxy, client)).status, 0);
  t.equal(await failures(proxy, 'revoked'), 1);
});

await t.test('a slow responder holds a handshake for the time-out at most, and then nobody', async (t) => {
  const responder = await startResponder(t, () => {});
  const proxy = await start(t, { mode: 'soft', responder: responder.url.href, timeout: '200ms' });
  const others = await Promise.all([1, 2, 3, 4].map((n) => ca.issue({ cn: `client ${n}` })));
  for (const one of others.slice(0, 3)) t.equal((await ask(proxy, one)).status, 200);
  t.equal(responder.asked(), 3);
  t.equal((await ask(proxy, others[3]!)).status, 200);
  t.equal(responder.asked(), 3, 'a dead responder does not cost each client its time-out');
});

await t.test('a client that leaves while its responder is asked leaves nothing behind', async (t) => {
  const waiting = Promise.withResolvers<void>();
  const responder = await startResponder(t, () => waiting.resolve());
  const proxy = await start(t, { mode: 'hard', responder: responder.url.href, timeout: '300ms' });
  const socket = await openTls({ port: proxy.port, serverName: 'a.test', certificate: client });
  socket.on('error', () => {});
  await waiting.promise;
  socket.destroy();
  const page = /^mtls_open_connections\{listener="https"\} 0$/m;
  while (!page.test(await proxy.metrics()));
  t.pass('its connection is closed');
  t.equal((await ask(proxy, null)).status, 400, 'and others are served');
});

await t.test('an open connection is told to come again when its answer has run out', async (t) => {
  const responder = await startResponder(
    t,
    answering(ca, [client], () => ({})),
  );
  const proxy = await start(t, { mode: 'hard', responder: responder.url.href, maxAge: '1s' });
  const socket = await openTls({ port: proxy.port, serverName: 'a.test', certificate: client });
  let text = '';
  const closed = once(socket, 'close');
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
    // The next request follows each answer.
    if (text.endsWith('ok')) {
      text = '';
      socket.write('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n');
    }
  });
  socket.write('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n');
  await closed;
  t.match(text, /^HTTP\/1.1 421 /);
  t.match(await proxy.metrics(), /^mtls_refusals_total\{host="a.test",reason="ocsp_expired"\} 1$/m);
  t.equal((await ask(proxy, client)).status, 200, 'and is checked anew');
  t.equal(responder.asked(), 2);
});

await t.test('a tunnel ends when its answer has run out', async (t) => {
  const responder = await startResponder(
    t,
    answering(ca, [client], () => ({})),
  );
  const backend = await startBackend(t);
  const sockets = new WebSocketServer({ server: backend.server });
  t.teardown(() => sockets.close());
  const ocsp = { mode: 'hard', responder: responder.url.href, maxAge: '1s' } as const;
  const proxy = await startProxy(t, config(backend, ocsp), material);
  const socket = new WebSocket(`wss://localhost:${proxy.port}/`, {
    ca: ca.cert,
    cert: client.bundle,
    key: client.key,
  });
  await once(socket, 'open');
  await once(socket, 'close');
  t.pass('it is closed');
});

await t.test('a route of its own trust store asks by its own settings, and no other', async (t) => {
  const responder = await startResponder(
    t,
    answering(ca, [client], () => ({ status: 'revoked' })),
  );
  const backend = await startBackend(t);
  const whole = config(backend, { mode: 'off' }, { mode: 'optional' });
  const [host] = whole.hosts;
  const clientAuth = {
    mode: 'require' as const,
    ocsp: { mode: 'hard' as const, responder: responder.url.href },
  };
  const routes = [...host!.routes, { path: '/admin', upstream: 'backend', clientAuth }];
  const proxy = await startProxy(t, { ...whole, hosts: [{ ...host!, routes }] }, material);
  const at = { port: proxy.port, host: 'a.test', serverName: 'a.test', certificate: client };
  t.equal((await request({ ...at, path: '/' })).status, 200);
  t.equal((await request({ ...at, path: '/admin' })).status, 400);
});

await t.test('a change of the settings makes older connections and sessions worthless', async (t) => {
  const responder = await startResponder(
    t,
    answering(ca, [client], () => ({ status: 'revoked' })),
  );
  const backend = await startBackend(t);
  const proxy = await startProxy(t, config(backend, { mode: 'off' }), material);
  const at = { port: proxy.port, serverName: 'a.test', certificate: client };
  const first = await visit(at);
  t.equal(first.status, 200);
  const open = await openTls(at);
  const listeners = { https: { address: '127.0.0.1', port: 0 }, admin: { address: '127.0.0.1', port: 0 } };
  const strict = config(backend, { mode: 'hard', responder: responder.url.href });
  proxy.source.set({ ...strict, listeners }, material);
  await proxy.app.reload();
  open.write('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n');
  const [answer] = (await once(open, 'data')) as [Buffer];
  t.match(answer.toString('latin1'), /^HTTP\/1.1 421 /);
  open.destroy();
  t.match(await visit(at, first.sessions.at(-1)), { status: 400, resumed: false });
});

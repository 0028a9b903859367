/** Each limit is enforced, and whoever hits it is counted by reason. Those of one address: limits-per-address. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import t from 'tap';
import type { Test } from 'tap';
import { exchange, openTls, parseAnswer, request } from '../support/client.ts';
import { realHello } from '../support/hello.ts';
import { createAuthority } from '../support/pki.ts';
import { type PartialConfig, type Proxy, startBackend, startProxy } from '../support/proxy.ts';
import { valueOf } from '../observe/fixture.ts';

const ca = await createAuthority({ cn: 'CA' });
const server = await ca.issue({ cn: 'server', hosts: ['a.test'], usage: 'server' });
const get = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n';

async function start(t: Test, limits: NonNullable<PartialConfig['limits']>): Promise<Proxy> {
  const backend = await startBackend(t, (request, response) => {
    request.resume().once('end', () => response.end('ok'));
  });
  return startProxy(
    t,
    {
      hosts: [
        {
          names: ['a.test'],
          certificate: { cert: 'server.pem', key: 'server.key' },
          routes: [{ path: '/', upstream: 'backend' }],
        },
      ],
      upstreams: { backend: { endpoints: [backend.endpoint] } },
      limits,
      listeners: { http: { address: '127.0.0.1', port: 0 } },
    },
    { 'server.pem': server.bundle, 'server.key': server.key },
  );
}

async function openTcp(t: Test, port: number): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port });
  socket.on('error', () => {});
  t.teardown(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** The client's side of a host's connection, past its handshake. */
async function open(t: Test, proxy: Proxy): Promise<Socket> {
  const socket = await openTls({ port: proxy.port, serverName: 'a.test' });
  t.teardown(() => socket.destroy());
  return socket;
}

/** Sends on both listeners that speak HTTP, each on a connection of its own, and reads to their ends. */
async function onBoth(t: Test, proxy: Proxy, bytes: string): Promise<readonly string[]> {
  const sockets = [await open(t, proxy), await openTcp(t, proxy.addresses.http!.port)];
  return Promise.all(sockets.map((socket) => exchange(socket, bytes)));
}

async function counted(
  proxy: Proxy,
  name: string,
  labels: Readonly<Record<string, string>>,
): Promise<number> {
  return valueOf(await proxy.metrics(), name, labels);
}

const failed = (proxy: Proxy, reason: string, host = '_'): Promise<number> =>
  counted(proxy, 'mtls_handshakes_total', { host, reason, result: 'rejected', tls_version: 'none' });
const refused = (proxy: Proxy, reason: string): Promise<number> =>
  counted(proxy, 'mtls_refusals_total', { host: '_', reason });
const ended = (proxy: Proxy, listener: string, reason: string): Promise<number> =>
  counted(proxy, 'mtls_connections_ended_total', { listener, reason });

await t.test('handshakeTimeout: whoever sends no whole ClientHello in time is closed', async (t) => {
  const proxy = await start(t, { handshakeTimeout: '50ms' });
  const hello = await realHello({ servername: 'a.test' });
  for (const bytes of [Buffer.alloc(0), hello.subarray(0, 100)])
    t.equal(await exchange(await openTcp(t, proxy.port), bytes), '');
  t.equal(await failed(proxy, 'timeout'), 2);
});

await t.test('handshakeTimeout: whoever stops in mid-handshake is closed', async (t) => {
  const proxy = await start(t, { handshakeTimeout: '50ms' });
  const hello = await realHello({ servername: 'a.test' });
  const answer = await exchange(await openTcp(t, proxy.port), hello);
  t.equal(answer.charCodeAt(0), 22, 'it had its ServerHello');
  t.equal(await failed(proxy, 'timeout', 'a.test'), 1);
});

await t.test('handshakeTimeout: bytes that trickle in give nobody more time', async (t) => {
  const proxy = await start(t, { handshakeTimeout: '200ms' });
  const socket = await openTcp(t, proxy.port);
  // Most likely by a reset: bytes may be unread.
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.resume();
  socket.write(await realHello({ servername: 'a.test' }));
  // The head of an encrypted record, of which a byte comes now and then.
  socket.write(Buffer.from([23, 3, 3, 0x40, 0]));
  const trickle = setInterval(() => socket.write('x'), 20);
  t.teardown(() => clearInterval(trickle));
  await closed;
  t.equal(await failed(proxy, 'timeout', 'a.test'), 1);
});

await t.test('handshakes: one more than that at once is closed unread', async (t) => {
  const proxy = await start(t, { handshakes: 2, handshakesPerAddress: 2 });
  const holding = [await openTcp(t, proxy.port), await openTcp(t, proxy.port)];
  t.equal(await exchange(await openTcp(t, proxy.port), ''), '');
  t.equal(await failed(proxy, 'overload'), 1);
  await exchange(holding[0]!, 'nonsense, and so no handshake any more');
  t.equal((await request({ port: proxy.port, serverName: 'a.test', host: 'a.test' })).status, 200);
});

await t.test('connections: one more than that at once is closed unread, on each listener', async (t) => {
  const proxy = await start(t, { connections: 2, connectionsPerAddress: 2 });
  for (const [listener, port] of [
    ['https', proxy.port],
    ['http', proxy.addresses.http!.port],
  ] as const) {
    const holding = [await openTcp(t, port), await openTcp(t, port)];
    t.equal(await exchange(await openTcp(t, port), ''), '', listener);
    t.equal(await counted(proxy, 'mtls_connections_refused_total', { listener, reason: 'overload' }), 1);
    for (const socket of holding) socket.destroy();
  }
  t.equal(await failed(proxy, 'overload'), 1, 'on https it is a failed handshake as well');
});

await t.test('headSize: a larger head is told 431, of one field or of many', async (t) => {
  const proxy = await start(t, { headSize: '2k' });
  const heads = [
    `X: ${'x'.repeat(3000)}\r\n`,
    Array.from({ length: 60 }, (_, i) => `X-${i}: ${'x'.repeat(50)}\r\n`).join(''),
  ];
  for (const fields of heads)
    for (const answer of await onBoth(t, proxy, `${get.slice(0, -2)}${fields}\r\n`))
      t.match(answer, /^HTTP\/1.1 431 [^]*\r\nConnection: close\r\n/);
  t.equal(await refused(proxy, 'head_too_large'), 4);
});

await t.test('headerCount: more fields are told 431', async (t) => {
  const proxy = await start(t, { headerCount: 5 });
  const fields = 'X: y\r\n'.repeat(5);
  for (const answer of await onBoth(t, proxy, `${get.slice(0, -2)}${fields}\r\n`))
    t.match(answer, /^HTTP\/1.1 431 /);
  t.equal(await refused(proxy, 'head_too_large'), 2);
});

await t.test('headTimeout: a head that is not whole in time is told 408', async (t) => {
  const proxy = await start(t, { headTimeout: '50ms' });
  for (const answer of await onBoth(t, proxy, get.slice(0, -2)))
    t.match(answer, /^HTTP\/1.1 408 [^]*\r\nConnection: close\r\n/);
  t.equal(await refused(proxy, 'head_timeout'), 2);
});

await t.test('headTimeout: a connection without a byte in time is closed without a word', async (t) => {
  const proxy = await start(t, { headTimeout: '50ms' });
  t.same(await onBoth(t, proxy, ''), ['', '']);
  for (const listener of ['https', 'http']) t.equal(await ended(proxy, listener, 'unused'), 1, listener);
  t.equal(await refused(proxy, 'head_timeout'), 0, 'it is no request');
});

await t.test('bodyTimeout: a body that stops is told 408', async (t) => {
  const proxy = await start(t, { bodyTimeout: '50ms' });
  const bytes = 'POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nab';
  t.equal(parseAnswer(await exchange(await open(t, proxy), bytes)).status, 408);
  t.equal(await counted(proxy, 'mtls_refusals_total', { host: 'a.test', reason: 'body_timeout' }), 1);
});

await t.test('keepAliveTimeout: an idle connection is closed', async (t) => {
  const proxy = await start(t, { keepAliveTimeout: '50ms' });
  const [https, http] = await onBoth(t, proxy, get);
  t.equal(parseAnswer(https!).status, 200);
  t.equal(parseAnswer(http!).status, 308);
  for (const listener of ['https', 'http']) {
    t.equal(await ended(proxy, listener, 'keep_alive_timeout'), 1, listener);
    t.equal(await ended(proxy, listener, 'keep_alive_requests'), 0);
  }
});

await t.test('keepAliveRequests: the connection closes behind the last one', async (t) => {
  const proxy = await start(t, { keepAliveRequests: 3 });
  for (const answers of await onBoth(t, proxy, get.repeat(5))) {
    t.equal(answers.match(/HTTP\/1.1 (?:200|308) /g)?.length, 3);
    t.equal(answers.match(/^Connection: close/gm)?.length, 1);
  }
  for (const listener of ['https', 'http'])
    t.equal(await ended(proxy, listener, 'keep_alive_requests'), 1, listener);
});

await t.test('a client that closes by itself is no limit’s business', async (t) => {
  const proxy = await start(t, {});
  t.equal((await request({ port: proxy.port, serverName: 'a.test', host: 'a.test' })).status, 200);
  const socket = await open(t, proxy);
  socket.write(get);
  await once(socket, 'data');
  socket.end();
  await once(socket, 'close');
  for (const reason of ['unused', 'keep_alive_timeout', 'keep_alive_requests'])
    t.equal(await ended(proxy, 'https', reason), 0, reason);
});

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import t from 'tap';
import type { Test } from 'tap';
import { openTls, request } from '../support/client.ts';
import { createAuthority } from '../support/pki.ts';
import { type PartialConfig, type Proxy, startBackend, startProxy } from '../support/proxy.ts';

const ca = await createAuthority({ cn: 'CA' });
const server = await ca.issue({ cn: 'server', hosts: ['a.test'], usage: 'server' });

async function start(
  t: Test,
  limits: NonNullable<PartialConfig['limits']>,
  listeners: PartialConfig['listeners'] = {},
): Promise<Proxy> {
  const backend = await startBackend(t);
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
      listeners,
    },
    { 'server.pem': server.bundle, 'server.key': server.key },
  );
}

/** A connection from an address of our own that says nothing. */
async function silent(t: Test, port: number, localAddress: string): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port, localAddress });
  socket.on('error', () => {});
  t.teardown(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

async function closed(socket: Socket): Promise<void> {
  socket.resume();
  if (!socket.closed) await once(socket, 'close');
}

/** The log's lines about refused connections. */
const refusals = (proxy: Proxy): unknown[] => proxy.log.filter(({ level }) => level === 'warn');

const get = (proxy: Proxy, localAddress: string) =>
  request({ port: proxy.port, serverName: 'a.test', host: 'a.test', tls: { localAddress } });

await t.test('one address has its share of connections; the others are served', async (t) => {
  const proxy = await start(t, { connectionsPerAddress: 2 });
  const open = [];
  for (let i = 0; i < 2; i++) {
    const socket = await openTls({
      port: proxy.port,
      serverName: 'a.test',
      tls: { localAddress: '127.0.0.2' },
    });
    t.teardown(() => socket.destroy());
    open.push(socket);
  }
  await closed(await silent(t, proxy.port, '127.0.0.2'));
  t.equal((await get(proxy, '127.0.0.3')).status, 200, 'another address is served');
  t.match(refusals(proxy), [
    {
      kind: 'handshake',
      connection: { remote_address: '127.0.0.2' },
      handshake: { reason: 'address_overload', detail: 'too many connections of this address at once' },
    },
  ]);
  const page = await proxy.metrics();
  t.match(page, /^mtls_connections_refused_total\{listener="https",reason="address_overload"\} 1$/m);
  t.match(page, /^mtls_handshakes_total\{[^}]*reason="address_overload"[^}]*\} 1$/m);

  const gone = closed(open[0]!);
  open[0]!.end();
  await gone;
  t.equal((await get(proxy, '127.0.0.2')).status, 200, 'one that closed makes room');
});

await t.test('one address has its share of handshakes in flight; the others shake hands', async (t) => {
  const proxy = await start(t, { handshakesPerAddress: 1 });
  const holding = await silent(t, proxy.port, '127.0.0.2');
  await closed(await silent(t, proxy.port, '127.0.0.2'));
  t.equal((await get(proxy, '127.0.0.3')).status, 200, 'another address is served');
  t.match(refusals(proxy), [
    {
      connection: { remote_address: '127.0.0.2' },
      handshake: { reason: 'address_overload', detail: 'too many handshakes of this address at once' },
    },
  ]);
  t.match(await proxy.metrics(), /^mtls_handshakes_total\{[^}]*reason="address_overload"[^}]*\} 1$/m);
  const gone = closed(holding);
  holding.write('nonsense, and so no handshake any more');
  await gone;
  const idle = await openTls({ port: proxy.port, serverName: 'a.test', tls: { localAddress: '127.0.0.2' } });
  t.teardown(() => idle.destroy());
  // The client is done before the server is: an answer says that both are.
  idle.write('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n');
  await once(idle, 'data');
  t.equal((await get(proxy, '127.0.0.2')).status, 200, 'a connection past its handshake counts no more');
});

await t.test('the plain HTTP listener counts by address as well, and says so', async (t) => {
  const proxy = await start(t, { connectionsPerAddress: 1 }, { http: { address: '127.0.0.1', port: 0 } });
  const { port } = proxy.addresses.http!;
  await silent(t, port, '127.0.0.2');
  await closed(await silent(t, port, '127.0.0.2'));
  t.match(refusals(proxy), [
    {
      kind: 'program',
      level: 'warn',
      message: 'connection refused',
      listener: 'http',
      reason: 'address_overload',
      detail: 'too many connections of this address at once',
      remote_address: '127.0.0.2',
    },
  ]);
  t.match(
    await proxy.metrics(),
    /^mtls_connections_refused_total\{listener="http",reason="address_overload"\} 1$/m,
  );
});

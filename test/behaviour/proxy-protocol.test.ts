import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { promisify } from 'node:util';
import t from 'tap';
import type { Test } from 'tap';
import { createAuthority } from '../support/pki.ts';
import { needs } from '../support/program.ts';
import { type PartialConfig, type Proxy, startBackend, startProxy } from '../support/proxy.ts';

const ca = await createAuthority({ cn: 'CA' });
const server = await ca.issue({ cn: 'server', hosts: ['a.test'], usage: 'server' });
const header = 'PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\r\n';
const head = 'GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n';

interface Started {
  readonly proxy: Proxy;
  /** What the backend was told of the client, a line for each request. */
  readonly told: string[];
}

/** Trusts 127.0.0.1: tests that are not to be trusted come from 127.0.0.2. */
async function start(t: Test, limits: PartialConfig['limits'] = {}, timeout = '5s'): Promise<Started> {
  const told: string[] = [];
  const backend = await startBackend(t, (request, response) => {
    told.push(`${String(request.headers['x-forwarded-for'])} ${String(request.headers['x-real-ip'])}`);
    response.end('served');
  });
  const proxyProtocol = { trusted: ['127.0.0.1'], timeout };
  const proxy = await startProxy(
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
      ...(limits === undefined ? {} : { limits }),
      listeners: {
        https: { address: '127.0.0.1', port: 0, proxyProtocol },
        http: { address: '127.0.0.1', port: 0, proxyProtocol },
      },
    },
    { 'server.pem': server.bundle, 'server.key': server.key },
  );
  return { proxy, told };
}

async function open(t: Test, port: number, localAddress = '127.0.0.1'): Promise<Socket> {
  const socket = connectTcp({ host: '127.0.0.1', port, localAddress });
  socket.on('error', () => {});
  t.teardown(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** All that comes until the other side closes. */
async function rest(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve));
  return text;
}

/** A request in TLS over a connection that says something first. */
async function get(socket: Socket, first: string | Buffer = ''): Promise<string> {
  if (first.length > 0) socket.write(first);
  const tls = connectTls({ socket, servername: 'a.test', rejectUnauthorized: false });
  tls.on('error', () => {});
  tls.write(head);
  return rest(tls);
}

const refusals = (proxy: Proxy): unknown[] => proxy.log.filter(({ level }) => level === 'warn');

await t.test('the address in the header is what the backend is told', async (t) => {
  const { proxy, told } = await start(t);
  t.match(await get(await open(t, proxy.port), header), /^HTTP\/1.1 200 .*served$/s);
  t.same(told, ['192.0.2.7 192.0.2.7']);
});

await t.test('a connection of the proxy itself keeps its own address', async (t) => {
  const { proxy, told } = await start(t);
  const local = Buffer.from('0d0a0d0a000d0a515549540a20000000', 'hex');
  t.match(await get(await open(t, proxy.port), local), /^HTTP\/1.1 200 /);
  t.match(await get(await open(t, proxy.port), 'PROXY UNKNOWN\r\n'), /^HTTP\/1.1 200 /);
  t.same(told, ['127.0.0.1 127.0.0.1', '127.0.0.1 127.0.0.1']);
});

await t.test('no one else is believed, nor asked for a header', async (t) => {
  const { proxy, told } = await start(t);
  const socket = await open(t, proxy.port, '127.0.0.2');
  socket.write(header);
  t.match(await rest(socket), /^HTTP\/1.1 400 /, 'read as a request, and refused');
  t.match(await get(await open(t, proxy.port, '127.0.0.2')), /^HTTP\/1.1 200 /);
  t.same(told, ['127.0.0.2 127.0.0.2']);
});

await t.test('a trusted proxy that sends no header is refused, counted and logged', async (t) => {
  const { proxy, told } = await start(t);
  t.equal(await get(await open(t, proxy.port)), '');
  const silent = await open(t, proxy.addresses.http!.port);
  silent.write(head);
  t.equal(await rest(silent), '', 'on the plain listener too');
  t.same(told, []);
  t.match(refusals(proxy), [
    {
      kind: 'handshake',
      connection: { remote_address: '127.0.0.1' },
      handshake: { reason: 'proxy_protocol', detail: 'the first bytes are no PROXY header' },
    },
    {
      kind: 'program',
      listener: 'http',
      reason: 'proxy_protocol',
      detail: 'the first bytes are no PROXY header',
      remote_address: '127.0.0.1',
    },
  ]);
  const page = await proxy.metrics();
  for (const listener of ['https', 'http'])
    t.match(page, `mtls_connections_refused_total{listener="${listener}",reason="proxy_protocol"} 1\n`);
});

await t.test('a header that does not come whole in time is not waited for', async (t) => {
  const { proxy } = await start(t, {}, '50ms');
  const socket = await open(t, proxy.port);
  socket.write(header.slice(0, 20));
  t.equal(await rest(socket), '');
  t.match(refusals(proxy), [
    { handshake: { reason: 'proxy_protocol', detail: 'no whole PROXY header came in time' } },
  ]);
});

await t.test('of two headers the second is the client’s bytes', async (t) => {
  const { proxy, told } = await start(t);
  const socket = await open(t, proxy.port);
  socket.write(header + header.replace('192.0.2.7', '6.6.6.6'));
  t.match(await rest(socket), /^HTTP\/1.1 400 /);
  t.same(told, []);
  t.match(
    refusals(proxy)[0],
    { connection: { remote_address: '192.0.2.7', remote_port: 4711 } },
    'logged as the client’s',
  );
});

await t.test('header and request may come in any pieces', async (t) => {
  const { proxy } = await start(t);
  const { port } = proxy.addresses.http!;
  const bytes = header + head;
  for (const cut of [1, 6, header.length - 1, header.length, header.length + 3, bytes.length]) {
    const socket = await open(t, port);
    socket.setNoDelay(true);
    socket.write(bytes.slice(0, cut));
    // Another connection's answer in between: by then the first piece has been read.
    await rest((await open(t, port)).end(bytes));
    socket.write(bytes.slice(cut));
    t.match(await rest(socket), /^HTTP\/1.1 308 /, `cut at ${cut}`);
  }
});

await t.test('limits per address count the client behind the proxy', async (t) => {
  const { proxy } = await start(t, { connectionsPerAddress: 1 });
  const { port } = proxy.addresses.http!;
  const first = await open(t, port);
  first.write(header + head.replace('Connection: close\r\n', ''));
  await once(first, 'data');
  const second = await open(t, port);
  second.write(header + head);
  t.equal(await rest(second), '', 'one too many of this client');
  const other = await open(t, port);
  other.write(header.replace('192.0.2.7', '192.0.2.8') + head);
  t.match(await rest(other), /^HTTP\/1.1 308 /, 'another client of the same proxy');
});

await t.test('curl’s PROXY header is read', needs('curl', '--version'), async (t) => {
  const { proxy, told } = await start(t);
  const { stdout } = await promisify(execFile)('curl', [
    '-sk',
    '--haproxy-protocol',
    '--resolve',
    `a.test:${proxy.port}:127.0.0.1`,
    `https://a.test:${proxy.port}/`,
  ]);
  t.equal(stdout, 'served');
  t.same(told, ['127.0.0.1 127.0.0.1']);
});

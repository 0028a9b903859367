/** HAProxy, whose protocol it is, in front of us: an independent judge of how its headers are read. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect as connectTcp, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { connect as connectTls } from 'node:tls';
import t from 'tap';
import type { Test } from 'tap';
import { exchange } from '../support/client.ts';
import { freePort } from '../support/free-port.ts';
import { createAuthority } from '../support/pki.ts';
import { needs } from '../support/program.ts';
import { type Proxy, startBackend, startProxy } from '../support/proxy.ts';

const ca = await createAuthority({ cn: 'CA' });
const server = await ca.issue({ cn: 'server', hosts: ['a.test'], usage: 'server' });
const client = await ca.issue({ cn: 'roshankhatri' });
const head = 'GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n';
/** Not HAProxy's own, so that one can be told from the other. */
const clientAddress = '127.0.0.5';

interface Seen {
  readonly url: string;
  readonly forwardedFor: unknown;
  readonly realIp: unknown;
}

interface Started {
  readonly proxy: Proxy;
  readonly seen: Seen[];
  /** Resolves at the first request for `/health`. */
  readonly health: Promise<Seen>;
}

async function start(t: Test): Promise<Started> {
  const seen: Seen[] = [];
  const health = Promise.withResolvers<Seen>();
  const backend = await startBackend(t, (request, response) => {
    const { 'x-forwarded-for': forwardedFor, 'x-real-ip': realIp } = request.headers;
    const one = { url: request.url ?? '', forwardedFor, realIp };
    seen.push(one);
    if (one.url === '/health') health.resolve(one);
    response.end('served');
  });
  const listener = { address: '127.0.0.1', port: 0, proxyProtocol: { trusted: ['127.0.0.1'] } };
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
      listeners: { https: listener, http: listener },
    },
    { 'server.pem': server.bundle, 'server.key': server.key },
  );
  return { proxy, seen, health: health.promise };
}

/**
 * HAProxy with one frontend, which passes TCP on.
 * @param bind What stands behind the address it listens on.
 * @param to The line of its server, behind the name, and lines of the section behind it.
 * @returns Its port.
 */
async function startHaproxy(t: Test, to: string, bind = ''): Promise<number> {
  const dir = t.testdir({});
  const file = join(dir, 'haproxy.cfg');
  writeFileSync(join(dir, 'haproxy.pem'), server.bundle + server.key, { mode: 0o600 });
  writeFileSync(join(dir, 'ca.pem'), ca.cert);
  for (let tries = 3; ; tries--) {
    const port = await freePort();
    writeFileSync(
      file,
      `global
  maxconn 100
  nbthread 1
defaults
  mode tcp
  timeout connect 5s
  timeout client 10s
  timeout server 10s
listen front
  bind 127.0.0.1:${port} ${bind.replaceAll('DIR', dir)}
  unique-id-format id-%pid
  server ours ${to}
`,
    );
    // With a master process it says when it listens.
    const child = spawn('haproxy', ['-W', '-f', file], { stdio: ['ignore', 'ignore', 'pipe'] });
    const spawned = once(child, 'spawn');
    const exited = once(child, 'exit').catch(() => {});
    await spawned;
    const said: string[] = [];
    const listens = await new Promise<boolean>((resolve) => {
      createInterface({ input: child.stderr })
        .on('line', (line) => {
          if (said.length < 100) said.push(line);
          if (line.includes('Loading success')) resolve(true);
        })
        .on('close', () => resolve(false));
    });
    if (listens) {
      t.teardown(async () => {
        child.kill('SIGTERM');
        await exited;
      });
      return port;
    }
    await exited;
    if (tries === 1 || !said.join('\n').includes('cannot bind socket'))
      throw new Error(`HAProxy does not start:\n${said.join('\n')}`);
  }
}

async function open(t: Test, port: number): Promise<Socket> {
  const socket = connectTcp({ host: '127.0.0.1', port, localAddress: clientAddress });
  socket.on('error', () => {});
  t.teardown(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** The line of the one request in the access log. */
function requestLine(proxy: Proxy): unknown {
  return proxy.log.find(({ kind }) => kind === 'request');
}

const versions: Readonly<Record<string, string>> = {
  'version 1': 'send-proxy',
  'version 2': 'send-proxy-v2',
  'version 2 with a checksum and a unique id': 'send-proxy-v2 proxy-v2-options crc32c,unique-id',
};
for (const [version, options] of Object.entries(versions)) {
  await t.test(`HAProxy’s ${version}: the client is who HAProxy says`, needs('haproxy', '-v'), async (t) => {
    const { proxy, seen } = await start(t);
    const port = await startHaproxy(t, `127.0.0.1:${proxy.port} ${options}`);
    const socket = await open(t, port);
    const { localPort } = socket;
    const tls = connectTls({ socket, servername: 'a.test', ca: ca.cert });
    t.match(await exchange(tls, head), /^HTTP\/1\.1 200 [^]*served$/);
    t.same(seen, [{ url: '/', forwardedFor: clientAddress, realIp: clientAddress }]);
    t.match(requestLine(proxy), {
      connection: { remote_address: clientAddress, remote_port: localPort, server_name: 'a.test' },
    });
  });
}

await t.test(
  'HAProxy’s version 2 with all it knows of a client certificate is read past',
  needs('haproxy', '-v'),
  async (t) => {
    const { proxy } = await start(t);
    const port = await startHaproxy(
      t,
      `127.0.0.1:${proxy.addresses.http!.port} send-proxy-v2-ssl-cn proxy-v2-options ssl,cert-cn,cert-key,cert-sig,ssl-cipher,authority,crc32c`,
      'ssl crt DIR/haproxy.pem ca-file DIR/ca.pem verify required',
    );
    const socket = await open(t, port);
    const { localPort } = socket;
    const tls = connectTls({
      socket,
      servername: 'a.test',
      ca: ca.cert,
      cert: client.bundle,
      key: client.key,
    });
    t.match(await exchange(tls, head), /^HTTP\/1\.1 308 /);
    t.match(requestLine(proxy), {
      connection: { listener: 'http', remote_address: clientAddress, remote_port: localPort, identity: null },
    });
  },
);

await t.test('HAProxy’s health checks come as its own connections', needs('haproxy', '-v'), async (t) => {
  const { proxy, health } = await start(t);
  await startHaproxy(
    t,
    `127.0.0.1:${proxy.port} send-proxy-v2 check check-send-proxy check-ssl check-sni a.test verify none inter 100ms
  option httpchk
  http-check send meth GET uri /health ver HTTP/1.1 hdr Host a.test hdr Connection close`,
  );
  t.same(await health, { url: '/health', forwardedFor: '127.0.0.1', realIp: '127.0.0.1' });
});

await t.test(
  'HAProxy that sends no header is refused where it is trusted to send one',
  needs('haproxy', '-v'),
  async (t) => {
    const { proxy, seen } = await start(t);
    const port = await startHaproxy(t, `127.0.0.1:${proxy.port}`);
    const tls = connectTls({ socket: await open(t, port), servername: 'a.test', ca: ca.cert });
    t.equal(await exchange(tls, head), '');
    t.same(seen, []);
    t.match(proxy.log.at(-1), { kind: 'handshake', handshake: { reason: 'proxy_protocol' } });
  },
);

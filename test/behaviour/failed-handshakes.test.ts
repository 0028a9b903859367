import { once } from 'node:events';
import { connect } from 'node:tls';
import t from 'tap';
import type { Test } from 'tap';
import { valueOf } from '../observe/fixture.ts';
import { exchange, openTcp, openTls, parseAnswer, request } from '../support/client.ts';
import { createAuthority } from '../support/pki.ts';
import { type Proxy, startBackend, startProxy } from '../support/proxy.ts';

const ca = await createAuthority({ cn: 'CA' });
const server = await ca.issue({ cn: 'server', hosts: ['a.test'], usage: 'server' });
const client = await ca.issue({ cn: 'client' });
const stranger = await (await createAuthority({ cn: 'Other' })).issue({ cn: 'client' });

async function start(t: Test): Promise<Proxy> {
  const backend = await startBackend(t);
  return startProxy(
    t,
    {
      hosts: [
        {
          names: ['a.test'],
          certificate: { cert: 'server.pem', key: 'server.key' },
          clientAuth: { mode: 'require', ca: 'ca.pem' },
          routes: [{ path: '/', upstream: 'backend' }],
        },
      ],
      upstreams: { backend: { endpoints: [backend.endpoint] } },
      tls: { unknownServerName: 'refuse' },
    },
    { 'server.pem': server.bundle, 'server.key': server.key, 'ca.pem': ca.cert },
  );
}

await t.test('plain HTTP on the TLS port is told so, counted and logged as what it is', async (t) => {
  const proxy = await start(t);
  const socket = openTcp(proxy.port);
  await once(socket, 'connect');
  const { localPort } = socket;
  const answer = parseAnswer(await exchange(socket, 'GET /secret HTTP/1.1\r\nHost: a.test\r\n\r\n'));
  t.equal(answer.status, 400);
  t.match(answer.headers, { connection: 'close', date: /GMT$/ });
  const line = proxy.log.find(({ kind }) => kind === 'request');
  t.match(line, {
    level: 'warn',
    connection: {
      listener: 'https',
      remote_address: '127.0.0.1',
      remote_port: localPort,
      tls: null,
      host: null,
    },
    request: {
      id: answer.headers['x-request-id'],
      method: '',
      target: '',
      host: null,
      action: 'respond',
      reason: 'plain_http',
      status: 400,
      bytes_sent: answer.body.length,
    },
  });
  const page = await proxy.metrics();
  t.equal(valueOf(page, 'mtls_refusals_total', { host: '_', reason: 'plain_http' }), 1);
  t.equal(valueOf(page, 'mtls_requests_total', { host: '_', status: '400' }), 1);
});

const handshakes = (proxy: Proxy): unknown[] => proxy.log.filter(({ kind }) => kind === 'handshake');

await t.test('what a client offered stands in the line of its failed handshake', async (t) => {
  const proxy = await start(t);
  const offered = { serverName: 'b.test', tls: { ALPNProtocols: ['http/1.1', 'h2'] } };
  await t.rejects(openTls({ port: proxy.port, ...offered }));
  t.match(handshakes(proxy), [
    {
      handshake: {
        reason: 'unknown_sni',
        offer: {
          versions: ['TLSv1.3', 'TLSv1.2'],
          alpn: ['http/1.1', 'h2'],
          signature_algorithms: [/^0x[0-9a-f]{4}$/],
          ja4: /^t13d\d{4}h1_[0-9a-f]{12}_[0-9a-f]{12}$/,
        },
      },
    },
  ]);
});

await t.test('a version that is not served shows in the offer', async (t) => {
  const proxy = await start(t);
  const socket = connect({
    host: '127.0.0.1',
    port: proxy.port,
    servername: 'a.test',
    rejectUnauthorized: false,
    minVersion: 'TLSv1.1',
    maxVersion: 'TLSv1.1',
    ciphers: 'ALL:@SECLEVEL=0',
  });
  await once(socket, 'error');
  t.match(handshakes(proxy), [
    { handshake: { reason: 'protocol', offer: { versions: ['TLSv1.1'], alpn: [], ja4: /^t11d\d{4}00_/ } } },
  ]);
});

await t.test('one software has one fingerprint, whoever it is and whatever is wrong', async (t) => {
  const proxy = await start(t);
  const to = { port: proxy.port, serverName: 'a.test', host: 'a.test' };
  t.equal((await request(to)).status, 400);
  t.equal((await request({ ...to, certificate: stranger })).status, 400);
  const lines = handshakes(proxy) as { handshake: { reason: string; offer: { ja4: string } } }[];
  t.same(
    lines.map(({ handshake }) => handshake.reason),
    ['no_certificate', 'untrusted'],
  );
  t.equal(lines[0]!.handshake.offer.ja4, lines[1]!.handshake.offer.ja4);
});

await t.test('bytes that are no ClientHello offer nothing; a good handshake has no line', async (t) => {
  const proxy = await start(t);
  t.match(await exchange(openTcp(proxy.port), 'GET / HTTP/1.1\r\n\r\n'), /^HTTP\/1.1 400 /);
  const to = { port: proxy.port, serverName: 'a.test', host: 'a.test', certificate: client };
  t.equal((await request(to)).status, 200);
  t.match(handshakes(proxy), [{ handshake: { reason: 'protocol', offer: null } }]);
});

import { once } from 'node:events';
import { connect } from 'node:net';
import t from 'tap';
import type { Readiness } from '../../src/admin/endpoints.ts';
import { isLoopback, namesLoopback } from '../../src/admin/loopback.ts';
import { ask, makeAdmin, metricsPage, sendRaw, start } from './client.ts';

void t.test('the metrics page comes with the content type that Prometheus asks for', async (t) => {
  const at = await start(t);
  const reply = await ask(at, '/metrics');
  t.equal(reply.status, 200);
  t.equal(reply.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
  t.equal(reply.body, metricsPage);
  t.equal((await ask(at, '/metrics?name[]=x')).body, metricsPage, 'a query is nothing to it');
});

void t.test('health is a matter of being alive, readiness of taking traffic, with the reason', async (t) => {
  let state: Readiness = { ready: false, reason: 'starting: no configuration is in force yet' };
  const at = await start(t, { ready: () => state });
  t.match(await ask(at, '/healthz'), { status: 200, body: 'ok\n' });
  t.match(await ask(at, '/readyz'), {
    status: 503,
    body: 'not ready: starting: no configuration is in force yet\n',
  });
  state = { ready: true };
  t.match(await ask(at, '/readyz'), { status: 200, body: 'ready\n' });
  state = { ready: false, reason: 'draining' };
  t.match(await ask(at, '/readyz'), { status: 503, body: 'not ready: draining\n' });
  t.match(await ask(at, '/healthz'), { status: 200 });
});

void t.test('status is JSON, and nothing is cached, sniffed or framed', async (t) => {
  const reply = await ask(await start(t), '/status');
  t.same(JSON.parse(reply.body), { version: '1.2.3' });
  t.match(reply.headers, {
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'content-security-policy': /default-src 'none'/,
  });
  t.notOk(reply.headers['access-control-allow-origin']);
});

void t.test('HEAD is GET without the body', async (t) => {
  const at = await start(t);
  for (const path of ['/metrics', '/healthz', '/readyz', '/status', '/nothing']) {
    const [get, head] = [await ask(at, path), await ask(at, path, { method: 'HEAD' })];
    t.equal(head.status, get.status);
    t.equal(head.headers['content-length'], get.headers['content-length']);
    t.equal(head.body, '');
  }
});

void t.test('only the methods and paths of the table, and only without a body', async (t) => {
  const at = await start(t);
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE']) {
    t.match(await ask(at, '/metrics', { method }), { status: 405, headers: { allow: 'GET, HEAD' } }, method);
  }
  t.match(await ask(at, '/reload'), { status: 405, headers: { allow: 'POST' } });
  t.match(await ask(at, '/metrics', { headers: { 'content-length': '5' } }), { status: 400 });
  t.match(await ask(at, '/metrics', { headers: { 'transfer-encoding': 'chunked' } }), { status: 400 });
  for (const path of ['/metrics/', '//metrics', '/METRICS', '/__proto__', '/constructor', '/healthz/..']) {
    t.match(await ask(at, path), { status: 404 }, path);
  }
});

void t.test('on loopback a name that is not this machine gets nothing (DNS rebinding)', async (t) => {
  const at = await start(t);
  const statusFor = async (host: string): Promise<number> =>
    (await ask(at, '/status', { headers: { host } })).status;
  for (const host of [
    'localhost',
    'LOCALHOST',
    `localhost:${at.port}`,
    '127.0.0.1',
    '127.0.0.1:1',
    '[::1]:9',
  ]) {
    t.equal(await statusFor(host), 200, host);
  }
  const others = [
    'evil.test',
    `evil.test:${at.port}`,
    'localhost.evil.test',
    '127.0.0.1.evil.test',
    '192.0.2.1',
  ];
  others.push(
    'localhost@evil.test',
    'localhost:8:9',
    '127.1',
    '[::]',
    '::1',
    'localhost.',
    'localhost, evil.test',
  );
  for (const host of others) t.equal(await statusFor(host), 421, host);
});

void t.test('two Host headers, an absolute target or no Host at all are no way around that', async (t) => {
  const at = await start(t);
  const status = async (head: string): Promise<string> =>
    (await sendRaw(at, `${head}\r\nconnection: close\r\n\r\n`)).slice(0, 12);
  t.equal(await status('GET /status HTTP/1.1\r\nhost: localhost'), 'HTTP/1.1 200');
  t.equal(await status('GET /status HTTP/1.1\r\nhost: localhost\r\nhost: evil.test'), 'HTTP/1.1 421');
  t.equal(await status('GET /status HTTP/1.1\r\nhost: evil.test\r\nhost: localhost'), 'HTTP/1.1 421');
  t.equal(await status('GET http://evil.test/status HTTP/1.1\r\nhost: localhost'), 'HTTP/1.1 404');
  t.equal(await status('GET /status HTTP/1.1\r\nx: y'), 'HTTP/1.1 400');
  t.equal(await status('GET /status HTTP/1.0\r\nx: y'), 'HTTP/1.1 421');
});

void t.test('elsewhere than on loopback it answers to any name that others know it by', async (t) => {
  const at = await start(t, {}, '0.0.0.0');
  const local = { ...at, address: '127.0.0.1' };
  t.match(await ask(local, '/healthz', { headers: { host: 'pod-7.example.com:9090' } }), { status: 200 });
});

void t.test('a head that is too large ends in 431, and the listener lives on', async (t) => {
  const at = await start(t);
  const reply = await sendRaw(
    at,
    `GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`,
  );
  t.match(reply, /^HTTP\/1\.1 431 /);
  t.match(await ask(at, '/healthz'), { status: 200 });
});

void t.test('a part that fails is a 500 without a word of why', async (t) => {
  const at = await start(t, {
    metrics: () => Promise.reject(new Error('secret of /etc/key.pem')),
    status: () => {
      throw new Error('secret of /etc/key.pem');
    },
  });
  for (const path of ['/metrics', '/status']) {
    t.match(await ask(at, path), { status: 500, body: 'internal error\n' });
  }
  t.match(await ask(at, '/healthz'), { status: 200 });
});

void t.test('an address in use rejects with the system’s error', async (t) => {
  const { address, port } = await start(t);
  const second = makeAdmin();
  await t.rejects(second.listen({ address, port }), { code: 'EADDRINUSE' });
  await second.close();
});

void t.test('closing ends idle connections and those that never finish asking', async (t) => {
  const admin = makeAdmin();
  const { address, port } = await admin.listen({ address: '127.0.0.1', port: 0 });
  const idle = connect(port, address);
  const half = connect(port, address);
  await Promise.all([once(idle, 'connect'), once(half, 'connect')]);
  idle.write('GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n');
  half.write('GET /healthz HTTP/1.1\r\n');
  await once(idle, 'data');
  idle.resume();
  half.resume();
  // Cut off with a reset, which `once` would take for its own failure.
  const closed = [idle, half].map((socket) => {
    socket.on('error', () => {});
    return new Promise((resolve) => socket.once('close', resolve));
  });
  await Promise.all([admin.close(), ...closed]);
  await admin.close();
  await t.rejects(ask({ address, port, family: 'IPv4' }, '/healthz'), { code: 'ECONNREFUSED' });
});

void t.test('loopback is 127.0.0.0/8 and ::1, as IPv6 too', (t) => {
  for (const address of ['127.0.0.1', '127.255.0.9', '::1', '::ffff:127.0.0.1'])
    t.ok(isLoopback(address), address);
  for (const address of [
    '0.0.0.0',
    '::',
    '10.0.0.1',
    '128.0.0.1',
    '::ffff:10.0.0.1',
    '127.evil.test',
    'fe80::1',
  ]) {
    t.notOk(isLoopback(address), address);
  }
  const bound = { address: '127.0.0.2', family: 'IPv4', port: 1 };
  t.ok(namesLoopback(['127.0.0.2:80'], bound), 'the very address listened on');
  t.notOk(namesLoopback(['127.0.0.3'], bound));
  t.notOk(namesLoopback([], bound));
  t.end();
});

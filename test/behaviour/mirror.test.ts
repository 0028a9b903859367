import { once } from 'node:events';
import t, { type Test } from 'tap';
import type { RouteConfig } from '../../src/config/schema.ts';
import { request } from '../support/client.ts';
import { createAuthority } from '../support/pki.ts';
import { type Backend, startBackend, startProxy } from '../support/proxy.ts';

const root = await createAuthority({ cn: 'Root' });
const server = await root.issue({ cn: 'server', hosts: ['a.test'], usage: 'server' });
const ann = await root.issue({ cn: 'ann' });
const material = { 'server.pem': server.bundle, 'server.key': server.key, 'ca.pem': root.cert };

/** A backend that gives back the body it got, and tells the bodies as they are complete. */
async function echo(t: Test, status = 200): Promise<Backend & { readonly bodies: string[] }> {
  const bodies: string[] = [];
  const backend = await startBackend(t, (request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString('latin1')));
    request.on('end', () => {
      bodies.push(body);
      backend.server.emit('complete');
      response.statusCode = status;
      response.end(`got ${body.length}`);
    });
  });
  return { ...backend, bodies };
}

async function start(t: Test, backends: Record<string, string[]>, route: Partial<RouteConfig>) {
  const proxy = await startProxy(
    t,
    {
      hosts: [
        {
          names: ['a.test'],
          certificate: { cert: 'server.pem', key: 'server.key' },
          clientAuth: { mode: 'require', ca: 'ca.pem' },
          routes: [{ path: '/', upstream: 'main', bodyLimit: '4m', ...route }],
        },
      ],
      upstreams: Object.fromEntries(
        Object.entries(backends).map(([name, endpoints]) => [name, { endpoints }]),
      ),
    },
    material,
  );
  const ask = (options: { method?: string; path?: string; headers?: string[]; body?: string } = {}) =>
    request({ port: proxy.port, host: 'a.test', serverName: 'a.test', certificate: ann, ...options });
  return Object.assign(ask, { metrics: () => proxy.metrics() });
}

void t.test('a copy has the path, headers, identity and body of its original', async (t) => {
  const [main, copy] = [await echo(t), await echo(t, 500)];
  const ask = await start(
    t,
    { main: [main.endpoint], copies: [copy.endpoint] },
    { mirror: { upstream: 'copies', host: 'copy.test' } },
  );
  const complete = once(copy.server, 'complete');
  const forged = ['X-Own: yes', 'ssl-client-subject-dn: CN=root'];
  const answer = await ask({ method: 'POST', path: '/a?b', body: 'hello', headers: forged });
  t.equal(answer.status, 200, 'what the copy is answered is of no account');
  t.equal(answer.body, 'got 5');
  await complete;
  const [seen] = copy.seen;
  t.equal(seen?.method, 'POST');
  t.equal(seen?.url, '/a?b');
  t.equal(seen?.headers['host'], 'copy.test');
  t.equal(seen?.headers['x-own'], 'yes');
  t.equal(seen?.headers['ssl-client-subject-dn'], 'CN=ann');
  t.same(copy.bodies, ['hello']);
  const { host: _host, ...others } = seen?.headers ?? {};
  const { host, ...original } = main.seen[0]?.headers ?? {};
  t.same(others, original);
  t.equal(host, 'a.test');
});

void t.test('copies may go without their bodies', async (t) => {
  const [main, copy] = [await echo(t), await echo(t)];
  const ask = await start(
    t,
    { main: [main.endpoint], copies: [copy.endpoint] },
    { mirror: { upstream: 'copies', body: false } },
  );
  const complete = once(copy.server, 'complete');
  t.equal((await ask({ method: 'POST', body: 'hello' })).body, 'got 5');
  await complete;
  t.same(copy.bodies, ['']);
});

void t.test('a copy that fails, and a body too large to copy, cost the original nothing', async (t) => {
  const [main, copy] = [await echo(t), await echo(t)];
  const ask = await start(t, { main: [main.endpoint], copies: [] }, { mirror: { upstream: 'copies' } });
  t.equal((await ask({ method: 'POST', body: 'hello' })).body, 'got 5');
  t.match(await ask.metrics(), /^mtls_upstream_copies_failed_total\{upstream="copies"\} 1$/m);
  const large = await start(
    t,
    { main: [main.endpoint], copies: [copy.endpoint] },
    { mirror: { upstream: 'copies' } },
  );
  const size = 3 * 1024 ** 2;
  t.equal((await large({ method: 'POST', body: 'x'.repeat(size) })).body, `got ${size}`);
  const complete = once(copy.server, 'complete');
  await large({ method: 'POST', body: 'small' });
  await complete;
  t.same(copy.bodies, ['small'], 'the large one was not copied');
});

void t.test('what was refused is not copied', async (t) => {
  const [main, copy] = [await echo(t), await echo(t)];
  const ask = await start(
    t,
    { main: [main.endpoint], copies: [copy.endpoint] },
    { mirror: { upstream: 'copies' }, policy: { cn: 'bob' } },
  );
  t.equal((await ask()).status, 403);
  t.same(copy.seen, []);
});

void t.test('a buffered body is tried at another endpoint, whole', async (t) => {
  const [bad, good] = [await echo(t, 503), await echo(t)];
  const retry = { on: ['http_503' as const, 'non_idempotent' as const] };
  const buffered = await start(t, { main: [bad.endpoint, good.endpoint] }, { bufferRequest: true, retry });
  for (let n = 0; n < 4; n++) {
    const answer = await buffered({ method: 'POST', body: 'hello' });
    t.equal(answer.status, 200);
    t.equal(answer.body, 'got 5');
  }
  t.ok(bad.bodies.length > 0);
  t.ok([...bad.bodies, ...good.bodies].every((body) => body === 'hello'));
});

void t.test('the length of a buffered body is told, and one too large streams on in order', async (t) => {
  const main = await echo(t);
  const ask = await start(t, { main: [main.endpoint] }, { bufferRequest: true });
  const chunked = ['Transfer-Encoding: chunked'];
  const socket = await ask({ method: 'POST', headers: [...chunked, '', '5\r\nhello\r\n0'] });
  t.equal(socket.body, 'got 5');
  t.equal(main.seen[0]?.headers['content-length'], '5');
  t.equal(main.seen[0]?.headers['transfer-encoding'], undefined);
  const piece = Array.from({ length: 65_536 }, (_, n) => String.fromCharCode(97 + (n % 23))).join('');
  const pieces = Array.from({ length: 40 }, () => `10000\r\n${piece}\r\n`).join('');
  const large = await ask({ method: 'POST', headers: [...chunked, '', `${pieces}0`] });
  t.equal(large.body, `got ${40 * 65_536}`);
  t.equal(main.bodies[1], piece.repeat(40), 'nothing is lost, doubled or out of order');
  t.equal(main.seen[1]?.headers['transfer-encoding'], 'chunked');
});

void t.test('a body over the limit is refused before the upstream hears of it', async (t) => {
  const main = await echo(t);
  const ask = await start(t, { main: [main.endpoint] }, { bufferRequest: true, bodyLimit: '1k' });
  const pieces = `400\r\n${'x'.repeat(1024)}\r\n`.repeat(2);
  const answer = await ask({ method: 'POST', headers: ['Transfer-Encoding: chunked', '', `${pieces}0`] });
  t.equal(answer.status, 413);
  t.same(main.seen, []);
});

void t.test('a response head over the limit is answered 502', async (t) => {
  const main = await startBackend(t, (request, response) => {
    response.setHeader('X-Long', 'x'.repeat(Number(request.url?.slice(1))));
    response.end('ok');
  });
  const ask = await start(t, { main: [main.endpoint] }, { responseHeadLimit: '4k' });
  t.equal((await ask({ path: '/3000' })).status, 200);
  t.equal((await ask({ path: '/4090' })).status, 502);
});

void t.test('with connectionHeader close each request has a connection of its own', async (t) => {
  for (const [connectionHeader, connections] of [
    ['keep-alive', 1],
    ['close', 3],
  ] as const) {
    const main = await startBackend(t);
    let opened = 0;
    main.server.on('connection', () => opened++);
    const ask = await start(t, { main: [main.endpoint] }, { connectionHeader });
    for (let n = 0; n < 3; n++) t.equal((await ask()).body, 'ok');
    t.equal(opened, connections);
    t.equal(main.seen[0]?.headers['connection'], connectionHeader);
  }
});

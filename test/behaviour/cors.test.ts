import t from 'tap';
import { exchange, openTcp, openTls, parseAnswer, request, type RequestOptions } from '../support/client.ts';
import { createAuthority } from '../support/pki.ts';
import { startBackend, startProxy, type PartialConfig } from '../support/proxy.ts';

// Browsers send no certificate with a preflight, and read an answer only where it says that they may.

const ca = await createAuthority({ cn: 'CA' });
const other = await createAuthority({ cn: 'Other' });
const server = await ca.issue({ cn: 'server', hosts: ['a.test', 'b.test'], usage: 'server' });
const good = await ca.issue({ cn: 'good' });
const material = {
  'server.pem': server.bundle,
  'server.key': server.key,
  'ca.pem': ca.cert,
  'other.pem': other.cert,
};
const page = 'https://app.example';
const method = 'Access-Control-Request-Method: PUT';
const cors = { origins: [page, 'https://*.b.example'] };
const certificate = { cert: 'server.pem', key: 'server.key' };
const clientAuth = { mode: 'require' as const, ca: 'ca.pem' };

function config(endpoint: string): PartialConfig {
  return {
    listeners: { http: { address: '127.0.0.1', port: 0 } },
    hosts: [
      {
        names: ['a.test'],
        certificate,
        clientAuth,
        routes: [
          { path: '/', upstream: 'u' },
          { path: '/api', upstream: 'u', cors },
          { path: '/own', upstream: 'u', cors, clientAuth: { mode: 'require' as const, ca: 'other.pem' } },
          { path: '/policy', upstream: 'u', cors, policy: { cn: 'nobody' } },
          { path: '/closed', upstream: 'u', cors, access: { allow: [] } },
          { path: '/down', upstream: 'down', cors },
          { path: '/here', respond: { status: 200, body: 'x' }, cors },
          { path: '/empty', respond: { status: 204 } },
        ],
      },
      { names: ['b.test'], certificate, clientAuth, routes: [{ path: '/', upstream: 'u', cors }] },
      {
        names: ['plain.test'],
        certificate,
        routes: [
          { path: '/', upstream: 'u', cors, plainHttp: 'serve' as const },
          { path: '/sent-on', upstream: 'u', cors },
        ],
      },
    ],
    upstreams: { u: { endpoints: [endpoint] }, down: { endpoints: ['127.0.0.1:1'] } },
  };
}

async function start(t: Parameters<typeof startBackend>[0]) {
  const backend = await startBackend(t, (_, response) => {
    response.setHeader('Access-Control-Allow-Origin', '*');
    response.setHeader('access-control-allow-credentials', 'true');
    response.end('ok');
  });
  const proxy = await startProxy(t, config(backend.endpoint), material);
  const ask = (options: Partial<RequestOptions>) =>
    request({ port: proxy.port, host: 'a.test', serverName: 'a.test', certificate: null, ...options });
  const preflight = (path: string, options: Partial<RequestOptions> = {}, origin = page) =>
    ask({
      method: 'OPTIONS',
      path,
      headers: [`Origin: ${origin}`, method],
      ...options,
    });
  return { backend, proxy, ask, preflight };
}

await t.test(
  'a preflight without a certificate is answered where a route has CORS, and goes nowhere',
  async (t) => {
    const { backend, proxy, preflight } = await start(t);
    for (const path of ['/api', '/api/x', '/own', '/policy', '/closed', '/down', '/here']) {
      const answer = await preflight(path);
      t.equal(answer.status, 204, path);
      t.equal(answer.headers['access-control-allow-origin'], page);
      t.equal(answer.headers['access-control-allow-credentials'], 'true');
      t.match(answer.headers['access-control-allow-methods'], /PUT/);
      t.equal(answer.headers['vary'], 'Origin');
      t.equal(answer.headers['content-length'], undefined);
      t.equal(answer.body, '');
    }
    t.equal(backend.seen.length, 0);
    const line = proxy.log.find(({ request }) => request !== undefined);
    t.match(line, { level: 'info', request: { decision: 'cors_preflight' } });
  },
);

await t.test('a preflight of another origin is told nothing, and is not passed on either', async (t) => {
  const { backend, preflight } = await start(t);
  for (const origin of [
    'null',
    'https://app.example.evil',
    'https://evilapp.example',
    'https://evilb.example',
  ]) {
    const answer = await preflight('/api', {}, origin);
    t.equal(answer.status, 204, origin);
    t.same(
      Object.keys(answer.headers).filter((name) => name.startsWith('access-control')),
      [],
    );
  }
  t.equal(backend.seen.length, 0);
});

await t.test('nothing but a preflight passes without a certificate', async (t) => {
  const { backend, ask, preflight } = await start(t);
  const lacking: Partial<RequestOptions>[] = [
    { headers: [`Origin: ${page}`, method] },
    { method: 'POST', headers: [`Origin: ${page}`, method] },
    { method: 'OPTIONS', headers: [`Origin: ${page}`] },
    { method: 'OPTIONS', headers: [method] },
    { method: 'OPTIONS', headers: [`Origin: ${page}`, `Origin: ${page}`, method] },
    { method: 'GET', headers: [`Origin: ${page}`, method, 'X-HTTP-Method-Override: OPTIONS'] },
  ];
  for (const options of lacking) {
    const answer = await ask({ path: '/api', ...options });
    t.equal(answer.status, 400, JSON.stringify(options));
    t.equal(answer.headers['access-control-allow-origin'], undefined);
  }
  for (const path of ['/', '/apix', '/empty', '/api/..;/x', '/api%2f..%2fx']) {
    t.equal((await preflight(path)).status, 400, path);
  }
  t.equal(backend.seen.length, 0);
});

await t.test('a request behind its preflight on the same connection needs its certificate', async (t) => {
  const { backend, proxy } = await start(t);
  const socket = await openTls({ port: proxy.port, serverName: 'a.test', certificate: null });
  const text = await exchange(
    socket,
    `OPTIONS /api HTTP/1.1\r\nHost: a.test\r\nOrigin: ${page}\r\nAccess-Control-Request-Method: PUT\r\n\r\n` +
      `PUT /api HTTP/1.1\r\nHost: a.test\r\nOrigin: ${page}\r\nContent-Length: 0\r\n\r\n`,
  );
  const [first = '', second = ''] = text.split(/(?=HTTP\/1\.1 400)/);
  t.equal(parseAnswer(first).status, 204);
  t.equal(parseAnswer(second).status, 400);
  t.equal(backend.seen.length, 0);
});

await t.test("a preflight on another host's connection is misdirected", async (t) => {
  const { preflight } = await start(t);
  t.equal((await preflight('/', { host: 'b.test' })).status, 421);
  t.equal((await preflight('/', { host: 'b.test', serverName: 'b.test' })).status, 204);
});

await t.test('forwarded responses and our own answers say who may read them', async (t) => {
  const { ask } = await start(t);
  const expected: Record<string, number> = {
    '/api': 200,
    '/policy': 403,
    '/closed': 403,
    '/down': 502,
    '/here': 200,
  };
  for (const [path, status] of Object.entries(expected)) {
    const answer = await ask({ certificate: good, path, headers: [`Origin: ${page}`] });
    t.equal(answer.status, status, path);
    t.equal(answer.headers['access-control-allow-origin'], page, path);
    t.equal(answer.headers['access-control-allow-credentials'], 'true', path);
    t.equal(answer.headers['vary'], 'Origin', path);
    t.equal(answer.raw.match(/access-control-allow-origin/gi)?.length, 1, path);
    for (const origin of ['null', 'https://app.example.evil']) {
      const refused = await ask({ certificate: good, path, headers: [`Origin: ${origin}`] });
      t.equal(refused.status, status, path);
      t.notMatch(refused.raw, /access-control-allow/i, `${path} for ${origin}`);
      t.equal(refused.headers['vary'], 'Origin', path);
    }
  }
  const left = await ask({ certificate: good, path: '/', headers: [`Origin: ${page}`] });
  t.equal(
    left.headers['access-control-allow-origin'],
    '*',
    "without CORS of its own a route leaves the upstream's",
  );
});

await t.test('an Origin cannot carry a header into an answer', async (t) => {
  const { ask } = await start(t);
  for (const origin of [`${page}\rX-Evil: 1`, `${page}\nX-Evil: 1`, `${page}\r\nX-Evil: 1`, `${page}\0`]) {
    const answer = await ask({ certificate: good, path: '/api', headers: [`Origin: ${origin}`] });
    t.equal(answer.headers['x-evil'], undefined, JSON.stringify(origin));
  }
});

await t.test(
  'over plain HTTP a preflight is answered where requests are, and redirected where they are',
  async (t) => {
    const { backend, proxy } = await start(t);
    const port = proxy.addresses.http!.port;
    for (const [path, status] of [
      ['/', 204],
      ['/sent-on', 308],
    ] as const) {
      const lines = ['Host: plain.test', 'Connection: close', `Origin: ${page}`, method];
      const bytes = `OPTIONS ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`;
      t.equal(parseAnswer(await exchange(openTcp(port), bytes)).status, status, path);
    }
    t.equal(backend.seen.length, 0);
  },
);

await t.test('an answer with no content has no body and no length', async (t) => {
  const { ask } = await start(t);
  const answer = await ask({ certificate: good, path: '/empty' });
  t.equal(answer.status, 204);
  t.equal(answer.body, '');
  t.equal(answer.headers['content-length'], undefined);
  t.equal(answer.headers['content-type'], undefined);
});

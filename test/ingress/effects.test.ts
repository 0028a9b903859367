import { createHash } from 'node:crypto';
import { once } from 'node:events';
import t from 'tap';
import { App } from '../../src/app.ts';
import { createManifestSource } from '../../src/ingress/manifest-source.ts';
import { readManifestFlags } from '../../src/ingress/serve-options.ts';
import { createObservability } from '../../src/observe/observe.ts';
import { exchange, openTcp, parseAnswer, type RawAnswer, request } from '../support/client.ts';
import {
  configMap,
  ingress,
  type IngressOptions,
  type Manifest,
  secret,
  service,
} from '../support/objects.ts';
import { startBackend } from '../support/proxy.ts';

// Annotations from the manifest to the wire: one program over one folder, and what a client or a backend sees of each family.

const sha = createHash('sha1').update('right').digest('base64');

const ingresses: readonly IngressOptions[] = [
  { host: 'plain.test' },
  { host: 'rewrite.test', path: '/api/(.*)', annotations: { 'rewrite-target': '/$1', 'use-regex': 'true' } },
  { host: 'bare.test', path: '/api/(.*)', annotations: { 'rewrite-target': '/$1?' } },
  { host: 'root.test', annotations: { 'app-root': '/app' } },
  {
    host: 'moved.test',
    annotations: { 'permanent-redirect': 'https://new.test/x', 'permanent-redirect-code': '308' },
  },
  { host: 'two.test', annotations: { 'from-to-www-redirect': 'true' } },
  { host: 'https.test', annotations: { 'force-ssl-redirect': 'true' } },
  { host: 'cors.test', annotations: { 'enable-cors': 'true', 'cors-allow-origin': 'https://page.test' } },
  {
    host: 'basic.test',
    annotations: { 'auth-type': 'basic', 'auth-secret': 'users', 'auth-realm': 'inside' },
  },
  {
    host: 'ask.test',
    annotations: {
      'auth-url': 'http://judge.default.svc.cluster.local/check',
      'auth-response-headers': 'X-User',
      'auth-signin': 'https://login.test/start',
    },
  },
  { host: 'inside.test', annotations: { 'whitelist-source-range': '10.0.0.0/8' } },
  { host: 'ours.test', annotations: { 'whitelist-source-range': '127.0.0.0/8' } },
  { host: 'outside.test', annotations: { 'denylist-source-range': '127.0.0.0/8' } },
  { host: 'slow.test', annotations: { 'limit-rpm': '1', 'limit-burst-multiplier': '1' } },
  { host: 'canary.test' },
  {
    host: 'canary.test',
    name: 'canary-other',
    service: 'other',
    annotations: { canary: 'true', 'canary-by-header': 'X-Canary' },
  },
  { host: 'sticky.test', annotations: { affinity: 'cookie', 'session-cookie-name': 'route' } },
  { host: 'errors.test', annotations: { 'custom-http-errors': '418', 'default-backend': 'pages' } },
  { host: 'headers.test', annotations: { 'custom-headers': 'default/added' } },
  { host: 'vhost.test', annotations: { 'upstream-vhost': 'inner.test' } },
  { host: 'mirror.test', annotations: { 'mirror-target': 'http://copies.default$request_uri' } },
  { host: 'small.test', annotations: { 'proxy-body-size': '4' } },
  {
    host: 'location.test',
    annotations: { 'proxy-redirect-from': 'http://inner/', 'proxy-redirect-to': 'https://outer.test/' },
  },
  { host: 'cookies.test', annotations: { 'proxy-cookie-path': '/ /app/' } },
  { host: 'alias.test', annotations: { 'server-alias': 'other-name.test' } },
  { host: 'snippet.test', annotations: { 'server-snippet': 'return 200;' } },
];

const objects: readonly Manifest[] = [
  ...ingresses.map((one) => {
    const made = ingress({ className: null, ...one });
    // A regular expression stands in no path of the kind Prefix.
    return one.path === undefined
      ? made
      : (JSON.parse(
          JSON.stringify(made).replace('"pathType":"Prefix"', '"pathType":"ImplementationSpecific"'),
        ) as Manifest);
  }),
  service('pages'),
  secret('users', { auth: `alice:{SHA}${sha}` }),
  configMap('added', { 'X-Added': 'yes' }),
  configMap('ingress-nginx-controller', { 'global-allowed-response-headers': 'X-Added' }, 'ingress-nginx'),
];

const web = await startBackend(t, ({ url }, response) => {
  response.setHeader('Location', 'http://inner/next');
  response.setHeader('Set-Cookie', 'a=1; Path=/');
  response.statusCode = url === '/teapot' ? 418 : 200;
  response.end('web');
});
const other = await startBackend(t, (_, response) => response.end('other'));
const pages = await startBackend(t, (_, response) => response.end('a page'));
const copies = await startBackend(t);
const judge = await startBackend(t, ({ headers }, response) => {
  response.statusCode = headers.authorization === 'good' ? 200 : 401;
  response.setHeader('X-User', 'alice');
  response.end();
});

const dir = t.testdir(
  Object.fromEntries(objects.map((one, index) => [`${index}.json`, JSON.stringify(one)])),
);
const options = readManifestFlags({
  resolve: Object.entries({ web, other, pages, copies, judge }).map(
    ([name, { endpoint }]) => `default/${name}=${endpoint}`,
  ),
  address: '127.0.0.1',
  'https-port': '0',
  'http-port': '0',
  'admin-port': '0',
});
if ('fault' in options) throw new Error(options.fault);
const app = new App(
  createManifestSource(dir, options),
  createObservability({ destination: { write: () => {} } }),
);
const { http, https } = await app.start();
t.teardown(() => app.stop());

/** Over plain HTTP: what is checked here does not depend on TLS. */
async function ask(
  host: string,
  path = '/',
  headers: readonly string[] = [],
  { method = 'GET', body = '' } = {},
): Promise<RawAnswer> {
  const length = body === '' ? [] : [`Content-Length: ${body.length}`];
  const head = [`${method} ${path} HTTP/1.1`, `Host: ${host}`, 'Connection: close', ...headers, ...length];
  return parseAnswer(await exchange(openTcp(http!.port), `${head.join('\r\n')}\r\n\r\n${body}`));
}

void t.test('an Ingress without annotations forwards', async (t) => {
  t.match(await ask('plain.test', '/a?b'), { status: 200, body: 'web' });
  t.match(web.seen.at(-1), { url: '/a?b', headers: { host: 'plain.test', 'x-forwarded-proto': 'http' } });
});

void t.test('rewrite-target: the backend gets the group, with or without the arguments', async (t) => {
  t.equal((await ask('rewrite.test', '/api/a/b?q=1')).status, 200);
  t.equal(web.seen.at(-1)?.url, '/a/b?q=1');
  t.equal((await ask('bare.test', '/api/a/b?q=1')).status, 200);
  t.equal(web.seen.at(-1)?.url, '/a/b');
});

void t.test('redirects: app-root, permanent-redirect, www, https', async (t) => {
  const before = web.seen.length;
  t.match(await ask('root.test'), { status: 302, headers: { location: 'http://root.test/app' } });
  t.match(await ask('moved.test', '/y'), { status: 308, headers: { location: 'https://new.test/x' } });
  t.match(await ask('www.two.test', '/y'), { status: 308, headers: { location: 'http://two.test/y' } });
  t.match(await ask('https.test', '/y'), {
    status: 308,
    headers: { location: /^https:\/\/https\.test(:\d+)?\/y$/ },
  });
  t.equal(web.seen.length, before, 'none of them reaches the backend');
});

void t.test('enable-cors: the preflight is answered, and only the named origin may read', async (t) => {
  const before = web.seen.length;
  const preflight = (origin: string): Promise<RawAnswer> =>
    ask('cors.test', '/', [`Origin: ${origin}`, 'Access-Control-Request-Method: PUT'], { method: 'OPTIONS' });
  t.match(await preflight('https://page.test'), {
    status: 204,
    headers: { 'access-control-allow-origin': 'https://page.test', 'access-control-allow-methods': /PUT/ },
  });
  t.equal(web.seen.length, before);
  t.notOk(
    (await ask('cors.test', '/', ['Origin: https://evil.test'])).headers['access-control-allow-origin'],
  );
});

void t.test('auth-type basic: a user with the right password, and nobody else', async (t) => {
  const before = web.seen.length;
  const as = (pair: string): string[] => [`Authorization: Basic ${Buffer.from(pair).toString('base64')}`];
  t.match(await ask('basic.test'), { status: 401, headers: { 'www-authenticate': /realm="inside"/ } });
  t.equal((await ask('basic.test', '/', as('alice:wrong'))).status, 401);
  t.equal(web.seen.length, before);
  t.equal((await ask('basic.test', '/', as('alice:right'))).status, 200);
});

void t.test('auth-url: the service says who may, and its header reaches the backend', async (t) => {
  const before = web.seen.length;
  const refused = await ask('ask.test', '/a');
  t.match(refused, { status: 302, headers: { location: /^https:\/\/login\.test\/start\?rd=/ } });
  t.equal(web.seen.length, before);
  t.equal((await ask('ask.test', '/a', ['Authorization: good', 'X-User: mallory'])).status, 200);
  t.equal(web.seen.at(-1)?.headers['x-user'], 'alice');
  t.equal(judge.seen.at(-1)?.url, '/check');
});

void t.test('source ranges: 403 for whom they leave out', async (t) => {
  t.equal((await ask('inside.test')).status, 403);
  t.equal((await ask('outside.test')).status, 403);
  t.equal((await ask('ours.test')).status, 200);
});

void t.test('limit-rpm: 503 past the burst', async (t) => {
  const statuses: number[] = [];
  for (let index = 0; index < 4; index++) statuses.push((await ask('slow.test')).status);
  t.equal(statuses[0], 200);
  t.equal(statuses.at(-1), 503);
});

void t.test('canary-by-header: the other Service for who asks for it', async (t) => {
  t.equal((await ask('canary.test')).body, 'web');
  t.equal((await ask('canary.test', '/', ['X-Canary: always'])).body, 'other');
  t.equal((await ask('canary.test', '/', ['X-Canary: never'])).body, 'web');
});

void t.test('affinity: a cookie of the configured name', async (t) => {
  t.match((await ask('sticky.test')).raw, /\r\nset-cookie: route=[^;]+;[^\r]*Path=\//i);
});

void t.test('custom-http-errors: the default backend answers, and learns the status', async (t) => {
  t.match(await ask('errors.test', '/teapot'), { body: 'a page' });
  t.match(pages.seen.at(-1)?.headers, {
    'x-code': '418',
    'x-original-uri': '/teapot',
    'x-ingress-name': 'errors-test',
    'x-namespace': 'default',
  });
  t.equal((await ask('errors.test')).body, 'web');
});

void t.test('headers: custom-headers to the client, upstream-vhost to the backend', async (t) => {
  t.equal((await ask('headers.test')).headers['x-added'], 'yes');
  t.equal((await ask('vhost.test')).status, 200);
  t.equal(web.seen.at(-1)?.headers.host, 'inner.test');
});

void t.test('proxy-redirect and proxy-cookie-path rewrite what the backend says', async (t) => {
  t.equal((await ask('location.test')).headers['location'], 'https://outer.test/next');
  t.match((await ask('cookies.test')).headers['set-cookie'], /^a=1; Path=\/app\//i);
});

void t.test('mirror-target: a copy of the request', async (t) => {
  const copied = once(copies.server, 'request');
  t.equal((await ask('mirror.test', '/copy?a')).body, 'web');
  await copied;
  t.equal(copies.seen.at(-1)?.url, '/copy?a');
});

void t.test('proxy-body-size: 413 above it', async (t) => {
  t.equal((await ask('small.test', '/', [], { method: 'POST', body: '1234' })).status, 200);
  t.equal((await ask('small.test', '/', [], { method: 'POST', body: '12345' })).status, 413);
});

void t.test('server-alias: the same under another name', async (t) => {
  t.match(await ask('other-name.test'), { status: 200, body: 'web' });
});

void t.test('a snippet that may hold a check refuses its own paths, and no others', async (t) => {
  const before = web.seen.length;
  const host = 'snippet.test';
  t.equal((await request({ port: https.port, serverName: host, host })).status, 503);
  t.equal((await ask(host)).status, 308, 'what plain HTTP is for such a host, nobody can tell');
  t.equal(web.seen.length, before);
  t.equal((await ask('plain.test')).status, 200);
});

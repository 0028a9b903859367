import { createHash } from 'node:crypto';
import t from 'tap';
import { certificate, withRoutes } from '../support/routes.ts';

// What a route can do beside forwarding as it came; the native words for ingress-nginx's annotations.

await t.test('a regular expression finds its route, and its groups make the rewritten path', async (t) => {
  const { get, seen } = await withRoutes(t, [
    { path: '/something(/|$)(.*)', pathType: 'Regex', upstream: 'backend', rewrite: '/{2}' },
    { path: '/with-args/(.*)', pathType: 'Regex', upstream: 'backend', rewrite: '/x?part={1}' },
    { path: '/twice/(.*)/(.*)', pathType: 'Regex', upstream: 'backend', rewrite: '/{1}{2}' },
    { path: '/fixed', upstream: 'backend', rewrite: '/elsewhere' },
    { path: '/bare/(.*)', pathType: 'Regex', upstream: 'backend', rewrite: '/{1}?' },
    { path: '/own/(.*)', pathType: 'Regex', upstream: 'backend', rewrite: '/x?part={1}?' },
    { path: '/args', upstream: 'backend', rewrite: '/x?all={args}' },
    { path: '/tail', upstream: 'backend', rewrite: '/x?{args}&last=' },
  ]);
  const cases: Record<string, string> = {
    '/something': '/',
    '/something/': '/',
    '/something/new/thing': '/new/thing',
    '/SOMETHING/new?q=1': '/new?q=1',
    '/something/a%20b': '/a%20b',
    '/with-args/y?z=1': '/x?part=y&z=1',
    '/fixed/below?q': '/elsewhere?q',
    // A `?` at the template's end leaves the arguments out; one at the end of what the client wrote does not.
    '/bare/y?z=1': '/y',
    '/bare/y?': '/y',
    '/own/y?z=1': '/x?part=y',
    '/fixed?z=?': '/elsewhere?z=?',
    '/args?a=1': '/x?all=a=1&a=1',
    '/args': '/x?all=',
    '/tail?a=1': '/x?a=1&last=&a=1',
  };
  for (const [path, expected] of Object.entries(cases)) {
    t.equal((await get(path)).status, 200, path);
    t.equal(seen().url, expected, path);
  }
  t.equal((await get('/twice/./.')).status, 404, 'dots are gone before a path is matched');
});

await t.test('a redirect and an answer of the route reach no backend', async (t) => {
  const { get, backend } = await withRoutes(t, [
    { path: '/old', redirect: { to: 'https://new.test{uri}', status: 301 } },
    { path: '/app/(.*)', pathType: 'Regex', redirect: { to: '{scheme}://{authority}/{1}' } },
    { path: '/gone', respond: { status: 410 } },
    {
      path: '/robots.txt',
      pathType: 'Exact',
      respond: { status: 200, body: 'no', contentType: 'text/plain' },
    },
  ]);
  const old = await get('/old/x?y=1');
  t.match([old.status, old.headers['location']], [301, 'https://new.test/old/x?y=1']);
  const app = await get('/app/deep');
  t.match([app.status, app.headers['location']], [302, 'https://a.test/deep']);
  const gone = await get('/gone');
  t.equal(gone.status, 410);
  t.match(gone.body, /410 Gone/);
  const robots = await get('/robots.txt');
  t.match(robots, { status: 200, body: 'no', headers: { 'content-type': 'text/plain' } });
  t.equal(backend.seen.length, 0);
});

await t.test('what a client writes into a path cannot end a header of a redirect', async (t) => {
  const { get } = await withRoutes(t, [{ path: '/', redirect: { to: 'https://new.test{uri}' } }]);
  const answer = await get('/%0d%0aSet-Cookie:%20x=1?%0d%0ay');
  t.equal(answer.headers['set-cookie'], undefined);
  t.equal(answer.headers['location'], 'https://new.test/%0D%0ASet-Cookie:%20x=1?%0d%0ay');
});

await t.test('the upstream gets another Host, and headers that the route sets', async (t) => {
  const { get, seen } = await withRoutes(t, [
    {
      path: '/',
      upstream: 'backend',
      upstreamHost: 'internal.test',
      request: { set: { 'X-Forwarded-Prefix': '/app' } },
    },
  ]);
  await get('/', ['X-Forwarded-Prefix: /forged']);
  t.match(seen().headers, {
    host: 'internal.test',
    'x-forwarded-host': 'a.test',
    'x-forwarded-prefix': '/app',
  });
});

await t.test('a host named * answers for every name that is nobody else’s', async (t) => {
  const { get } = await withRoutes(t, [{ path: '/', upstream: 'backend' }], {
    config: {
      hosts: [
        { names: ['a.test'], certificate, routes: [{ path: '/', respond: { status: 200, body: 'a' } }] },
        { names: ['*'], certificate, routes: [{ path: '/', respond: { status: 200, body: 'rest' } }] },
        {
          names: ['mtls.test'],
          certificate,
          clientAuth: { mode: 'require', ca: 'ca.pem' },
          routes: [{ path: '/', respond: { status: 200, body: 'mtls' } }],
        },
      ],
    },
  });
  t.equal((await get('/', [], 'a.test')).body, 'a');
  t.equal((await get('/', [], 'other.test')).body, 'rest');
  t.equal((await get('/', [], 'deep.other.test')).body, 'rest');
  t.equal((await get('/', [], 'mtls.test')).body, 'mtls');
});

await t.test(
  'plain HTTP is served where a route says so, and never where a certificate is asked for',
  async (t) => {
    const open = await withRoutes(t, [
      { path: '/', upstream: 'backend', plainHttp: 'serve' },
      { path: '/secure', upstream: 'backend', httpsRedirect: { status: 301, stripTrailingSlash: true } },
    ]);
    t.equal((await open.plain('/x')).status, 200);
    t.match(open.seen().headers, { 'x-forwarded-proto': 'http', 'x-scheme': 'http' });
    // Measured against nginx in test/differential: a slash before arguments stays.
    t.match((await open.plain('/secure/?q')).headers['location'], /^https:\/\/a\.test:[0-9]+\/secure\/\?q$/);
    const redirected = await open.plain('/secure/');
    t.match([redirected.status, redirected.headers['location']], [301, /^https:\/\/a\.test:[0-9]+\/secure$/]);
    for (const host of [
      { clientAuth: { mode: 'require', ca: 'ca.pem' } },
      { clientAuth: { mode: 'optional', ca: 'ca.pem' } },
      { clientAuth: { mode: 'require', ca: 'ca.pem' }, policy: { cn: 'x' } },
    ]) {
      const closed = await withRoutes(t, [{ path: '/', upstream: 'backend', plainHttp: 'serve' }], { host });
      t.equal((await closed.plain('/')).status, 308, JSON.stringify(host));
      t.equal(closed.backend.seen.length, 0);
    }
  },
);

await t.test('addresses are let in and kept out, the denied first', async (t) => {
  const { get } = await withRoutes(t, [
    { path: '/here', upstream: 'backend', access: { allow: ['127.0.0.0/8'] } },
    { path: '/elsewhere', upstream: 'backend', access: { allow: ['192.0.2.0/24', '2001:db8::/32'] } },
    { path: '/both', upstream: 'backend', access: { allow: ['127.0.0.0/8'], deny: ['127.0.0.1'] } },
    { path: '/nobody', upstream: 'backend', access: { allow: [] } },
  ]);
  const statuses: Record<string, number> = { '/here': 200, '/elsewhere': 403, '/both': 403, '/nobody': 403 };
  for (const [path, status] of Object.entries(statuses)) {
    // Not believed: no proxy in front is trusted.
    t.equal((await get(path, ['X-Forwarded-For: 192.0.2.1', 'X-Real-IP: 192.0.2.1'])).status, status, path);
  }
});

await t.test(
  'behind a trusted proxy the client’s address, scheme and host are the ones it tells',
  async (t) => {
    const { get, plain, seen } = await withRoutes(
      t,
      [
        { path: '/', upstream: 'backend' },
        { path: '/near', upstream: 'backend', access: { allow: ['192.0.2.0/24'] } },
        { path: '/open', upstream: 'backend', plainHttp: 'serve' },
      ],
      { config: { forwarded: { trust: ['127.0.0.0/8'], append: true } } },
    );
    const told = ['X-Forwarded-For: 198.51.100.7, 192.0.2.9', 'X-Forwarded-Host: outside.test'];
    t.equal((await get('/near', told)).status, 200);
    t.equal((await get('/near', ['X-Forwarded-For: 192.0.2.9, 198.51.100.7'])).status, 403);
    await get('/', told);
    t.match(seen().headers, {
      'x-real-ip': '192.0.2.9',
      'x-forwarded-for': '198.51.100.7, 192.0.2.9, 127.0.0.1',
      'x-forwarded-host': 'outside.test',
      host: 'a.test',
    });
    t.equal((await plain('/', ['X-Forwarded-Proto: http'])).status, 308);
    t.equal((await plain('/', ['X-Forwarded-Proto: https'])).status, 200, 'TLS ended in front');
    const clear = await get('/deep?x', ['X-Forwarded-Proto: http']);
    t.equal(clear.status, 308, 'the client spoke plain HTTP, though the proxy speaks TLS to us');
    t.match(clear.headers['location'], /^https:\/\/a\.test(?::\d+)?\/deep\?x$/);
    t.equal((await get('/open', ['X-Forwarded-Proto: http'])).status, 200);
    t.equal((await get('/', ['X-Forwarded-Proto: https'])).status, 200);
  },
);

const sha = (password: string): string => `{SHA}${createHash('sha1').update(password).digest('base64')}`;
const basic = (pair: string): string => `Authorization: Basic ${Buffer.from(pair).toString('base64')}`;

await t.test('a password is asked for, and with `satisfy: any` an address is enough', async (t) => {
  const basicAuth = { users: 'users', realm: 'Staff only' };
  const { get, backend } = await withRoutes(
    t,
    [
      { path: '/', upstream: 'backend', access: { basicAuth } },
      { path: '/any', upstream: 'backend', access: { basicAuth, allow: ['127.0.0.0/8'], satisfy: 'any' } },
      { path: '/far', upstream: 'backend', access: { basicAuth, allow: ['192.0.2.0/24'], satisfy: 'any' } },
      { path: '/all', upstream: 'backend', access: { basicAuth, allow: ['192.0.2.0/24'] } },
    ],
    { material: { users: `ann:${sha('secret')}\n` } },
  );
  const refused = await get('/');
  t.match(refused, { status: 401, headers: { 'www-authenticate': 'Basic realm="Staff only"' } });
  t.equal((await get('/', [basic('ann:wrong')])).status, 401);
  t.equal((await get('/', [basic('ann:secret'), basic('ann:secret')])).status, 401, 'sent twice');
  t.equal(backend.seen.length, 0);
  t.equal((await get('/', [basic('ann:secret')])).status, 200);
  t.equal((await get('/any')).status, 200);
  t.equal((await get('/far')).status, 401);
  t.equal((await get('/far', [basic('ann:secret')])).status, 200);
  t.equal((await get('/all', [basic('ann:secret')])).status, 403);
});

await t.test('a client that asks for too much is told so, with the configured status', async (t) => {
  const { get, backend } = await withRoutes(t, [
    { path: '/', upstream: 'backend', rateLimit: { perMinute: 1, burst: 2 } },
    { path: '/custom', upstream: 'backend', rateLimit: { perMinute: 1, burst: 1, status: 429 } },
    { path: '/exempt', upstream: 'backend', rateLimit: { perMinute: 1, burst: 1, exempt: ['127.0.0.1'] } },
  ]);
  const statuses = async (path: string): Promise<number[]> => {
    const all = [];
    for (let count = 0; count < 4; count++) all.push((await get(path)).status);
    return all;
  };
  t.same(await statuses('/'), [200, 200, 200, 503]);
  t.same(await statuses('/custom'), [200, 200, 429, 429]);
  t.same(await statuses('/exempt'), [200, 200, 200, 200]);
  t.equal(backend.seen.length, 3 + 2 + 4);
});

await t.test('too many at once, and too many in a time, have statuses of their own', async (t) => {
  const arrived = Promise.withResolvers<{ readonly end: () => unknown }>();
  const rateLimit = { perMinute: 1, burst: 1, connections: 1, status: 429, connectionsStatus: 420 };
  const { get } = await withRoutes(t, [{ path: '/', upstream: 'backend', rateLimit }], {
    answer: (asked, response) => {
      if (asked.url === '/held') arrived.resolve(response);
      else response.end();
    },
  });
  const held = get('/held');
  const response = await arrived.promise;
  t.equal((await get('/')).status, 420);
  response.end();
  t.equal((await held).status, 200);
  t.equal((await get('/')).status, 200);
  t.equal((await get('/')).status, 429);
});

await t.test('a redirect leaves the slash at the end out where it is told to', async (t) => {
  const { get } = await withRoutes(t, [
    { path: '/', redirect: { to: 'https://new.test{uri}', stripTrailingSlash: true } },
  ]);
  const ways = {
    '/': 'https://new.test',
    '/a/': 'https://new.test/a',
    '/a': 'https://new.test/a',
    '/a/?b=/': 'https://new.test/a/?b=/',
    '//else.test/': 'https://new.test/else.test',
  };
  for (const [path, location] of Object.entries(ways)) {
    t.equal((await get(path)).headers['location'], location, path);
  }
});

await t.test('responses get the route’s headers, the upstream’s and ours alike', async (t) => {
  const { get, plain } = await withRoutes(
    t,
    [
      {
        path: '/',
        upstream: 'backend',
        plainHttp: 'serve',
        access: { deny: ['192.0.2.1'] },
        response: {
          set: { 'X-Frame-Options': 'DENY' },
          remove: ['X-Powered-By'],
          hsts: { maxAge: 31_536_000, includeSubDomains: true },
          cookieDomains: [{ from: 'internal.test', to: 'a.test' }],
          cookiePaths: [{ from: '/backend/', to: '/' }],
          locations: [{ from: 'http://internal.test/', to: 'https://a.test/' }],
        },
      },
      {
        path: '/refused',
        upstream: 'backend',
        access: { allow: [] },
        response: { set: { 'X-Ours': 'yes' } },
      },
    ],
    {
      answer: (_, response) => {
        response.writeHead(302, [
          ['X-Frame-Options', 'ALLOWALL'],
          ['X-Powered-By', 'PHP'],
          ['Strict-Transport-Security', 'max-age=0'],
          ['Location', 'http://internal.test/next'],
          ['Set-Cookie', 'a=/backend/; Domain=.Internal.Test; Path=/backend/x; HttpOnly'],
          ['Set-Cookie', 'b=1; path=/other'],
        ]);
        response.end();
      },
    },
  );
  const { raw, headers } = await get('/');
  t.match(headers, {
    'x-frame-options': 'DENY',
    'strict-transport-security': 'max-age=31536000; includeSubDomains',
    location: 'https://a.test/next',
  });
  t.equal(headers['x-powered-by'], undefined);
  t.match(raw, 'Set-Cookie: a=/backend/; Domain=a.test; Path=/x; HttpOnly\r\n');
  t.match(raw, 'Set-Cookie: b=1; path=/other\r\n');
  t.equal(raw.match(/^X-Frame-Options:/gim)?.length, 1);
  t.equal((await plain('/')).headers['strict-transport-security'], 'max-age=0', 'not ours over plain HTTP');
  t.match(await get('/refused'), { status: 403, headers: { 'x-ours': 'yes' } });
});

await t.test('a response goes no faster than its route says', async (t) => {
  const routes = [
    { path: '/', upstream: 'backend', rateLimit: { bytesPerSecond: 200_000, bytesBefore: 100_000 } },
  ];
  const { get } = await withRoutes(t, routes, { answer: (_, response) => response.end('x'.repeat(200_000)) });
  const startedAt = performance.now();
  t.equal((await get('/')).body.length, 200_000);
  // A half of it hindered, the last chunk of which is waited for no more.
  t.ok(performance.now() - startedAt > 150);
});

await t.test('a route may be left out of the access log', async (t) => {
  const { get, proxy } = await withRoutes(t, [
    { path: '/', upstream: 'backend' },
    { path: '/healthz', upstream: 'backend', accessLog: false },
  ]);
  await get('/healthz');
  await get('/x');
  const logged = proxy.log.filter(({ request: line }) => line !== undefined);
  t.equal(logged.length, 1);
});

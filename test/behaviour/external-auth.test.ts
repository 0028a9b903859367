import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import type { RouteConfig } from '../../src/config/schema.ts';
import { request } from '../support/client.ts';
import { startBackend } from '../support/proxy.ts';
import { withRoutes } from '../support/routes.ts';

// ingress-nginx's auth-url: a service is asked about each request, with the identity's headers.

type External = NonNullable<NonNullable<RouteConfig['access']>['external']>;

async function withService(
  t: Parameters<typeof withRoutes>[0],
  external: Partial<External>,
  answer: Parameters<typeof startBackend>[1],
  access: object = {},
) {
  const service = await startBackend(t, answer);
  const setting = await withRoutes(
    t,
    [
      {
        path: '/',
        upstream: 'backend',
        access: { external: { upstream: 'auth', target: '/check', ...external }, ...access },
      },
    ],
    { upstreams: { auth: { endpoints: [service.endpoint] } } },
  );
  return { ...setting, service };
}

await t.test('a 2xx lets in; its headers replace the client’s, its cookies reach the client', async (t) => {
  const { get, service, seen } = await withService(
    t,
    { target: '/check?for={path}', responseHeaders: ['X-User', 'X-Groups'], host: 'auth.test' },
    (_, response) => {
      response.writeHead(204, [
        ['X-User', 'ann'],
        ['Set-Cookie', 'session=1'],
      ]);
      response.end();
    },
  );
  const answer = await get('/x?y=1', ['X-User: root', 'X-Groups: admins', 'X-Kept: yes', 'Cookie: a=1']);
  t.equal(answer.status, 200);
  t.equal(answer.headers['set-cookie'], 'session=1');
  t.match(seen().headers, { 'x-user': 'ann', 'x-kept': 'yes' });
  t.equal(seen().headers['x-groups'], undefined, 'what the service did not say, the client may not');
  const [asked] = service.seen;
  t.match(asked, {
    method: 'GET',
    url: '/check?for=/x',
    headers: {
      host: 'auth.test',
      cookie: 'a=1',
      'x-original-url': 'https://a.test/x?y=1',
      'x-original-method': 'GET',
      'x-auth-request-redirect': '/x?y=1',
      'x-real-ip': '127.0.0.1',
    },
  });
});

await t.test('the question has the headers that are set for it, in place of the client’s', async (t) => {
  const { get, service, seen } = await withService(
    t,
    { headers: { 'X-Forwarded-Uri': '{uri}', 'X-Site': 'the {{main}} one', Cookie: '' } },
    (_, response) => response.writeHead(200).end(),
  );
  const sent = ['X-Forwarded-Uri: /open', 'x-site: another', 'Cookie: a=1', 'X-Kept: yes'];
  t.equal((await get('/x?y=1', sent)).status, 200);
  const { rawHeaders } = service.seen[0]!;
  t.same(
    ['x-forwarded-uri', 'x-site', 'cookie', 'x-kept'].map((name) =>
      rawHeaders.filter((_, index) => rawHeaders[index - 1]?.toLowerCase() === name && index % 2 === 1),
    ),
    [['/x?y=1'], ['the {main} one'], [], ['yes']],
  );
  t.match(seen().headers, { 'x-forwarded-uri': '/open', 'x-site': 'another', cookie: 'a=1' });
});

await t.test('401 and 403 are passed on, and everything else keeps the client out', async (t) => {
  for (const [status, expected] of [
    [401, 401],
    [403, 403],
    [404, 500],
    [302, 500],
    [500, 500],
  ] as const) {
    const { get, backend } = await withService(t, {}, (_, response) => {
      response.writeHead(status, { 'WWW-Authenticate': 'Bearer realm="x"', 'Set-Cookie': 'a=1' });
      response.end('not for the client');
    });
    const answer = await get('/');
    t.equal(answer.status, expected, String(status));
    t.equal(answer.headers['www-authenticate'], status === 401 ? 'Bearer realm="x"' : undefined);
    t.equal(answer.headers['set-cookie'], undefined);
    t.notMatch(answer.body, /not for the client/);
    t.equal(backend.seen.length, 0);
  }
});

await t.test(
  '`alwaysSetCookie` passes cookies on with every status, those that say no included',
  async (t) => {
    for (const [status, expected] of [
      [200, 200],
      [401, 401],
      [403, 403],
      [404, 500],
      [302, 500],
      [500, 500],
    ] as const) {
      const { get } = await withService(t, { alwaysSetCookie: true }, (_, response) => {
        response.writeHead(status, [
          ['Set-Cookie', 'a=1'],
          ['Set-Cookie', 'b=2'],
        ]);
        response.end();
      });
      const answer = await get('/');
      t.equal(answer.status, expected, String(status));
      t.match(answer.raw, /Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n/, String(status));
    }
  },
);

await t.test(
  'a redirect to sign in has the cookies of the service, whatever `alwaysSetCookie` is',
  async (t) => {
    const { get } = await withService(t, { signin: 'https://login.test/' }, (_, response) => {
      response.writeHead(401, { 'Set-Cookie': 'state=1' }).end();
    });
    t.match(await get('/'), { status: 302, headers: { 'set-cookie': 'state=1' } });
  },
);

await t.test('a 401 leads to the page to sign in at, which is told the way back', async (t) => {
  const { get } = await withService(
    t,
    { signin: 'https://login.test/start?x=1', alwaysSetCookie: true },
    (_, response) => {
      response.writeHead(401, { 'Set-Cookie': 'state=1' });
      response.end();
    },
  );
  const answer = await get('/deep?a=b&c');
  t.equal(answer.status, 302);
  t.equal(
    answer.headers['location'],
    'https://login.test/start?x=1&rd=https%3A%2F%2Fa.test%2Fdeep%3Fa%3Db%26c',
  );
  t.equal(answer.headers['set-cookie'], 'state=1');
});

await t.test('a service that is down or hangs up keeps everyone out', async (t) => {
  const gone = createServer().listen(0, '127.0.0.1');
  await once(gone, 'listening');
  const { port } = gone.address() as AddressInfo;
  await new Promise((resolve) => {
    gone.close(resolve);
  });
  const down = await withRoutes(
    t,
    [{ path: '/', upstream: 'backend', access: { external: { upstream: 'auth', target: '/' } } }],
    { upstreams: { auth: { endpoints: [`127.0.0.1:${port}`] } } },
  );
  t.equal((await down.get('/')).status, 500);
  t.equal(down.backend.seen.length, 0);
  const { get, backend } = await withService(t, {}, (request) => request.socket.destroy());
  t.equal((await get('/')).status, 500);
  t.equal(backend.seen.length, 0);
});

await t.test('with `satisfy: any` an allowed address is not asked about', async (t) => {
  const { get, service } = await withService(t, {}, (_, response) => response.writeHead(403).end(), {
    allow: ['127.0.0.0/8'],
    satisfy: 'any',
  });
  t.equal((await get('/')).status, 200);
  t.equal(service.seen.length, 0);
});

await t.test('a request with a body is asked about without it, and keeps it', async (t) => {
  const { proxy, seen, service } = await withService(t, {}, (_, response) => response.writeHead(200).end());
  const answer = await request({
    port: proxy.port,
    serverName: 'a.test',
    host: 'a.test',
    method: 'POST',
    body: 'hello',
  });
  t.equal(answer.status, 200);
  t.equal(service.seen[0]!.headers['content-length'], undefined);
  t.equal(service.seen[0]!.headers['x-original-method'], 'POST');
  t.equal(seen().headers['content-length'], '5');
});

await t.test('an answer is remembered by its key and the client certificate, cookies are not', async (t) => {
  const { get, service, seen } = await withService(
    t,
    { responseHeaders: ['X-User'], cache: { key: '{header:Authorization}', statuses: [200] } },
    (asked, response) => {
      const status = asked.headers.authorization === 'good' ? 200 : 401;
      response.writeHead(status, { 'X-User': 'ann', 'Set-Cookie': 'once=1' }).end();
    },
  );
  const first = await get('/', ['Authorization: good']);
  t.match(first, { status: 200, headers: { 'set-cookie': 'once=1' } });
  const second = await get('/elsewhere', ['Authorization: good']);
  t.equal(second.status, 200);
  t.equal(second.headers['set-cookie'], undefined);
  t.equal(seen().headers['x-user'], 'ann');
  t.equal(service.seen.length, 1);
  for (const headers of [['Authorization: bad'], ['Authorization: bad'], [], []]) {
    t.equal((await get('/', headers)).status, 401);
  }
  t.equal(service.seen.length, 5, 'neither a 401, which is not on the list, nor a request without a key');
});

await t.test('how long an answer is remembered depends on its status', async (t) => {
  const { get, service } = await withService(
    t,
    { cache: { key: '{header:Authorization}', durations: { 200: '1h', 401: '1h', 403: '0s' } } },
    (asked, response) => response.writeHead(Number(asked.headers.authorization)).end(),
  );
  const askedFor = async (status: number): Promise<number> => {
    const before = service.seen.length;
    for (let time = 0; time < 3; time++) await get('/', [`Authorization: ${status}`]);
    return service.seen.length - before;
  };
  t.equal(await askedFor(200), 1);
  t.equal(await askedFor(401), 1);
  t.equal(await askedFor(403), 3, '0s is not at all');
  t.equal(await askedFor(202), 3, 'nor what is not named');
});

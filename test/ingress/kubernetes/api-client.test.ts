import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import t from 'tap';
import { ApiClient } from '../../../src/ingress/kubernetes/api-client.ts';
import { ApiError } from '../../../src/ingress/kubernetes/api-error.ts';
import { Credentials } from '../../../src/ingress/kubernetes/credentials.ts';
import { createAuthority } from '../../support/pki.ts';
import { cleanNode } from '../../support/program.ts';
import { json, startFakeServer } from './fake-server.ts';

const status = (code: number, reason: string, message: string): object => ({
  kind: 'Status',
  code,
  reason,
  message,
});
const fault = (promise: Promise<unknown>): Promise<ApiError> =>
  promise.then(
    () => {
      throw new Error('it went well');
    },
    (error: unknown) => error as ApiError,
  );

void t.test('an error says what the server said, on one line, and nothing of the token', async (t) => {
  const { client } = await startFakeServer(t, (request, response) => {
    if (request.url === '/a') json(response, status(403, 'Forbidden', 'no\nsuch \u001b[31m right'), 403);
    else if (request.url === '/b') response.writeHead(502).end('<html>bad gateway');
    else if (request.url === '/c') response.end('{"kind":');
    else json(response, status(200, 'x', request.headers.authorization!), 500);
  });
  const api = client();
  t.match(await fault(api.get('/a')), {
    status: 403,
    reason: 'Forbidden',
    message: 'no\\u{a}such \\u{1b}[31m right',
  });
  t.match(await fault(api.get('/b')), { status: 502, isPassing: true });
  t.match(await fault(api.get('/c')), { status: 0, reason: 'Unreadable' });
});

void t.test('a list comes page by page, and a wrong answer is no empty list', async (t) => {
  const pages = new Map([
    ['', { items: [1, 2], metadata: { resourceVersion: '7', continue: 'x y' } }],
    ['x y', { items: null, metadata: { resourceVersion: '7' } }],
  ]);
  let wrong: unknown = null;
  const fake = await startFakeServer(t, (request, response) => {
    const url = new URL(request.url!, 'http://x');
    const page = pages.get(url.searchParams.get('continue') ?? '');
    json(response, wrong ?? { kind: 'IngressList', ...page });
  });
  const api = fake.client();
  t.same(await api.list('/list', { labelSelector: 'a=b' }), { items: [1, 2], resourceVersion: '7' });
  t.same(fake.seen, [
    'GET /list?labelSelector=a%3Db&limit=500',
    'GET /list?labelSelector=a%3Db&limit=500&continue=x+y',
  ]);
  for (wrong of [
    {},
    [],
    'text',
    { kind: 'IngressList', items: [] },
    { kind: 'Status', items: [], metadata: {} },
  ]) {
    t.match(await fault(api.list('/list')), { reason: 'Unreadable' }, JSON.stringify(wrong));
  }
});

void t.test('pages that ran out are asked for again, in one', async (t) => {
  const fake = await startFakeServer(t, (request, response) => {
    const { searchParams } = new URL(request.url!, 'http://x');
    if (searchParams.has('continue')) json(response, status(410, 'Expired', 'too old'), 410);
    else {
      const more = searchParams.has('limit') ? { continue: 'c' } : {};
      json(response, { kind: 'XList', items: [1], metadata: { resourceVersion: '1', ...more } });
    }
  });
  t.same(await fake.client().list('/list'), { items: [1], resourceVersion: '1' });
  t.equal(fake.seen.length, 3);
});

void t.test('a watch gives events in their order and ends with the server', async (t) => {
  const { client } = await startFakeServer(t, (request, response) => {
    if (request.url!.startsWith('/cut')) {
      response.write('{"type":"ADDED","object":1}\n{"type":"MODI');
      response.once('drain', () => {});
      setImmediate(() => response.destroy());
    } else if (request.url!.startsWith('/error')) {
      response.end(`${JSON.stringify({ type: 'ERROR', object: status(410, 'Expired', 'too old') })}\n`);
    } else if (request.url!.startsWith('/odd')) response.end('{"type":"EXPLODED"}\n');
    else response.end('{"type":"ADDED","object":1}\n{"type":"BOOKMARK","object":2}\n');
  });
  const api = client();
  const events: unknown[] = [];
  const watch = (path: string): Promise<void> =>
    api.watch(
      path,
      {},
      {
        signal: new AbortController().signal,
        silenceMs: 10_000,
        onEvent: ({ type, object }) => void events.push([type, object]),
      },
    );
  await watch('/ok');
  t.same(events, [
    ['ADDED', 1],
    ['BOOKMARK', 2],
  ]);
  events.length = 0;
  t.match(await fault(watch('/cut')), { status: 0, reason: 'Unreachable' });
  t.same(events, [['ADDED', 1]], 'half an event is none');
  t.match(await fault(watch('/error')), { status: 410, isGone: true });
  t.match(await fault(watch('/odd')), { reason: 'Unreadable' });
});

void t.test('a watch on which nothing comes counts as dead', async (t) => {
  const { client } = await startFakeServer(t, (_, response) => response.flushHeaders());
  const watch = client().watch(
    '/silent',
    {},
    {
      signal: new AbortController().signal,
      silenceMs: 200,
      onEvent: () => {},
    },
  );
  t.match(await fault(watch), { status: 0, message: /BODY_TIMEOUT/ });
});

void t.test('a watch that nobody wants any more ends at once', async (t) => {
  const stop = new AbortController();
  const { client } = await startFakeServer(t, (_, response) => {
    response.flushHeaders();
    setImmediate(() => stop.abort());
  });
  const watch = client().watch('/w', {}, { signal: stop.signal, silenceMs: 60_000, onEvent: () => {} });
  t.match(await fault(watch), { reason: 'Aborted' });
});

void t.test('what is told to try again does so where that is safe, and no more often', async (t) => {
  const fake = await startFakeServer(t, (request, response) => {
    if (request.url === '/busy') {
      response.setHeader('retry-after', '0');
      json(response, status(429, 'TooManyRequests', 'later'), 429);
    } else response.destroy();
  });
  const api = fake.client();
  const attempts = async (call: Promise<unknown>): Promise<number> => {
    const before = fake.seen.length;
    await fault(call);
    return fake.seen.length - before;
  };
  t.equal(await attempts(api.create('/busy', {}, { attempts: 3 })), 3, 'a busy server has done nothing');
  t.equal(await attempts(api.get('/busy')), 1);
  t.equal(await attempts(api.create('/cut', {}, { attempts: 3 })), 1, 'what was cut off may have been done');
  t.equal(await attempts(api.get('/cut', {}, { attempts: 2 })), 2);
});

void t.test('a token that is refused is read anew', async (t) => {
  let valid = 'first';
  const fake = await startFakeServer(t, (request, response) => {
    const isValid = request.headers.authorization === `Bearer ${valid}`;
    if (isValid) json(response, {});
    else json(response, status(401, 'Unauthorized', 'who are you'), 401);
  });
  const credentials = new Credentials({ kubeconfig: fake.kubeconfig('first') });
  const api = new ApiClient(credentials);
  t.teardown(() => api.close());
  await api.get('/');
  fake.kubeconfig('second');
  valid = 'second';
  credentials.refresh(60_000);
  t.equal((await fault(api.get('/'))).status, 401, 'what was just read is not read again and again');
  credentials.refresh(0);
  await api.get('/');
});

void t.test(
  'an exec plug-in gives the token, is asked once while it lasts, and anew when that is refused',
  async (t) => {
    let valid = 'token-1';
    const fake = await startFakeServer(t, (request, response) => {
      if (request.headers.authorization === `Bearer ${valid}`) json(response, {});
      else json(response, status(401, 'Unauthorized', 'who are you'), 401);
    });
    const file = fake.kubeconfig();
    const runs = join(dirname(file), 'runs');
    const plugin = `const fs=require('fs');fs.appendFileSync(${JSON.stringify(runs)},'x');
    const token='token-'+fs.readFileSync(${JSON.stringify(runs)},'utf8').length;
    console.log(JSON.stringify({apiVersion:'client.authentication.k8s.io/v1',kind:'ExecCredential',status:{token}}))`;
    const config = JSON.parse(readFileSync(file, 'utf8')) as { users: { user: object }[] };
    const [command, args] = cleanNode('-e', plugin);
    config.users[0]!.user = { exec: { apiVersion: 'client.authentication.k8s.io/v1', command, args } };
    writeFileSync(file, JSON.stringify(config));
    const credentials = new Credentials({ kubeconfig: file });
    const api = new ApiClient(credentials);
    t.teardown(() => api.close());
    await Promise.all([api.get('/'), api.get('/'), api.get('/')]);
    t.equal(readFileSync(runs, 'utf8'), 'x');
    valid = 'token-2';
    credentials.refresh(0);
    await api.get('/');
    t.equal(readFileSync(runs, 'utf8'), 'xx');
  },
);

void t.test('a server that the kubeconfig does not trust is not spoken to', async (t) => {
  let asked = 0;
  const other = await createAuthority({ cn: 'another' });
  const { cert, key } = await other.issue({ cn: 'fake', hosts: ['127.0.0.1'], usage: 'server' });
  const server = createServer({ cert, key }, () => asked++).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const fake = await startFakeServer(t, (_, response) => json(response, {}));
  const file = fake.kubeconfig('t', 'wrong');
  const { port } = server.address() as AddressInfo;
  writeFileSync(file, readFileSync(file, 'utf8').replace(fake.server, `https://127.0.0.1:${port}`));
  const api = new ApiClient(new Credentials({ kubeconfig: file }));
  t.teardown(() => api.close());
  t.match(await fault(api.get('/')), { status: 0, reason: 'Unreachable' });
  t.equal(asked, 0);
});

void t.test('no way to a cluster is told in words', async (t) => {
  const env = { HOME: t.testdir({}) };
  const nowhere = new ApiClient(new Credentials({ env }));
  t.match((await fault(nowhere.get('/'))).message, /no access to a cluster: .*--kubeconfig/);
  const missing = new ApiClient(new Credentials({ kubeconfig: '/nowhere/config' }));
  t.match((await fault(missing.get('/'))).message, /ENOENT/);
  const fake = await startFakeServer(t, (_, response) => json(response, {}));
  const wrong = new ApiClient(new Credentials({ kubeconfig: fake.kubeconfig(), context: 'other' }));
  t.match((await fault(wrong.get('/'))).message, /no context other/);
});

void t.test('of the contexts of a kubeconfig the current one counts, or the one that is named', async (t) => {
  const fake = await startFakeServer(t, (request, response) =>
    json(response, { who: request.headers.authorization }),
  );
  const file = fake.kubeconfig('first-token');
  const config = JSON.parse(readFileSync(file, 'utf8')) as Record<'users' | 'contexts', object[]>;
  config.users.push({ name: 'them', user: { token: 'second-token' } });
  config.contexts.push({ name: 'other', context: { cluster: 'fake', user: 'them', namespace: 'shop' } });
  writeFileSync(file, JSON.stringify(config));
  for (const [context, token, namespace] of [
    [null, 'first-token', null],
    ['other', 'second-token', 'shop'],
  ] as const) {
    const credentials = new Credentials({ kubeconfig: file, context });
    const api = new ApiClient(credentials);
    t.teardown(() => api.close());
    t.same(await api.get('/'), { who: `Bearer ${token}` });
    t.equal(await credentials.namespace(), namespace);
  }
});

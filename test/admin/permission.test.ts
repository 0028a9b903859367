import { createHash } from 'node:crypto';
import { get, type IncomingMessage } from 'node:http';
import t from 'tap';
import { eventOf, events, json } from '../../src/admin/answer.ts';
import type { Endpoint } from '../../src/admin/endpoint.ts';
import { jsonOf } from '../../src/admin/endpoint.ts';
import type { AdminAccess } from '../../src/snapshot/admin-access.ts';
import { ask, makeAdmin, start, type Told } from './client.ts';

const readToken = 'a1b2c3d4e5f60718293a4b5c6d7e8f90';
const changeToken = 'ffeeddccbbaa00112233445566778899';
const grant = (name: string, token: string): AdminAccess['reading'] => ({
  tokens: [{ name, digest: createHash('sha256').update(token).digest() }],
  policy: null,
});
const withTokens: AdminAccess = {
  reading: grant('prometheus', readToken),
  changing: grant('oncall', changeToken),
  probes: 'open',
};
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const basic = (password: string, name = 'me') => ({
  authorization: `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`,
});
const post = (headers: Record<string, string> = {}) => ({ method: 'POST', headers });

void t.test('without settings everyone on this machine reads, and nobody changes', async (t) => {
  let reloads = 0;
  const at = await start(t, {
    reload: () => {
      reloads++;
      return Promise.resolve([]);
    },
  });
  t.match(await ask(at, '/status'), { status: 200 });
  t.match(await ask(at, '/reload', post()), { status: 403, body: /changing is off/ });
  t.match(await ask(at, '/drain', post()), { status: 403 });
  t.match(await ask(at, '/reload', post(bearer(changeToken))), { status: 403 });
  t.equal(reloads, 0);
});

void t.test(
  'a listener that others reach is open to nobody, whatever the settings in force say',
  async (t) => {
    const open: AdminAccess = { reading: 'open', changing: 'open', probes: 'open' };
    const at = { ...(await start(t, { access: () => open }, '0.0.0.0')), address: '127.0.0.1' };
    for (const path of ['/metrics', '/status']) t.match(await ask(at, path), { status: 403 }, path);
    t.match(await ask(at, '/reload', post()), { status: 403 });
    t.match(await ask(at, '/healthz'), { status: 200 });
  },
);

void t.test('a token opens what it is for, and nothing else does', async (t) => {
  const at = await start(t, { access: () => withTokens });
  const status = async (headers: Record<string, string | string[]>): Promise<number> =>
    (await ask(at, '/status', { headers })).status;
  t.equal(await status(bearer(readToken)), 200);
  t.equal(await status({ authorization: `bearer  ${readToken}` }), 200, 'the scheme in any case');
  t.equal(await status(bearer(changeToken)), 200, 'who may change may read');
  t.equal(await status(basic(readToken)), 200, 'a browser asks for a password');
  const wrong = [
    {},
    bearer(''),
    bearer(readToken.slice(0, -1)),
    bearer(`${readToken}0`),
    bearer(readToken.toUpperCase()),
    bearer(createHash('sha256').update(readToken).digest('hex')),
    basic('', readToken),
    basic(`${readToken} `),
    { authorization: readToken },
    { authorization: `Bearer ${readToken} ${readToken}` },
    { authorization: [`Bearer ${readToken}`, `Bearer ${readToken}`] },
    { 'x-authorization': `Bearer ${readToken}` },
    { cookie: `token=${readToken}` },
  ];
  for (const headers of wrong) t.equal(await status(headers), 401, JSON.stringify(headers));
  t.equal((await ask(at, `/status?token=${readToken}`)).status, 401);
  t.match(await ask(at, '/status'), { headers: { 'www-authenticate': /^Bearer .*Basic / } });
});

void t.test(
  'a token for reading changes nothing, nor does a password that a browser may send by itself',
  async (t) => {
    const at = await start(t, { access: () => withTokens });
    t.match(await ask(at, '/reload', post(bearer(changeToken))), { status: 200 });
    for (const headers of [{}, bearer(readToken), basic(changeToken)]) {
      const reply = await ask(at, '/reload', post(headers));
      t.equal(reply.status, 401, JSON.stringify(headers));
      t.notMatch(String(reply.headers['www-authenticate']), /Basic/);
    }
  },
);

void t.test('settings count from the moment they are in force', async (t) => {
  let access = withTokens;
  const at = await start(t, { access: () => access });
  t.match(await ask(at, '/status', { headers: bearer(readToken) }), { status: 200 });
  access = { ...withTokens, reading: 'off', changing: 'off' };
  t.match(await ask(at, '/status', { headers: bearer(readToken) }), { status: 403 });
});

void t.test('probes are open unless they are not', async (t) => {
  let access = withTokens;
  const at = await start(t, { access: () => access });
  for (const path of ['/healthz', '/readyz']) t.match(await ask(at, path), { status: 200 });
  access = { ...withTokens, probes: 'reading' };
  for (const path of ['/healthz', '/readyz']) {
    t.match(await ask(at, path), { status: 401 });
    t.match(await ask(at, path, { headers: bearer(readToken) }), { status: 200 });
  }
});

void t.test(
  'a page of another site changes nothing from the browser of whoever opens it (CSRF)',
  async (t) => {
    let changes = 0;
    const reload = (): Promise<string[]> => {
      changes++;
      return Promise.resolve([]);
    };
    const at = await start(t, {
      reload,
      access: () => ({ ...withTokens, reading: 'open', changing: 'open' }),
    });
    const own = `127.0.0.1:${at.port}`;
    const attacks: Record<string, string>[] = [
      { origin: 'https://evil.test' },
      { origin: 'null' },
      { origin: `http://localhost:${at.port}` },
      { origin: `https://${own}` },
      { origin: `http://${own}.evil.test` },
      { origin: `http://127.0.0.1:${at.port + 1}` },
      { origin: '' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { 'sec-fetch-site': 'anything' },
      { 'sec-fetch-site': 'same-origin, cross-site' },
      { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' },
      { origin: `http://${own}`, 'sec-fetch-site': 'cross-site' },
      { host: 'evil.test', origin: 'http://evil.test', 'sec-fetch-site': 'same-origin' },
      { host: 'evil.test' },
    ];
    for (const headers of attacks) {
      const { status } = await ask(at, '/reload', post(headers));
      t.equal(status, headers['host'] === undefined ? 403 : 421, JSON.stringify(headers));
    }
    t.match(await ask(at, '/reload', { method: 'OPTIONS', headers: { origin: 'https://evil.test' } }), {
      status: 403,
    });
    t.equal(changes, 0);
    const allowed: Record<string, string>[] = [
      {},
      { origin: `http://${own}` },
      { origin: `http://${own}`, 'sec-fetch-site': 'same-origin' },
      { 'sec-fetch-site': 'none' },
    ];
    for (const headers of allowed) t.match(await ask(at, '/reload', post(headers)), { status: 200 });
    t.equal(changes, allowed.length);
  },
);

void t.test('another site may lead a person to a page here, and embed or fetch nothing', async (t) => {
  const at = await start(t);
  const from = (mode: string, dest: string) => ({
    headers: { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': mode, 'sec-fetch-dest': dest },
  });
  t.match(await ask(at, '/status', from('navigate', 'document')), { status: 200 });
  t.match(await ask(at, '/status', from('navigate', 'iframe')), { status: 403 });
  t.match(await ask(at, '/status', from('no-cors', 'script')), { status: 403 });
  t.match(await ask(at, '/status', from('cors', 'empty')), { status: 403 });
});

void t.test('every change is logged with who made it, refusals at ten lines a second', async (t) => {
  const told: Told[] = [];
  const at = await start(t, {
    told,
    access: () => withTokens,
    reload: () => Promise.resolve(['a.yaml:1:1 / is wrong']),
  });
  t.match(await ask(at, '/reload', post(bearer(changeToken))), {
    status: 409,
    body: '{"result":"failure","problems":["a.yaml:1:1 / is wrong"]}\n',
  });
  t.match(told, [
    {
      level: 'info',
      message: 'admin change',
      fields: { call: 'POST /reload', by: 'token oncall', status: 409 },
    },
  ]);
  for (let index = 0; index < 40; index++) await ask(at, '/reload', post(bearer(readToken)));
  const refused = told.filter(({ message }) => message === 'admin call refused');
  t.ok(refused.length >= 10 && refused.length < 40, `${refused.length} lines`);
  t.match(refused[0], {
    level: 'warn',
    fields: { by: 'unknown token', status: 401, remote_address: '127.0.0.1' },
  });
  t.notMatch(JSON.stringify(told), new RegExp(`${readToken}|${changeToken}`), 'tokens are in no line');
});

void t.test(
  'reloads asked for at once are two at most, and each sees what was changed before it',
  async (t) => {
    const started: (() => void)[] = [];
    let calls = 0;
    const access = (): AdminAccess => {
      calls++;
      return { ...withTokens, changing: 'open' };
    };
    const at = await start(t, {
      access,
      reload: () =>
        new Promise((resolve) => {
          started.push(() => resolve([]));
        }),
    });
    const asked = Array.from({ length: 8 }, () => ask(at, '/reload', post()));
    const until = async (count: number): Promise<void> => {
      while (started.length < count) await new Promise(setImmediate);
    };
    await until(1);
    while (calls < asked.length) await new Promise(setImmediate);
    started[0]!();
    await until(2);
    started[1]!();
    for (const reply of await Promise.all(asked)) t.equal(reply.status, 200);
    t.equal(started.length, 2);
  },
);

void t.test('draining is answered before the connection goes', async (t) => {
  let drains = 0;
  const at = await start(t, { access: () => withTokens, drain: () => void drains++ });
  t.match(await ask(at, '/drain', post(bearer(changeToken))), {
    status: 202,
    body: '{"result":"draining"}\n',
  });
  t.equal(drains, 1);
});

const echo: Endpoint = {
  method: 'POST',
  path: '/echo',
  permission: 'reading',
  bodyLimit: 64,
  handle: (call) => json(200, { got: jsonOf(call), query: [...call.query], by: call.caller }),
};

void t.test('a body is taken where the table says so, whole and up to its limit', async (t) => {
  const at = await start(t, { more: [echo] });
  t.match(await ask(at, '/echo?a=1&a=2', { method: 'POST', body: '{"x":1}' }), {
    status: 200,
    body: '{"got":{"x":1},"query":[["a","1"],["a","2"]],"by":"loopback"}\n',
  });
  t.match(await ask(at, '/echo', { method: 'POST', body: '{' }), { status: 400, body: /not JSON/ });
  t.match(await ask(at, '/echo', { method: 'POST', body: '"\xff"' }), { status: 200 });
  t.match(await ask(at, '/echo', { method: 'POST', body: 'x'.repeat(65) }), { status: 413 });
  const chunked = { method: 'POST', headers: { 'transfer-encoding': 'chunked' }, body: 'x'.repeat(100_000) };
  t.match(await ask(at, '/echo', chunked), { status: 413 });
  t.match(
    await ask(at, '/reload', { method: 'POST', body: '{}' }),
    { status: 403 },
    'permission comes first',
  );
});

void t.test('events are streamed until either side has enough, and their number is bounded', async (t) => {
  let ended = 0;
  const follow: Endpoint = {
    method: 'GET',
    path: '/follow',
    permission: 'reading',
    handle: () =>
      events((stream) => {
        stream.ended.addEventListener('abort', () => ended++);
        stream.write(eventOf('hello', { x: 'a\nb' }));
      }),
  };
  const admin = makeAdmin({ more: [follow] });
  t.teardown(() => admin.close());
  const { port } = await admin.listen({ address: '127.0.0.1', port: 0 });
  const open = (): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      get({ host: '127.0.0.1', port, path: '/follow', agent: false }, resolve).on('error', reject);
    });
  const first = await open();
  t.match(first.headers, { 'content-type': /^text\/event-stream/, 'cache-control': 'no-store' });
  const [chunk] = (await new Promise((resolve) => first.once('data', (data) => resolve([data])))) as [Buffer];
  t.equal(chunk.toString(), 'event: hello\ndata: {"x":"a\\nb"}\n\n');
  first.destroy();
  while (ended === 0) await new Promise(setImmediate);
  const all = await Promise.all(Array.from({ length: 33 }, open));
  t.same(
    all.map(({ statusCode }) => statusCode).filter((status) => status !== 200),
    [503],
  );
  const over = all.map((one) => new Promise((resolve) => one.resume().on('close', resolve)));
  await admin.close();
  await Promise.all(over);
  t.equal(ended, 33);
});

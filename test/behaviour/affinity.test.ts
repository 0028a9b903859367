import t, { type Test } from 'tap';
import type { RouteConfig } from '../../src/config/schema.ts';
import { request } from '../support/client.ts';
import { createAuthority } from '../support/pki.ts';
import { type Backend, type PartialConfig, startBackend, startProxy } from '../support/proxy.ts';

const root = await createAuthority({ cn: 'Root' });
const server = await root.issue({ cn: 'server', hosts: ['a.test'], usage: 'server' });
const material = { 'server.pem': server.bundle, 'server.key': server.key };

type Affinity = NonNullable<RouteConfig['affinity']>;

function config(endpoints: string[], affinity: Affinity): PartialConfig {
  return {
    hosts: [
      {
        names: ['a.test'],
        certificate: { cert: 'server.pem', key: 'server.key' },
        routes: [{ path: '/app', upstream: 'main', affinity }],
      },
    ],
    upstreams: { main: { endpoints, ejection: { failures: 1000 } } },
  };
}

async function backends(t: Test, count: number): Promise<Backend[]> {
  const started: Backend[] = [];
  for (let n = 0; n < count; n++) {
    started.push(await startBackend(t, (_, response) => response.end(String(n))));
  }
  return started;
}

async function stop({ server }: Backend): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  // The teardown waits for a close of its own.
  server.listen(0, '127.0.0.1');
}

async function start(t: Test, endpoints: string[], affinity: Affinity) {
  const proxy = await startProxy(t, config(endpoints, affinity), material);
  const ask = async (cookie: string | null = null, ...headers: string[]) => {
    const answer = await request({
      port: proxy.port,
      host: 'a.test',
      serverName: 'a.test',
      path: '/app/x',
      headers: [...headers, ...(cookie === null ? [] : [`Cookie: other=1; ${cookie}`])],
    });
    const line = answer.headers['set-cookie'] ?? null;
    return { status: answer.status, body: answer.body, line, cookie: line?.split(';')[0] ?? null };
  };
  return { proxy, ask };
}

for (const mode of ['balanced', 'persistent'] as const) {
  void t.test(`${mode}: a client stays at its endpoint, by a cookie that does not name it`, async (t) => {
    const several = await backends(t, 4);
    const { ask } = await start(
      t,
      several.map(({ endpoint }) => endpoint),
      { mode },
    );
    const seen = new Set<string>();
    for (let client = 0; client < 12; client++) {
      const first = await ask();
      t.match(first.line, /^INGRESSCOOKIE=[0-9a-f]{32}\.[0-9a-f]{16}; Path=\/app; Secure; HttpOnly$/);
      seen.add(first.body);
      for (let n = 0; n < 3; n++) {
        const next = await ask(first.cookie);
        t.equal(next.body, first.body);
        t.equal(next.line, null, 'a cookie that holds is not set again');
      }
    }
    t.ok(seen.size > 1, 'clients are spread');
  });

  void t.test(`${mode}: cookies outlive the program`, async (t) => {
    const endpoints = (await backends(t, 4)).map(({ endpoint }) => endpoint);
    const one = await start(t, endpoints, { mode });
    const clients = await Promise.all(Array.from({ length: 6 }, () => one.ask()));
    const other = await start(t, endpoints.toReversed(), { mode });
    for (const { body, cookie } of clients) {
      const next = await other.ask(cookie);
      t.equal(next.body, body);
      t.equal(next.line, null);
    }
  });

  void t.test(`${mode}: a cookie that is none of ours counts for nothing`, async (t) => {
    const several = await backends(t, 2);
    const { ask } = await start(
      t,
      several.map(({ endpoint }) => endpoint),
      { mode },
    );
    const good = (await ask()).cookie ?? '';
    const forged = [
      'x',
      '',
      `${'0'.repeat(32)}.${'0'.repeat(16)}`,
      good.slice(good.indexOf('=') + 2),
      '"',
      '%00',
    ];
    for (const value of forged) {
      const answer = await ask(`INGRESSCOOKIE=${value}`);
      t.equal(answer.status, 200);
      t.match(
        answer.cookie,
        /^INGRESSCOOKIE=[0-9a-f]{32}\./,
        `a new one in place of ${JSON.stringify(value)}`,
      );
    }
  });

  for (const changeOnFailure of [false, true]) {
    const what = changeOnFailure ? 'moves for good' : 'comes back';
    void t.test(`${mode}: a client whose endpoint fails is served by another, and ${what}`, async (t) => {
      const several = await backends(t, 3);
      const { ask } = await start(
        t,
        several.map(({ endpoint }) => endpoint),
        { mode, changeOnFailure },
      );
      const first = await ask();
      await stop(several[Number(first.body)]!);
      const next = await ask(first.cookie);
      t.equal(next.status, 200);
      t.not(next.body, first.body);
      if (!changeOnFailure) t.equal(next.line, null, 'the cookie stays');
      else {
        t.match(next.line, /^INGRESSCOOKIE=/);
        const moved = await ask(next.cookie);
        t.equal(moved.body, next.body, 'the new cookie leads where the answer came from');
        t.equal(moved.line, null);
      }
    });
  }
}

async function scaleUp(t: Test, mode: 'balanced' | 'persistent'): Promise<number> {
  const several = (await backends(t, 6)).map(({ endpoint }) => endpoint);
  const { proxy, ask } = await start(t, several.slice(0, 3), { mode });
  const clients = await Promise.all(Array.from({ length: 30 }, () => ask()));
  proxy.source.set(
    {
      ...config(several, { mode }),
      listeners: { https: { address: '127.0.0.1', port: 0 }, admin: { address: '127.0.0.1', port: 0 } },
    },
    material,
  );
  await proxy.app.reload();
  let moved = 0;
  for (const { body, cookie } of clients) {
    const next = await ask(cookie);
    if (next.body === body) continue;
    moved++;
    t.ok(Number(next.body) >= 3, 'who moves, moves to a new endpoint');
  }
  return moved;
}

void t.test('persistent: no client moves when endpoints come', async (t) => {
  t.equal(await scaleUp(t, 'persistent'), 0);
});

void t.test('balanced: some clients move to endpoints that come, and to no others', async (t) => {
  const moved = await scaleUp(t, 'balanced');
  t.ok(moved > 0 && moved < 30, String(moved));
});

void t.test('a client whose endpoint is gone gets a new one and its cookie', async (t) => {
  const several = (await backends(t, 2)).map(({ endpoint }) => endpoint);
  const { proxy, ask } = await start(t, several, { mode: 'persistent' });
  const first = await ask();
  const left = several.filter((_, index) => String(index) !== first.body);
  proxy.source.set(
    {
      ...config(left, { mode: 'persistent' }),
      listeners: { https: { address: '127.0.0.1', port: 0 }, admin: { address: '127.0.0.1', port: 0 } },
    },
    material,
  );
  await proxy.app.reload();
  const next = await ask(first.cookie);
  t.not(next.body, first.body);
  t.match(next.cookie, /^INGRESSCOOKIE=/);
  t.not(next.cookie, first.cookie);
});

void t.test('the cookie bears the attributes that are configured', async (t) => {
  const [backend] = await backends(t, 1);
  const { ask } = await start(t, [backend!.endpoint], {
    cookie: 'route',
    path: '/x',
    domain: 'a.test',
    sameSite: 'None',
    conditionalSameSiteNone: true,
    secure: false,
    maxAge: 172_800,
    expires: 60,
  });
  const { line } = await ask();
  t.match(
    line,
    /^route=[0-9a-f.]{49}; Expires=[A-Z][a-z]{2}, .* GMT; Max-Age=172800; Domain=a\.test; Path=\/x; HttpOnly; SameSite=None$/,
  );
  const chrome =
    'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/60.0 Safari/537.36';
  t.notMatch((await ask(null, chrome)).line, /SameSite/);
});

void t.test('a partitioned cookie says so, behind Secure', async (t) => {
  const [backend] = await backends(t, 1);
  const { ask } = await start(t, [backend!.endpoint], { partitioned: true, secure: true });
  t.match((await ask()).line, /; Secure; HttpOnly; Partitioned$/);
});

void t.test('what a route changes about its upstream’s cookies leaves ours alone', async (t) => {
  const backend = await startBackend(t, (_, response) => {
    response.setHeader('Set-Cookie', 'theirs=1; Path=/app');
    response.end();
  });
  const { hosts, upstreams } = config([backend.endpoint], {});
  const [host] = hosts;
  const response = { cookiePaths: [{ from: '/app', to: '/changed' }] };
  const routes = host!.routes.map((route) => ({ ...route, response }));
  const proxy = await startProxy(t, { hosts: [{ ...host!, routes }], upstreams }, material);
  const { raw } = await request({ port: proxy.port, host: 'a.test', serverName: 'a.test', path: '/app' });
  t.match(raw, /^Set-Cookie: theirs=1; Path=\/changed\r$/m);
  t.match(raw, /^Set-Cookie: INGRESSCOOKIE=[0-9a-f.]+; Path=\/app; Secure; HttpOnly\r$/m);
});

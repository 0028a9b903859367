import t from 'tap';
import type { RouteConfig } from '../../src/config/schema.ts';
import { request } from '../support/client.ts';
import { createAuthority } from '../support/pki.ts';
import { startBackend, startProxy } from '../support/proxy.ts';

const root = await createAuthority({ cn: 'Root' });
const server = await root.issue({ cn: 'server', hosts: ['a.test'], usage: 'server' });
const material = { 'server.pem': server.bundle, 'server.key': server.key };

async function start(t: Parameters<typeof startBackend>[0], changes: Partial<RouteConfig>) {
  const main = await startBackend(t, (_, response) => response.end('main'));
  const canary = await startBackend(t, (_, response) => response.end('canary'));
  const upgrades: string[] = [];
  for (const [name, { server }] of Object.entries({ main, canary })) {
    server.on('upgrade', (_request, socket) => {
      upgrades.push(name);
      socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    });
  }
  const proxy = await startProxy(
    t,
    {
      hosts: [
        {
          names: ['a.test'],
          certificate: { cert: 'server.pem', key: 'server.key' },
          routes: [{ path: '/', upstream: 'main', ...changes }],
        },
      ],
      upstreams: { main: { endpoints: [main.endpoint] }, canary: { endpoints: [canary.endpoint] } },
    },
    material,
  );
  const ask = (...headers: string[]) =>
    request({ port: proxy.port, host: 'a.test', serverName: 'a.test', headers });
  return { proxy, ask, upgrades };
}

void t.test('header, cookie and weight lead to a canary, in this order', async (t) => {
  const { ask, proxy } = await start(t, {
    canary: [{ upstream: 'canary', header: 'X-Canary', cookie: 'canary', weight: 0 }],
  });
  t.equal((await ask()).body, 'main');
  t.equal((await ask('X-Canary: always')).body, 'canary');
  t.equal((await ask('X-Canary: never', 'Cookie: canary=always')).body, 'main');
  t.equal((await ask('Cookie: canary=always')).body, 'canary');
  const logged = proxy.log.filter(({ message }) => message === 'request') as {
    upstream?: { name: string };
  }[];
  t.ok(JSON.stringify(proxy.log).includes('"name":"canary"'), `the log names the canary: ${logged.length}`);
});

void t.test('a weight of all takes all, but for those who decline', async (t) => {
  const { ask } = await start(t, { canary: [{ upstream: 'canary', header: 'X-Canary', weight: 100 }] });
  t.equal((await ask()).body, 'canary');
  t.equal((await ask('X-Canary: never')).body, 'main');
});

void t.test('an upgrade goes where a canary says, too', async (t) => {
  const { ask, upgrades } = await start(t, { canary: [{ upstream: 'canary', header: 'X-Canary' }] });
  const upgrade = ['Upgrade: websocket', 'Connection: Upgrade'];
  await ask('X-Canary: always', ...upgrade).catch(() => {});
  t.same(upgrades, ['canary']);
});

void t.test('who was served by an upstream stays with it, whatever headers say', async (t) => {
  const { ask } = await start(t, {
    canary: [{ upstream: 'canary', header: 'X-Canary' }],
    affinity: { cookie: 'place' },
  });
  const cookieOf = (header: string | undefined): string => (header ?? '').split(';')[0] ?? '';
  const first = await ask('X-Canary: always');
  t.equal(first.body, 'canary');
  const cookie = cookieOf(first.headers['set-cookie']);
  t.match(cookie, /^place=[0-9a-f]{32}\.[0-9a-f]{16}$/);
  const second = await ask(`Cookie: ${cookie}`);
  t.equal(second.body, 'canary', 'no header, and still the canary');
  t.equal(second.headers['set-cookie'], undefined, 'the cookie is not set again');
  const main = cookieOf((await ask()).headers['set-cookie']);
  t.equal((await ask(`Cookie: ${main}`, 'X-Canary: always')).body, 'main');
});

void t.test('with legacy affinity canaries give out no cookie', async (t) => {
  const { ask } = await start(t, {
    canary: [{ upstream: 'canary', header: 'X-Canary' }],
    affinity: { cookie: 'place', canary: 'legacy' },
  });
  const first = await ask('X-Canary: always');
  t.equal(first.body, 'canary');
  t.equal(first.headers['set-cookie'], undefined);
  t.match((await ask()).headers['set-cookie'], /^place=/);
});

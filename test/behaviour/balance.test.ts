import t, { type Test } from 'tap';
import type { UpstreamConfig } from '../../src/config/schema.ts';
import { request } from '../support/client.ts';
import { createAuthority } from '../support/pki.ts';
import { startBackend, startProxy } from '../support/proxy.ts';

const root = await createAuthority({ cn: 'Root' });
const server = await root.issue({ cn: 'server', hosts: ['a.test'], usage: 'server' });
const ann = await root.issue({ cn: 'ann' });
const rogue = await createAuthority({ cn: 'Rogue' });
const fake = await rogue.issue({ cn: 'ann' });
const material = { 'server.pem': server.bundle, 'server.key': server.key, 'ca.pem': root.cert };

async function start(t: Test, count: number, balance: NonNullable<UpstreamConfig['balance']>, slow = -1) {
  const backends = [];
  for (let n = 0; n < count; n++) {
    const answer = String(n);
    backends.push(
      await startBackend(t, (_, response) => {
        if (n === slow) setTimeout(() => response.end(answer), 80);
        else response.end(answer);
      }),
    );
  }
  const endpoints = backends.map(({ endpoint }) => endpoint);
  const proxy = await startProxy(
    t,
    {
      hosts: [
        {
          names: ['a.test'],
          certificate: { cert: 'server.pem', key: 'server.key' },
          clientAuth: { mode: 'optional_no_ca', ca: 'ca.pem' },
          routes: [{ path: '/', upstream: 'main' }],
        },
      ],
      upstreams: { main: { endpoints, balance } },
    },
    material,
  );
  const ask = async (path: string, headers: string[] = [], certificate: typeof ann | null = null) =>
    (await request({ port: proxy.port, host: 'a.test', serverName: 'a.test', path, headers, certificate }))
      .body;
  return { ask, backends };
}

async function several(count: number, ask: (n: number) => Promise<string>): Promise<string[]> {
  const answers: string[] = [];
  for (let n = 0; n < count; n++) answers.push(await ask(n));
  return answers;
}

void t.test('requests with the same key go to the same endpoint, others to others', async (t) => {
  const { ask } = await start(t, 4, { hash: '{path}' });
  const first = await several(16, (n) => ask(`/${n}?a`));
  t.same(await several(16, (n) => ask(`/${n}?b`)), first);
  t.ok(new Set(first).size > 1);
});

void t.test('a key may be a header; requests without it take turns', async (t) => {
  const { ask } = await start(t, 3, { hash: '{header:X-User}' });
  t.equal(new Set(await several(6, () => ask('/', ['X-User: ann']))).size, 1);
  t.equal(new Set(await several(6, () => ask('/'))).size, 3);
});

void t.test('a key may be the name in a certificate, but only in a proven one', async (t) => {
  const { ask } = await start(t, 3, { hash: '{cn}' });
  t.equal(new Set(await several(5, () => ask('/', [], ann))).size, 1);
  t.equal(new Set(await several(6, () => ask('/', [], fake))).size, 3, 'a forged one says nothing');
});

void t.test('a subset takes the requests of a key, all of it and no other', async (t) => {
  const { ask } = await start(t, 6, { hash: '{path}', subset: 2 });
  t.equal(new Set(await several(24, () => ask('/same'))).size, 2);
});

void t.test('when an endpoint goes, the others keep their keys', async (t) => {
  const { ask, backends } = await start(t, 3, { hash: '{path}' });
  const before = await several(12, (n) => ask(`/${n}`));
  const { server } = backends[0]!;
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  const after = await several(12, (n) => ask(`/${n}`));
  // The teardown waits for a close of its own.
  server.listen(0, '127.0.0.1');
  for (const [n, endpoint] of before.entries()) {
    if (endpoint === '0') t.match(after[n], /^[12]$/);
    else t.equal(after[n], endpoint);
  }
});

void t.test('with ewma a slow endpoint is spared', async (t) => {
  const { ask } = await start(t, 3, 'ewma', 1);
  const answers = await several(40, () => ask('/'));
  const slow = answers.filter((answer) => answer === '1').length;
  t.ok(slow <= 4, `${slow} of 40 went to the slow one`);
});

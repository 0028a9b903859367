import { X509Certificate } from 'node:crypto';
import t from 'tap';
import { request } from '../support/client.ts';
import { createAuthority } from '../support/pki.ts';
import { completeConfig, startBackend, startProxy } from '../support/proxy.ts';

// A route may name its own mode and trust store; it is verified against exactly that.

const a = await createAuthority({ cn: 'CA A' });
const b = await createAuthority({ cn: 'CA B' });
/** The name of A with another key. */
const namesake = await createAuthority({ cn: 'CA A' });
const server = await a.issue({ cn: 'server', hosts: ['a.test'], usage: 'server' });
const certificates = {
  none: null,
  a: await a.issue({ cn: 'a' }),
  b: await b.issue({ cn: 'b' }),
  namesake: await namesake.issue({ cn: 'n' }),
  rsa: await b.issue({ cn: 'rsa', keyType: 'rsa' }),
  ed25519: await b.issue({ cn: 'ed25519', keyType: 'ed25519' }),
} as const;
type Who = keyof typeof certificates;
const material = {
  'server.pem': server.bundle,
  'server.key': server.key,
  'a.pem': a.cert,
  'b.pem': b.cert,
  'namesake.pem': namesake.cert,
};
const upstream = 'backend';

function config(endpoint: string, adminCa = 'b.pem') {
  return {
    hosts: [
      {
        names: ['a.test'],
        certificate: { cert: 'server.pem', key: 'server.key' },
        clientAuth: { mode: 'optional' as const, ca: 'a.pem' },
        routes: [
          { path: '/', upstream },
          { path: '/admin', upstream, clientAuth: { mode: 'require' as const, ca: adminCa } },
          { path: '/namesake', upstream, clientAuth: { mode: 'require' as const, ca: 'namesake.pem' } },
          { path: '/open', upstream, clientAuth: { mode: 'off' as const } },
        ],
      },
    ],
    upstreams: { [upstream]: { endpoints: [endpoint] } },
  };
}

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  await t.test(`${version}: each route takes the certificates of its own trust store only`, async (t) => {
    const backend = await startBackend(t);
    const { port } = await startProxy(t, config(backend.endpoint), material);
    const expected: Record<string, Record<Who, number>> = {
      '/': { none: 200, a: 200, b: 400, namesake: 400, rsa: 400, ed25519: 400 },
      '/admin': { none: 400, a: 400, b: 200, namesake: 400, rsa: 200, ed25519: 200 },
      '/namesake': { none: 400, a: 400, b: 400, namesake: 200, rsa: 400, ed25519: 400 },
      '/open': { none: 200, a: 200, b: 200, namesake: 200, rsa: 200, ed25519: 200 },
    };
    for (const [path, by] of Object.entries(expected)) {
      for (const [who, status] of Object.entries(by)) {
        const certificate = certificates[who as Who];
        const ask = { port, host: 'a.test', serverName: 'a.test', certificate, path, version };
        t.equal((await request(ask)).status, status, `${path} with ${who}`);
        t.equal((await request(ask)).status, status, `${path} with ${who}, from memory`);
      }
    }
  });
}

await t.test('no spelling of a path leads past the route that requires a certificate', async (t) => {
  const backend = await startBackend(t);
  const { port } = await startProxy(t, config(backend.endpoint), material);
  for (const path of [
    '/%61dmin',
    '/x/../admin',
    '//admin',
    '/admin;x',
    '/admin%2Fx',
    '/open/..;/admin',
    '/open/%2e%2e/admin',
  ]) {
    const answer = await request({ port, host: 'a.test', serverName: 'a.test', certificate: null, path });
    t.equal(answer.status, 400, path);
  }
});

await t.test('a route with a changed CA is judged by that after a reload', async (t) => {
  const backend = await startBackend(t);
  const proxy = await startProxy(t, config(backend.endpoint), material);
  const ask = { port: proxy.port, host: 'a.test', serverName: 'a.test', path: '/admin' };
  t.equal((await request({ ...ask, certificate: certificates.b })).status, 200);
  proxy.source.set(completeConfig(config(backend.endpoint, 'a.pem')), material);
  await proxy.app.reload();
  t.equal((await request({ ...ask, certificate: certificates.b })).status, 400);
  t.equal((await request({ ...ask, certificate: certificates.a })).status, 200);
});

await t.test('a path length is held against the store of the route alone', async (t) => {
  const root = await createAuthority({ cn: 'Root', pathLen: 0 });
  const tooDeep = await createAuthority({ cn: 'Deep', parent: root });
  t.ok(new X509Certificate(tooDeep.cert).ca);
  const certificate = await tooDeep.issue({ cn: 'deep' });
  const backend = await startBackend(t);
  const { port } = await startProxy(t, config(backend.endpoint, 'root.pem'), {
    ...material,
    'root.pem': root.cert,
  });
  const answer = await request({ port, host: 'a.test', serverName: 'a.test', certificate, path: '/admin' });
  t.equal(answer.status, 400);
});

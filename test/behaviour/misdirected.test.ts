import t from 'tap';
import { request } from '../support/client.ts';
import { createAuthority } from '../support/pki.ts';
import { startBackend, startProxy } from '../support/proxy.ts';

// Rule 5: a connection's server name binds it. The whole matrix of {server name} × {Host} × {certificate}.

const caA = await createAuthority({ cn: 'CA A' });
const caB = await createAuthority({ cn: 'CA B' });
const clientA = await caA.issue({ cn: 'a' });
const clientB = await caB.issue({ cn: 'b' });
const server = await caA.issue({ cn: 'server', hosts: ['a.test'], usage: 'server' });

const serverNames: Record<string, string | undefined> = {
  same: 'a.test',
  other: 'b.test',
  public: 'public.test',
  wildcard: 'x.wild.test',
  absent: undefined,
  unknown: 'nobody.test',
  'upper case': 'A.TEST',
  'trailing dot': 'a.test.',
};

/** The Host header, and which host it means. */
const hosts: Record<string, readonly [header: string, host: 'a' | 'b' | 'public' | 'wild' | null]> = {
  'a.test': ['a.test', 'a'],
  'other mTLS host': ['b.test', 'b'],
  'public host': ['public.test', 'public'],
  'wildcard host': ['y.wild.test', 'wild'],
  unknown: ['nobody.test', null],
  'upper case': ['A.Test', 'a'],
  'trailing dot': ['a.test.', 'a'],
  'with port': ['a.test:8443', 'a'],
  'dot and port': ['b.test.:8443', 'b'],
};

/** Which host's TLS settings a server name leads to; no or an unknown name: the strictest, a. */
const boundBy: Record<string, 'a' | 'b' | 'public' | 'wild'> = {
  same: 'a',
  other: 'b',
  public: 'public',
  wildcard: 'wild',
  absent: 'a',
  unknown: 'a',
  'upper case': 'a',
  'trailing dot': 'a',
};

await t.test('no server name and no Host reach an mTLS host without its own verification', async (t) => {
  const backend = await startBackend(t);
  const mtls = (name: string, ca: string) => ({
    names: [name],
    certificate: { cert: 'server.pem', key: 'server.key' },
    clientAuth: { mode: 'require' as const, ca },
    routes: [{ path: '/', upstream: 'backend' }],
  });
  const proxy = await startProxy(
    t,
    {
      hosts: [
        mtls('a.test', 'a.pem'),
        mtls('b.test', 'b.pem'),
        mtls('*.wild.test', 'b.pem'),
        {
          names: ['public.test'],
          certificate: { cert: 'server.pem', key: 'server.key' },
          routes: [{ path: '/', upstream: 'backend' }],
        },
      ],
      upstreams: { backend: { endpoints: [backend.endpoint] } },
    },
    { 'server.pem': server.bundle, 'server.key': server.key, 'a.pem': caA.cert, 'b.pem': caB.cert },
  );
  const certificates = { none: null, 'CA A': clientA, 'CA B': clientB };
  for (const [sni, serverName] of Object.entries(serverNames)) {
    for (const [title, [header, asked]] of Object.entries(hosts)) {
      for (const [who, certificate] of Object.entries(certificates)) {
        const bound = boundBy[sni]!;
        const trusts = bound === 'a' ? 'CA A' : 'CA B';
        const expected =
          asked === null
            ? 404
            : asked === 'public'
              ? 200
              : asked !== bound
                ? 421
                : who === trusts
                  ? 200
                  : 400;
        for (const absoluteForm of [false, true]) {
          const answer = await request({
            port: proxy.port,
            host: header,
            certificate,
            path: absoluteForm ? `https://${header}/` : '/',
            ...(serverName === undefined ? {} : { serverName }),
          });
          const name = `SNI ${sni}, Host ${title}, certificate ${who}${absoluteForm ? ', absolute-form' : ''}`;
          t.equal(answer.status, expected, name);
        }
      }
    }
  }
});

await t.test('an IP address as server name finds the host of that address', async (t) => {
  const backend = await startBackend(t);
  const proxy = await startProxy(
    t,
    {
      hosts: [
        {
          names: ['127.0.0.1'],
          certificate: { cert: 'server.pem', key: 'server.key' },
          clientAuth: { mode: 'require', ca: 'a.pem' },
          routes: [{ path: '/', upstream: 'backend' }],
        },
      ],
      upstreams: { backend: { endpoints: [backend.endpoint] } },
    },
    { 'server.pem': server.bundle, 'server.key': server.key, 'a.pem': caA.cert },
  );
  const answer = await request({ port: proxy.port, host: `127.0.0.1:${proxy.port}`, certificate: clientA });
  t.equal(answer.status, 200);
});

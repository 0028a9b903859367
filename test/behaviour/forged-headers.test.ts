import * as fc from 'fast-check';
import t from 'tap';
import type { Dialect } from '../../src/config/schema.ts';
import { request } from '../support/client.ts';
import { createAuthority } from '../support/pki.ts';
import { startBackend, startProxy } from '../support/proxy.ts';

const root = await createAuthority({ cn: 'Root A' });
const client = await root.issue({ ou: 'ITOps', cn: 'roshankhatri' });
const server = await root.issue({ cn: 'server', hosts: ['mtls.test', 'public.test'], usage: 'server' });

/** Every name that one of the dialects gives meaning to, and one of a template in the configuration. */
const names = [
  'ssl-client-verify',
  'ssl-client-subject-dn',
  'ssl-client-issuer-dn',
  'ssl-client-cert',
  'x-forwarded-client-cert',
  'client-cert',
  'client-cert-chain',
  'x-forwarded-tls-client-cert',
  'x-forwarded-tls-client-cert-info',
  'x-ssl-client-sha1',
  'x-ssl-client-dn',
  'x-ssl-client-cn',
  'x-ssl-client-cert',
  'x-client-cn',
];
const forged = 'FORGED-BY-CLIENT';

/** A name in some letter case, some of its `-` written as `_`. */
const spelling = fc.constantFrom(...names).chain((name) =>
  fc
    .tuple(
      fc.array(fc.boolean(), { minLength: name.length, maxLength: name.length }),
      fc.array(fc.boolean(), { minLength: name.length, maxLength: name.length }),
    )
    .map(([upper, underscore]) =>
      Array.from(name)
        .map((char, index) =>
          char === '-' && underscore[index] ? '_' : upper[index] ? char.toUpperCase() : char,
        )
        .join(''),
    ),
);

await t.test('a forged identity header reaches no backend, whatever its spelling and the host', async (t) => {
  const backend = await startBackend(t);
  const dialects: Dialect[] = ['nginx', 'xfcc', 'rfc9440', 'traefik', 'haproxy'];
  const proxy = await startProxy(
    t,
    {
      hosts: [
        {
          names: ['mtls.test'],
          certificate: { cert: 'server.pem', key: 'server.key' },
          clientAuth: { mode: 'optional', ca: 'ca.pem' },
          routes: [
            { path: '/', upstream: 'backend' },
            {
              path: '/all',
              upstream: 'backend',
              identityHeaders: { dialects, templates: { 'X-Client-CN': '{cn}' } },
            },
            { path: '/none', upstream: 'backend', identityHeaders: { dialects: [] } },
          ],
        },
        {
          names: ['public.test'],
          certificate: { cert: 'server.pem', key: 'server.key' },
          routes: [{ path: '/', upstream: 'backend' }],
        },
      ],
      upstreams: { backend: { endpoints: [backend.endpoint] } },
    },
    { 'server.pem': server.bundle, 'server.key': server.key, 'ca.pem': root.cert },
  );
  const attack = fc.record({
    host: fc.constantFrom('mtls.test', 'public.test'),
    path: fc.constantFrom('/', '/all', '/none'),
    certificate: fc.constantFrom(client, null),
    headers: fc.array(spelling, { minLength: 1, maxLength: 4 }),
    duplicate: fc.boolean(),
    inConnection: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(attack, async ({ host, path, certificate, headers, duplicate, inConnection }) => {
      backend.seen.length = 0;
      const lines = headers.flatMap((name) => {
        const line = `${name}: ${forged}`;
        return duplicate ? [line, line] : [line];
      });
      if (inConnection) lines.push(`Connection: ${[...headers, ...names].join(', ')}`);
      const answer = await request({
        port: proxy.port,
        serverName: host,
        host,
        path,
        certificate,
        headers: lines,
      });
      if (answer.status !== 200) throw new Error(`status ${answer.status}`);
      const [seen] = backend.seen;
      if (seen === undefined) throw new Error('the backend saw nothing');
      if (seen.rawHeaders.some((text) => text.includes(forged))) throw new Error(seen.rawHeaders.join('\n'));
      if (host !== 'mtls.test') return;
      // Ours are there all the same, even those that the client's Connection named.
      const verify = seen.headers['ssl-client-verify'];
      const wanted = path === '/none' ? undefined : certificate === null ? 'NONE' : 'SUCCESS';
      if (verify !== wanted) throw new Error(`ssl-client-verify is ${String(verify)}, wanted ${wanted}`);
      if (path === '/all' && certificate !== null && seen.headers['x-client-cn'] !== 'roshankhatri') {
        throw new Error(`X-Client-CN is ${String(seen.headers['x-client-cn'])}`);
      }
    }),
    { numRuns: 150 },
  );
  t.pass('150 attacks');
});

import * as fc from 'fast-check';
import t from 'tap';
import type { HostConfig } from '../../src/config/schema.ts';
import { compile } from '../../src/snapshot/compile.ts';
import type { Connection } from '../../src/snapshot/connection.ts';
import { decide } from '../../src/snapshot/decide.ts';
import type { RequestHead } from '../../src/snapshot/request-head.ts';
import { none, success, type Verdict } from '../../src/tls/verdict.ts';
import { judgedUnder } from '../support/client-auth.ts';
import { anIdentity } from '../support/identity.ts';

const now = Date.UTC(2026, 10, 23);
const page = 'https://a.example';
const cors = { origins: [page] };
const certificate = { cert: 'server.pem', key: 'server.key' };
const denied = anIdentity({ notAfter: now + 1000, serial: '0D' });
const usual = anIdentity({ notAfter: now + 1000, serial: '01' });

function host(name: string, more: Partial<HostConfig>): HostConfig {
  return {
    names: [name],
    certificate,
    routes: [
      { path: '/', upstream: 'u' },
      { path: '/api', upstream: 'u', cors, plainHttp: 'serve' },
      { path: '/admin', upstream: 'u' },
    ],
    ...more,
  };
}

const compiled = compile(
  {
    listeners: { https: { port: 8443 }, http: { port: 8080 } },
    denyList: 'denied.yaml',
    hosts: [
      host('require.test', { clientAuth: { mode: 'require', ca: 'a.pem' } }),
      host('optional.test', { clientAuth: { mode: 'optional', ca: 'b.pem' } }),
      host('policy.test', { clientAuth: { mode: 'require', ca: 'a.pem' }, policy: { cn: 'nobody' } }),
      host('open.test', {}),
    ],
    upstreams: { u: { endpoints: ['127.0.0.1:8000'] } },
  },
  new Map(
    Object.entries({
      'server.pem': 'x',
      'server.key': 'x',
      'a.pem': 'A',
      'b.pem': 'B',
      'denied.yaml': "- serial: '0D'\n",
    }),
  ),
);
if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
const { snapshot } = compiled;
const hosts = ['require.test', 'optional.test', 'policy.test', 'open.test'].map((name) =>
  snapshot.hosts.find(name)!,
);

const untrusted: Verdict = { status: 'failed', reason: 'untrusted', detail: 'x', untrustedOnly: true };
const anyConnection = fc.record({
  listener: fc.constantFrom<'https' | 'http'>('https', 'http'),
  bound: fc.constantFrom(...hosts),
  matched: fc.boolean(),
  keyFrom: fc.constantFrom(...hosts),
  verdict: fc.constantFrom<Verdict>(success, none, untrusted),
  identity: fc.constantFrom(usual, denied, null),
});
const anyPath = fc.constantFrom(
  '/',
  '/api',
  '/api/x',
  '/apix',
  '/admin',
  '/api/..;/admin',
  '/api%2f..%2fadmin',
  '/%2e%2e',
);

await t.test(
  'a preflight passes over the verdict and what follows it, and over no check before',
  async (t) => {
    let answered = 0;
    fc.assert(
      fc.property(
        anyConnection,
        fc.constantFrom(...hosts),
        anyPath,
        fc.constantFrom(page, 'null'),
        (c, asked, path, origin) => {
          const connection: Connection = {
            listener: c.listener,
            remoteAddress: '192.0.2.1',
            remotePort: 1,
            localPort: 8443,
            serverName: c.bound.id,
            hostId: c.bound.id,
            serverNameMatched: c.matched,
            trustKey: c.keyFrom.clientAuth.key,
            judged: judgedUnder(c.keyFrom.clientAuth.trust?.key ?? '', c.verdict),
            identity: c.identity,
            tlsVersion: null,
            cipher: null,
            resumed: false,
          };
          const head: RequestHead = {
            method: 'OPTIONS',
            path,
            query: '',
            host: asked.id,
            authority: asked.id,
          };
          const plain = decide(snapshot, connection, head, now);
          const decision = decide(snapshot, connection, { ...head, preflight: { origin } }, now);
          if (decision.reason !== 'cors_preflight') {
            const proxied = decision.action === 'forward' && decision.route.cors !== null;
            return !proxied && decision.reason === plain.reason;
          }
          answered++;
          const permits = decision.headers.includes('Access-Control-Allow-Origin');
          return (
            decision.status === 204 &&
            !decision.close &&
            decision.route?.cors !== null &&
            permits === (origin === page) &&
            !['denied', 'misdirected', 'bad_path', 'no_host', 'no_route', 'redirect_https'].includes(
              plain.reason,
            )
          );
        },
      ),
      { numRuns: 1000 },
    );
    t.ok(answered > 10, `${answered} were answered`);
  },
);

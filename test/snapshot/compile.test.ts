import t from 'tap';
import { createAuthority } from '../support/pki.ts';
import type { Config, HostConfig, RouteConfig } from '../../src/config/schema.ts';
import { compile, type CompileResult } from '../../src/snapshot/compile.ts';
import type { Snapshot } from '../../src/snapshot/snapshot.ts';

const authority = await createAuthority({ cn: 'Root' });
const material: Record<string, string> = {
  'cert.pem': 'CERT',
  'key.pem': 'KEY',
  'a.pem': 'CA A',
  'b.pem': 'CA B',
  'crl.pem': authority.crl(),
  'not-a-crl.pem': 'CRL',
  'ca.pem': authority.cert,
  'forged.pem': (await createAuthority({ cn: 'Root' })).crl(),
  'empty.pem': ' \n',
};

function host(name: string, more: Partial<HostConfig> = {}): HostConfig {
  return {
    names: [name],
    certificate: { cert: 'cert.pem', key: 'key.pem' },
    routes: [{ path: '/', upstream: 'app' }],
    ...more,
  };
}

function config(hosts: readonly HostConfig[], more: Partial<Config> = {}): Config {
  return {
    listeners: { https: { port: 8443 } },
    hosts: [...hosts],
    upstreams: { app: { endpoints: ['127.0.0.1:8000', '[::1]:8001'] } },
    ...more,
  };
}

const compiled = (given: Config, files = material): CompileResult =>
  compile(given, new Map(Object.entries(files)));

function snapshotOf(given: Config, files = material): Snapshot {
  const result = compiled(given, files);
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result.snapshot;
}

const mtls = (ca: string, more: object = {}): Partial<HostConfig> => ({
  clientAuth: { mode: 'require', ca, ...more },
});

await t.test('what would leave a check out makes no snapshot, and says where', async (t) => {
  const route = (more: Partial<RouteConfig>): Partial<HostConfig> => ({
    routes: [{ path: '/', upstream: 'app', ...more }],
  });
  const cases: Record<string, readonly [hosts: readonly HostConfig[], path: string]> = {
    'an identity header in a question to a service': [
      [
        host(
          'a.test',
          route({
            access: {
              external: { upstream: 'app', target: '/', headers: { 'Ssl-Client-Verify': 'SUCCESS' } },
            },
          }),
        ),
      ],
      '/hosts/0/routes/0/access/external/headers/Ssl-Client-Verify',
    ],
    'a header of a template in a question to a service': [
      [
        host(
          'a.test',
          route({
            identityHeaders: { templates: { 'X-Who': '{cn}' } },
            access: { external: { upstream: 'app', target: '/', headers: { 'x-who': 'root' } } },
          }),
        ),
      ],
      '/hosts/0/routes/0/access/external/headers',
    ],
    'a header of a template among those that are set': [
      [
        host(
          'a.test',
          route({
            identityHeaders: { templates: { 'X-Who': '{cn}' } },
            request: { set: { 'x-who': 'root' } },
          }),
        ),
      ],
      '/hosts/0/routes/0/request/set',
    ],
    'a mode without a trust store': [
      [host('a.test', { clientAuth: { mode: 'optional' } })],
      '/hosts/0/clientAuth',
    ],
    'a trust store that is not there': [[host('a.test', mtls('nope.pem'))], '/hosts/0/clientAuth/ca'],
    'an empty trust store': [[host('a.test', mtls('empty.pem'))], '/hosts/0/clientAuth/ca'],
    'an empty CRL': [[host('a.test', mtls('a.pem', { crl: 'empty.pem' }))], '/hosts/0/clientAuth/crl'],
    'a CRL that is none': [
      [host('a.test', mtls('a.pem', { crl: 'not-a-crl.pem' }))],
      '/hosts/0/clientAuth/crl',
    ],
    'an empty list of CRLs': [[host('a.test', mtls('a.pem', { crl: [] }))], '/hosts/0/clientAuth/crl'],
    'the second of several CRLs': [
      [host('a.test', mtls('a.pem', { crl: ['crl.pem', 'empty.pem'] }))],
      '/hosts/0/clientAuth/crl/1',
    ],
    'revocation without a CRL': [
      [host('a.test', mtls('a.pem', { revocation: { check: 'leaf' } }))],
      '/hosts/0/clientAuth/revocation',
    ],
    'grace that is not given': [
      [host('a.test', mtls('a.pem', { crl: 'crl.pem', revocation: { stale: 'allow' } }))],
      '/hosts/0/clientAuth/revocation/stale',
    ],
    'a CRL that another signed in the name of the CA': [
      [host('a.test', mtls('ca.pem', { crl: 'forged.pem' }))],
      '/hosts/0/clientAuth/crl',
    ],
    'a policy with client certificates off': [[host('a.test', { policy: { cn: 'x' } })], '/hosts/0'],
    'a route policy with them off': [[host('a.test', route({ policy: { cn: 'x' } }))], '/hosts/0'],
    'strict with another mode': [
      [host('a.test', { clientAuth: { mode: 'optional', ca: 'a.pem', strict: true } })],
      '/hosts/0/clientAuth/strict',
    ],
    'a policy that does not compile': [
      [host('a.test', { ...mtls('a.pem'), policy: { cn: { regex: '(' } } })],
      '/hosts/0/policy/cn',
    ],
    'an upstream that nobody has': [
      [host('a.test', route({ upstream: 'ap' }))],
      '/hosts/0/routes/0/upstream',
    ],
    'a name of two hosts': [[host('a.test'), host('A.TEST.')], '/hosts/1/names'],
    'a name that is none': [[host('a test')], '/hosts/0/names/0'],
    'a wildcard within a name': [[host('a.*.test')], '/hosts/0/names/0'],
    'a path with two readings': [[host('a.test', route({ path: '/a/../b' }))], '/hosts/0/routes/0/path'],
    'a template over a framing header': [
      [host('a.test', route({ identityHeaders: { templates: { 'Content-Length': '{cn}' } } }))],
      '/hosts/0/routes/0/identityHeaders/templates/Content-Length',
    ],
    'a template that does not compile': [
      [host('a.test', route({ identityHeaders: { templates: { 'X-CN': '{cm}' } } }))],
      '/hosts/0/routes/0/identityHeaders/templates/X-CN',
    ],
  };
  for (const [name, [hosts, path]] of Object.entries(cases)) {
    const result = compiled(config(hosts));
    t.equal(result.ok, false, name);
    if (!result.ok)
      t.ok(
        result.problems.some((problem) => problem.path.startsWith(path)),
        JSON.stringify(result),
      );
  }
});

await t.test('all problems are told at once', async (t) => {
  const result = compiled(config([host('a.test', mtls('nope.pem')), host('a.test', mtls('empty.pem'))]));
  t.equal(result.ok ? 0 : result.problems.length, 3);
});

await t.test('the strictest host stands in for an unknown server name, the first of equals', async (t) => {
  const off = host('off.test');
  const optional = host('optional.test', { clientAuth: { mode: 'optional', ca: 'a.pem' } });
  const noCa = host('no-ca.test', { clientAuth: { mode: 'optional_no_ca', ca: 'a.pem' } });
  const required = host('require.test', mtls('a.pem'));
  const second = host('second.test', mtls('b.pem'));
  const strict = host('strict.test', mtls('a.pem', { strict: true }));
  const defaultOf = (...hosts: readonly HostConfig[]): string => snapshotOf(config(hosts)).defaultHost.id;
  t.equal(defaultOf(off, optional, noCa, required, second, strict), 'strict.test');
  t.equal(defaultOf(off, optional, noCa, required, second), 'require.test');
  t.equal(defaultOf(off, noCa, optional), 'optional.test');
  t.equal(defaultOf(off, noCa), 'no-ca.test');
  t.equal(defaultOf(off), 'off.test');
});

await t.test('the key of a trust store changes with everything that verification depends on', async (t) => {
  const keyOf = (more: Partial<HostConfig>, files = material): string | null =>
    snapshotOf(config([host('a.test', more)]), files).hosts.all[0]!.clientAuth.key;
  const base = keyOf(mtls('a.pem'));
  t.equal(keyOf(mtls('a.pem')), base, 'and with nothing else');
  t.equal(keyOf(mtls('a.pem', { crl: 'crl.pem' })), base, 'CRLs are asked on every request anyway');
  t.equal(
    keyOf({ ...mtls('a.pem'), policy: { cn: 'x' } }),
    base,
    'a policy is asked on every request anyway',
  );
  const others = [
    keyOf(mtls('b.pem')),
    keyOf(mtls('a.pem'), { ...material, 'a.pem': 'CA A, changed' }),
    keyOf(mtls('a.pem', { verifyDepth: 2 })),
    keyOf(mtls('a.pem', { strict: true })),
    keyOf({ clientAuth: { mode: 'optional', ca: 'a.pem' } }),
    keyOf({ clientAuth: { mode: 'optional_no_ca', ca: 'a.pem' } }),
    keyOf({}),
  ];
  t.equal(new Set([base, ...others]).size, others.length + 1, 'each is another');
});

await t.test('the version changes with the configuration and with every file', async (t) => {
  const given = config([host('a.test', mtls('a.pem'))]);
  const { version } = snapshotOf(given);
  t.equal(snapshotOf(given).version, version);
  t.not(snapshotOf(given, { ...material, 'a.pem': 'other' }).version, version);
  t.not(snapshotOf({ ...given, accessLog: false }).version, version);
});

await t.test('defaults are ingress-nginx’s', async (t) => {
  const snapshot = snapshotOf(config([host('a.test')]));
  t.match(snapshot, {
    minVersion: 'TLSv1.2',
    listeners: {
      https: { address: '0.0.0.0', port: 8443 },
      http: null,
      admin: { address: '127.0.0.1', port: 9090 },
    },
    shutdown: { delayMs: 0, graceMs: 240_000 },
    accessLog: true,
  });
  t.match(snapshot.hosts.find('a.test')?.routes.find('/x'), {
    timeouts: { connectMs: 5000, sendMs: 60_000, readMs: 60_000 },
    bodyLimit: 1024 * 1024,
    pathType: 'Prefix',
    upgrade: ['websocket'],
    identityHeaders: { dialects: ['nginx'], certificate: false },
  });
  t.match(snapshot.upstreams.get('app'), {
    endpoints: [
      { address: '127.0.0.1', port: 8000, name: '127.0.0.1:8000' },
      { address: '::1', port: 8001, name: '[::1]:8001' },
    ],
    tls: null,
    tries: 3,
  });
});

await t.test('an upstream verifies its TLS unless the words that cannot be missed are there', async (t) => {
  const tlsOf = (tls: object) =>
    snapshotOf(config([host('a.test')], { upstreams: { app: { endpoints: ['b:443'], tls } } })).upstreams.get(
      'app',
    )?.tls;
  t.equal(tlsOf({})?.verify, true);
  t.equal(tlsOf({ dangerouslySkipVerification: false })?.verify, true);
  t.equal(tlsOf({ dangerouslySkipVerification: true })?.verify, false);
});

await t.test('a snapshot is frozen', async (t) => {
  const snapshot = snapshotOf(config([host('a.test', mtls('a.pem'))]));
  const [one] = snapshot.hosts.all;
  for (const part of [
    snapshot,
    snapshot.hosts.all,
    one,
    one?.clientAuth,
    one?.routes.all,
    one?.routes.all[0],
    snapshot.limits,
  ]) {
    t.ok(Object.isFrozen(part));
  }
});

import t from 'tap';
import type { Test } from 'tap';
import { openTls } from '../support/client.ts';
import { createAuthority } from '../support/pki.ts';
import { completeConfig, type PartialConfig, type Proxy, startProxy } from '../support/proxy.ts';
import { checkRules } from '../../src/config/rules.ts';

const ca = await createAuthority({ cn: 'CA' });
const server = await ca.issue({ cn: 'server', hosts: ['a.test'], usage: 'server' });

const configOf = (tls: NonNullable<PartialConfig['tls']>): PartialConfig => ({
  tls,
  hosts: [
    {
      names: ['a.test'],
      certificate: { cert: 'server.pem', key: 'server.key' },
      routes: [{ path: '/', upstream: 'backend' }],
    },
  ],
  upstreams: { backend: { endpoints: ['127.0.0.1:1'] } },
});

const start = (t: Test, tls: NonNullable<PartialConfig['tls']>): Promise<Proxy> =>
  startProxy(t, configOf(tls), { 'server.pem': server.bundle, 'server.key': server.key });

interface Offer {
  readonly version?: 'TLSv1.2' | 'TLSv1.3';
  readonly ciphers?: string;
  readonly groups?: string;
  readonly signatures?: string;
}

/** Version, cipher suite and group of a handshake; null where it fails. */
async function shake(t: Test, proxy: Proxy, offer: Offer = {}) {
  const { version, ciphers, groups, signatures } = offer;
  try {
    const socket = await openTls({
      port: proxy.port,
      serverName: 'a.test',
      ...(version === undefined ? {} : { version }),
      tls: {
        ...(ciphers === undefined ? {} : { ciphers }),
        ...(groups === undefined ? {} : { ecdhCurve: groups }),
        ...(signatures === undefined ? {} : { sigalgs: signatures }),
      },
    });
    t.teardown(() => socket.destroy());
    return { version: socket.getProtocol(), cipher: socket.getCipher().name };
  } catch {
    return null;
  }
}

await t.test('the default is intermediate: no TLS 1.2 without forward secrecy, none with CBC', async (t) => {
  const proxy = await start(t, {});
  t.match(await shake(t, proxy), { version: 'TLSv1.3' });
  t.match(await shake(t, proxy, { version: 'TLSv1.2' }), { cipher: 'ECDHE-ECDSA-AES128-GCM-SHA256' });
  for (const ciphers of ['ECDHE-ECDSA-AES128-SHA256', 'ECDHE-ECDSA-AES128-SHA', 'AES128-GCM-SHA256'])
    t.equal(await shake(t, proxy, { version: 'TLSv1.2', ciphers }), null, ciphers);
});

await t.test('modern is TLS 1.3 alone', async (t) => {
  const proxy = await start(t, { preset: 'modern' });
  t.same(await shake(t, proxy), { version: 'TLSv1.3', cipher: 'TLS_AES_128_GCM_SHA256' });
  t.equal(await shake(t, proxy, { version: 'TLSv1.2' }), null);
});

await t.test('only the cipher suites, groups and signature algorithms that are written', async (t) => {
  const proxy = await start(t, {
    ciphers: ['TLS_CHACHA20_POLY1305_SHA256', 'ECDHE-ECDSA-AES256-GCM-SHA384'],
    groups: ['P-384'],
    signatureAlgorithms: ['ecdsa_secp256r1_sha256'],
  });
  t.same(await shake(t, proxy), { version: 'TLSv1.3', cipher: 'TLS_CHACHA20_POLY1305_SHA256' });
  t.equal(await shake(t, proxy, { ciphers: 'TLS_AES_128_GCM_SHA256' }), null);
  t.match(await shake(t, proxy, { version: 'TLSv1.2' }), { cipher: 'ECDHE-ECDSA-AES256-GCM-SHA384' });
  t.equal(await shake(t, proxy, { groups: 'X25519:P-256' }), null);
  t.ok(await shake(t, proxy, { groups: 'X25519:P-384' }));
  t.equal(await shake(t, proxy, { signatures: 'rsa_pss_rsae_sha256:ecdsa_secp384r1_sha384' }), null);
});

await t.test('a post-quantum key exchange works, where the runtime has it', async (t) => {
  const proxy = await start(t, {});
  const [major = 0, minor = 0] = process.versions.openssl.split('.').map(Number);
  if (major < 3 || (major === 3 && minor < 5)) return;
  t.ok(await shake(t, proxy, { groups: 'X25519MLKEM768' }));
});

await t.test('a name that OpenSSL does not know, or that gives nothing, serves nothing', async (t) => {
  const bad: readonly (readonly [NonNullable<PartialConfig['tls']>, string])[] = [
    [{ ciphers: ['TLS_AES_128_GCM_SHA256', 'ECDHE-NOPE'] }, '/tls/ciphers/1'],
    [{ ciphers: ['ALL'] }, '/tls/ciphers/0'],
    [{ ciphers: ['TLS_AES_128_GCM_SHA256:ALL'] }, '/tls/ciphers/0'],
    [{ ciphers: ['PSK-AES128-GCM-SHA256'] }, '/tls/ciphers/0'],
    [{ ciphers: ['ecdhe-rsa-aes128-gcm-sha256'] }, '/tls/ciphers/0'],
    [{ groups: ['X25519', 'nope'] }, '/tls/groups/1'],
    [{ groups: ['?nope:X25519'] }, '/tls/groups/0'],
    [{ signatureAlgorithms: ['nope'] }, '/tls/signatureAlgorithms/0'],
  ];
  for (const [tls, path] of bad) {
    t.match(checkRules(completeConfig(configOf(tls))), [{ path, severity: 'error' }], path);
    await t.rejects(start(t, tls), /is not known to the OpenSSL|gives no encryption/);
  }
  t.match(checkRules(completeConfig(configOf({ preset: 'modern', minVersion: 'TLSv1.2' }))), [
    { path: '/tls/minVersion', severity: 'error' },
  ]);
  t.match(
    checkRules(completeConfig(configOf({ minVersion: 'TLSv1.3', ciphers: ['ECDHE-RSA-AES128-GCM-SHA256'] }))),
    [{ path: '/tls/ciphers', severity: 'error' }],
  );
});

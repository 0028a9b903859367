import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import t from 'tap';
import { createFileSource } from '../../src/config/file-source.ts';
import { examine } from '../../src/doctor/examine.ts';
import type { Finding } from '../../src/doctor/finding.ts';
import { runtimeFindings } from '../../src/doctor/runtime.ts';
import { selfTest } from '../../src/doctor/self-test.ts';
import { descriptorFindings } from '../../src/doctor/system.ts';
import { weaknesses } from '../../src/doctor/weakness.ts';
import { createAuthority } from '../support/pki.ts';
import { cleanNode } from '../support/program.ts';
import { freePort } from '../support/free-port.ts';
import { testSnapshot } from '../support/snapshot.ts';

const root = await createAuthority({ cn: 'Root' });
const weakKey = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey;
const weak = await createAuthority({ cn: 'Weak Root', key: weakKey, keyType: 'rsa' });
const soon = new Date(Date.now() + 10 * 86_400_000);
const server = await root.issue({ cn: 'a', hosts: ['a.test'], usage: 'server', notAfter: soon });

void t.test('releases with known holes are named, and safe ones are not', (t) => {
  for (const version of ['20.20.2', '22.23.3', '24.20.9', '25.0.0', '26.9.1']) {
    t.match(runtimeFindings(version, '3.5.8'), [{ severity: 'error', message: /CVE-2026-58044/ }], version);
  }
  for (const version of ['24.21.0', '24.30.0', '26.10.0', '26.11.2']) {
    t.strictSame(runtimeFindings(version, '3.5.8'), [], version);
  }
  t.match(runtimeFindings('27.0.0', '3.6.0'), [{ severity: 'info' }]);
  t.match(runtimeFindings('26.10.0', '3.0.17'), [{ severity: 'warning', message: /OpenSSL 3\.0\.17/ }]);
  t.end();
});

void t.test('this very runtime passes its self-test', async (t) => {
  t.strictSame(await selfTest(), []);
});

void t.test('too few descriptors for the connections are told of, of each process', (t) => {
  const { limits } = testSnapshot([]);
  const asked = { limits: { ...limits, connections: 1000 }, workers: 1 };
  t.match(descriptorFindings(1024, asked), [{ severity: 'warning', fix: /2128/ }]);
  t.strictSame(descriptorFindings(2128, asked), []);
  t.strictSame(descriptorFindings(1128, { ...asked, workers: 2 }), []);
  t.end();
});

void t.test('a key that is too short is weak, one of today is not', (t) => {
  t.match(weaknesses(weak.cert), [/RSA key of 1024 bits/]);
  t.strictSame(weaknesses(root.cert + server.bundle), []);
  t.strictSame(weaknesses('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'), []);
  t.end();
});

const config = (up: number, down: number): string => `listeners:
  https: { address: 127.0.0.1, port: 0 }
  http: { address: 127.0.0.1, port: 0 }
  admin: { address: 127.0.0.1, port: 0 }
hosts:
  - names: [a.test, b.test]
    certificate: { cert: server.pem, key: server.key }
    clientAuth: { mode: require, ca: ca.pem }
    routes:
      - { path: /, upstream: up }
      - { path: /x, pathType: RawPrefix, upstream: down }
  - names: [plain.test]
    certificate: { cert: server.pem, key: server.key }
    clientAuth: { mode: 'off' }
    routes:
      - { path: /, upstream: up, plainHttp: serve }
  - names: [re.test]
    certificate: { cert: server.pem, key: server.key }
    clientAuth: { mode: require, ca: ca.pem }
    routes:
      - { path: '/.*', pathType: Regex, upstream: up }
      - { path: /open, pathType: Exact, upstream: up }
      - { path: /admin, upstream: up, policy: { ou: ITOps } }
upstreams:
  up: { endpoints: ['127.0.0.1:${up}'] }
  down: { endpoints: ['127.0.0.1:${down}'] }
`;

void t.test('each fault of a configuration is found, with its place, and what is well is not', async (t) => {
  const backend = createServer((socket) => socket.destroy());
  backend.listen(0, '127.0.0.1');
  await once(backend, 'listening');
  t.teardown(() => backend.close());
  const { port } = backend.address() as AddressInfo;
  const dir = t.testdir({
    'config.yaml': config(port, await freePort()),
    'ca.pem': root.cert + weak.cert,
    'server.pem': server.bundle,
    'server.key': server.key,
  });
  const file = join(dir, 'config.yaml');
  const findings = await examine(createFileSource(file), Date.now(), false);
  const found = (message: RegExp): Finding | undefined =>
    findings.find((finding) => message.test(finding.message));
  t.match(found(/does not cover `b\.test`/), { severity: 'error', place: /config\.yaml:6:\d+/ });
  t.match(found(/expires in (9|10) days/), { severity: 'warning', place: /config\.yaml:7:/ });
  t.match(found(/neither a CRL nor OCSP/), { severity: 'warning', place: /config\.yaml:6:/ });
  t.match(found(/RSA key of 1024 bits/), { severity: 'warning', about: 'certificates' });
  t.match(found(/`plain\.test` is served in plain text at `\/`/), { severity: 'warning' });
  t.match(found(/do not reach the policy of the route `\/admin`/), { severity: 'warning', place: /:17:/ });
  t.notOk(found(/do not reach .* `\/x?` /), 'routes that are reached are well');
  t.match(found(/may be read by everyone/), { severity: 'warning', place: /config\.yaml:7:/ });
  t.match(found(/does not answer/), { severity: 'error', message: /upstream `down`/, about: 'upstreams' });
  t.notOk(
    findings.some(({ message }) => /upstream `up`/.test(message)),
    'one that answers is well',
  );
  const severities = findings.map(({ severity }) => severity);
  t.strictSame(severities, severities.toSorted(), 'the worst first');

  const run = (...args: string[]): { readonly status: number | null; readonly stdout: string } => {
    const bin = join(import.meta.dirname, '..', '..', 'bin', 'mtls-ingress');
    const [command, rest] = cleanNode(bin, 'doctor', ...args);
    return spawnSync(command, rest, { encoding: 'utf8' });
  };
  const { status, stdout } = run('--config', file, '--json', '--offline');
  t.equal(status, 1);
  const told = JSON.parse(stdout) as { readonly ok: boolean; readonly findings: readonly Finding[] };
  t.equal(told.ok, false);
  t.notOk(
    told.findings.some(({ about }) => about === 'upstreams'),
    'offline, none is tried',
  );
  t.equal(run().status, 2);
});

void t.test('a configuration that cannot be served is an error, not a crash', async (t) => {
  const dir = t.testdir({ 'config.yaml': 'hosts: 7\n' });
  const findings = await examine(createFileSource(join(dir, 'config.yaml')), Date.now(), true);
  t.match(findings[0], { severity: 'error', about: 'configuration', place: /config\.yaml:1:/ });
});

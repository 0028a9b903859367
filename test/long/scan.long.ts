import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { createAuthority } from '../support/pki.ts';
import { needs } from '../support/program.ts';
import { serve } from '../support/serve.ts';

// Two scanners, as an auditor would run them, against the program with its defaults.

const run = promisify(execFile);

const root = await createAuthority({ cn: 'Scan root' });
const server = await root.issue({ cn: 'a.test', hosts: ['a.test'], usage: 'server' });
const files = { 'server.pem': server.bundle, 'server.key': server.key, 'ca.pem': root.cert };
const config = `
hosts:
  - names: [a.test]
    certificate: { cert: server.pem, key: server.key }
    clientAuth: { mode: optional, ca: ca.pem }
    routes: [{ path: /, upstream: backend }]
upstreams: { backend: { endpoints: ['127.0.0.1:1'] } }
`;

interface Finding {
  readonly id: string;
  readonly severity: string;
  readonly finding: string;
}

void t.test('testssl.sh finds nothing above low', needs('testssl', '--version'), async (t) => {
  const { httpsPort, dir } = await serve(t, config, files);
  const report = join(dir, 'testssl.json');
  // Protocols, cipher suites, forward secrecy, the server's preferences, known vulnerabilities. Not -S and -h:
  // they judge the certificate, which is the test's, and headers, which are a backend's. Nothing of it asks the
  // internet. The simulated handshakes of clients are left out as well: they take minutes and judge nothing.
  const checks = ['-p', '-s', '-f', '-P', '-U'];
  const options = ['--quiet', '--color', '0', '--warnings', 'off', '--ip', '127.0.0.1', '--nodns', 'none'];
  const bounded = ['--connect-timeout', '5', '--openssl-timeout', '5', '--jsonfile', report];
  // It ends with the number of what it could not do or did not like: the report counts, not the code.
  await run('testssl', [...options, ...bounded, ...checks, `a.test:${httpsPort}`], {
    timeout: 300_000,
  }).catch((error: { code?: unknown; killed?: boolean }) => {
    if (typeof error.code !== 'number' || error.killed === true) throw error;
  });
  const findings = JSON.parse(readFileSync(report, 'utf8')) as Finding[];
  const ids = new Set(findings.map(({ id }) => id));
  for (const id of [
    'TLS1',
    'TLS1_2',
    'TLS1_3',
    'cipherlist_AVERAGE',
    'PFS',
    'heartbleed',
    'CRIME_TLS',
    'LUCKY13',
  ])
    t.ok(ids.has(id), `${id} was looked at`);
  // A warning is a check that could not be done; this one speaks of the scanner's own OpenSSL, which has no GOST.
  const above = findings.filter(
    ({ id, severity }) => !['OK', 'INFO', 'LOW', 'DEBUG'].includes(severity) && id !== 'engine_problem',
  );
  t.same(above, []);
  for (const { id, finding } of findings.filter(({ severity }) => severity === 'LOW'))
    t.comment(`low: ${id}: ${finding}`);
});

void t.test(
  'sslscan sees TLS 1.2 and 1.3 alone, strong cipher suites, and no weakness of either',
  needs('sslscan', '--version'),
  async (t) => {
    const { httpsPort } = await serve(t, config, files);
    const { stdout } = await run(
      'sslscan',
      ['--no-colour', '--sni-name=a.test', '--xml=-', `127.0.0.1:${httpsPort}`],
      { timeout: 120_000 },
    );
    const enabled = [...stdout.matchAll(/<protocol type="(\w+)" version="([\d.]+)" enabled="1"/g)];
    t.same(
      enabled.map(([, type, version]) => `${type}${version}`),
      ['tls1.2', 'tls1.3'],
    );
    const ciphers = [...stdout.matchAll(/<cipher [^>]*?cipher="([^"]+)"[^>]*?strength="([^"]+)"/g)];
    t.ok(ciphers.length >= 6);
    for (const [, cipher, strength] of ciphers)
      t.ok(['strong', 'acceptable'].includes(strength!), `${cipher}: ${strength}`);
    t.match(stdout, /<renegotiation supported="0" secure="\d"/);
    // Debian's sslscan has no line that says compression is off; testssl.sh looks for it (CRIME).
    t.notMatch(stdout, /<heartbleed [^>]*vulnerable="1"/);
  },
);

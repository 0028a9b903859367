import { join } from 'node:path';
import { Readable } from 'node:stream';
import t, { type Test } from 'tap';
import { runPolicyTests } from '../../src/policy-tests/command.ts';
import { Collected } from '../pki/command-line.ts';
import { createAuthority, writeFiles } from '../support/pki.ts';

async function run(...args: string[]) {
  const [stdout, stderr] = [new Collected(), new Collected()];
  const stdin = Readable.from([]) as unknown as NodeJS.ReadStream;
  const code = await runPolicyTests(args, { stdin, stdout, stderr, env: {} });
  return { code, stdout: stdout.text, stderr: stderr.text };
}

const config = `
listeners: { https: { port: 8443 } }
hosts:
  - names: [a.test]
    certificate: { cert: server.pem, key: server.key }
    clientAuth: { mode: require, ca: ca.pem }
    routes:
      - { path: /, upstream: u, policy: { ou: ITOps } }
      - { path: /serial, upstream: u, policy: { serial: 4F3A09 } }
      - { path: /ip, upstream: u, policy: { ip: 192.0.2.1 } }
      - { path: /email, upstream: u, policy: { email: a@a.test } }
      - { path: /issuer, upstream: u, policy: { issuer: { CN: Sub, O: Org } } }
      - { path: /subject, upstream: u, policy: { subject: 'CN=x,OU=b,OU=a,O=Org' } }
upstreams: { u: { endpoints: ['127.0.0.1:8000'] } }
`;

/** A folder with the configuration and a file of tests with these cases. */
function folder(t: Test, cases: string, more: Readonly<Record<string, string>> = {}): string {
  const dir = t.testdir();
  writeFiles(dir, { 'c.yaml': config, 'p.yaml': `config: c.yaml\ntests:\n${cases}`, ...more });
  return join(dir, 'p.yaml');
}

const failing = `  - name: "Sales # SKIP <b>\\u001b[2J"
    host: a.test
    certificate: { subject: { OU: Sales } }
    expect: allow
  - name: nobody
    host: a.test
    expect: { deny: no_certificate, status: 400 }
`;

await t.test('each field of a certificate is what policies see', async (t) => {
  const file = folder(
    t,
    `  - { name: serial, host: a.test, path: /serial, certificate: { serial: '4f:3A:09' }, expect: { allow: u } }
  - { name: no serial, host: a.test, path: /serial, certificate: {}, expect: { deny: policy_serial } }
  - { name: ip, host: a.test, path: /ip, certificate: { ip: [192.0.2.7, 192.0.2.1] }, expect: allow }
  - { name: email, host: a.test, path: /email, certificate: { email: a@a.test }, expect: allow }
  - { name: issuer, host: a.test, path: /issuer, certificate: { issuer: { O: Org, CN: Sub } }, expect: allow }
  - { name: its CN alone, host: a.test, path: /issuer, certificate: { issuer: Sub }, expect: { deny: policy_issuer } }
  - { name: subject, host: a.test, path: /subject, certificate: { subject: { O: Org, OU: [a, b], CN: x } }, expect: allow }
  - { name: self-signed, host: a.test, certificate: { issuer: self-signed }, expect: { deny: self_signed } }
  - { name: at a time, host: a.test, time: 2031-02-03, certificate: { subject: { OU: ITOps } }, expect: allow }
  - { name: before it, host: a.test, time: 2031-02-03, certificate: { notBefore: 2031-02-04 }, expect: { deny: not_yet_valid } }
  - { name: long ago, host: a.test, time: 1999-12-31T23:59:59+01:00, certificate: { subject: { OU: ITOps }, notAfter: 2000-01-01 }, expect: allow }
  - { name: misdirected, host: a.test, sni: null, expect: { deny: no_certificate } }
`,
  );
  const { code, stdout, stderr } = await run(file);
  t.equal(stderr, '');
  t.match(stdout, /12 of 12 as expected\n$/);
  t.notMatch(stdout, /not ok/);
  t.equal(code, 0);
});

await t.test('what came otherwise is told with its place, what was seen, and the exit code 1', async (t) => {
  const file = folder(t, failing);
  const { code, stdout } = await run(file);
  t.equal(code, 1);
  t.match(stdout, `expected allow, got deny: policy_ou (403), at ${file}:3\n`);
  t.match(stdout, 'OU was `Sales`, the rule wants `ITOps`\n');
  t.match(stdout, /\n1 of 2 as expected\n$/);
  t.notMatch(stdout, '\u001b');
});

await t.test('TAP: one plan, and no name of a test can skip it', async (t) => {
  const file = folder(t, failing);
  const { code, stdout } = await run(file, file, '--format', 'tap');
  t.equal(code, 1);
  const lines = stdout.split('\n');
  t.strictSame(lines.slice(0, 2), ['TAP version 14', '1..4']);
  t.strictSame(
    lines.filter((line) => /^(not )?ok/.test(line)),
    [1, 2, 3, 4].map((n) =>
      n % 2 === 1 ? `not ok ${n} - Sales \\# SKIP <b>\\\\u{1b}[2J` : `ok ${n} - nobody`,
    ),
  );
  t.ok(lines.includes('  expected: "allow"'));
  t.ok(lines.includes('  actual: "deny: policy_ou (403)"'));
  t.ok(lines.some((line) => line.startsWith('# ca.pem: not there; a throw-away CA')));
});

await t.test('JUnit: counts, failures, and markup stays text', async (t) => {
  const { code, stdout } = await run(folder(t, failing), '--format', 'junit');
  t.equal(code, 1);
  t.match(
    stdout,
    /^<\?xml version="1\.0" encoding="UTF-8"\?>\n<testsuites tests="2" failures="1" errors="0" skipped="0">\n/,
  );
  t.match(stdout, 'name="Sales # SKIP &lt;b&gt;\\u{1b}[2J">');
  t.match(
    stdout,
    /<failure type="decision" message="expected allow, got deny: policy_ou \(403\)">OU was `Sales`/,
  );
  t.match(stdout, /<testcase classname="[^"]+" name="nobody"\/>/);
  t.notMatch(stdout, '<b>');
});

await t.test(
  'the stand-ins bear the names of the CAs that are there, and need no key of theirs',
  async (t) => {
    const root = await createAuthority({ cn: 'Real Root', names: [['O', 'Org']] });
    const sub = await createAuthority({ cn: 'Sub', names: [['O', 'Org']], parent: root });
    const cases = `  - { name: sub, host: a.test, path: /issuer, certificate: { issuer: Sub }, expect: allow }
  - { name: root, host: a.test, path: /issuer, certificate: {}, expect: { deny: policy_issuer } }
`;
    const { code, stdout } = await run(folder(t, cases, { 'ca.pem': root.cert + sub.cert }));
    t.match(stdout, 'ca.pem: throw-away CAs of the same names (CN=Real Root,O=Org; CN=Sub,O=Org)');
    t.equal(code, 0);
  },
);

await t.test('a certificate out of a file is judged by the real trust store', async (t) => {
  const root = await createAuthority({ cn: 'Root' });
  const server = await root.issue({ cn: 's', hosts: ['a.test'], usage: 'server' });
  const [good, other] = [
    await root.issue({ ou: 'ITOps' }),
    await (await createAuthority({ cn: 'Root' })).issue({ ou: 'ITOps' }),
  ];
  const cases = `  - { name: good, host: a.test, certificate: { file: good.pem }, expect: allow }
  - { name: other, host: a.test, certificate: { file: other.pem }, expect: { deny: untrusted } }
`;
  const files = {
    'server.pem': server.bundle,
    'server.key': server.key,
    'good.pem': good.cert,
    'other.pem': other.cert,
  };
  const whole = await run(folder(t, cases, { ...files, 'ca.pem': root.cert }));
  t.equal(whole.stderr, '');
  t.equal(whole.code, 0);
  const without = await run(folder(t, cases, files));
  t.equal(without.code, 2);
  t.match(without.stderr, /wants the files that the configuration names[^]*`ca\.pem` is not there/);
});

await t.test(
  'revoked certificates, of the store and of an intermediate, and a list that nobody asks',
  async (t) => {
    const asks = config.replace('ca: ca.pem', 'ca: ca.pem, crl: [a.crl, b.crl]');
    const cases = `  - { name: ours, host: a.test, certificate: { subject: { OU: ITOps }, revoked: true }, expect: { deny: revoked } }
  - { name: theirs, host: a.test, certificate: { subject: { OU: ITOps }, issuer: Sub, revoked: true }, expect: { deny: revoked } }
  - { name: not, host: a.test, certificate: { subject: { OU: ITOps }, issuer: Sub }, expect: allow }
`;
    const { code, stdout } = await run(folder(t, cases, { 'c.yaml': asks }));
    t.match(stdout, '3 of 3 as expected');
    t.equal(code, 0);
    const nobody = await run(folder(t, cases));
    t.equal(nobody.code, 2);
    t.match(nobody.stderr, /p\.yaml:3:\d+ \/tests\/0\/certificate\/revoked nothing is revoked where/);
  },
);

await t.test('a file that makes no sense is told with place and fix, and the exit code is 2', async (t) => {
  const one = (fields: string): string => `  - { name: x, host: a.test, ${fields} }\n`;
  const cases: readonly (readonly [string, RegExp])[] = [
    [one('expect: allowed'), /p\.yaml:3:\d+ \/tests\/0\/expect must be/],
    [one('expects: allow'), /\/tests\/0\/expects unknown key `expects`, did you mean `expect`\?/],
    [
      one('expect: { deny: policy_o1 }'),
      /\/expect\/deny `policy_o1` is no reason, did you mean `policy_ou`\?/,
    ],
    [one('expect: { deny: route_redirect }'), /`route_redirect` belongs into `answer`/],
    [one('expect: { answer: expired }'), /`expired` belongs into `deny`/],
    [one('expect: { allow: v }'), /\/expect\/allow there is no upstream `v`/],
    [one('time: 2026-13-01, expect: allow'), /\/time `2026-13-01` is no time such as/],
    [one('certificate: { subject: { XYZ: 1 } }, expect: allow'), /\/subject\/XYZ must be/],
    [
      one('certificate: { subject: { XYZ: a } }, expect: allow'),
      /\/subject\/XYZ `XYZ` is no attribute of a name/,
    ],
    [one('certificate: { serial: abc }, expect: allow'), /\/serial a serial number has two/],
    [one('certificate: { ip: here }, expect: allow'), /\/ip `here` is no IP address/],
    [
      one('certificate: { file: a.pem, dns: a }, expect: allow'),
      /\/dns a certificate out of a file is as it is/,
    ],
    [one('certificate: { file: a.pem }, expect: allow'), /\/file cannot read .*there is no such file/],
    [
      one('certificate: { trustStore: b.pem }, expect: allow'),
      /names no CA file `b\.pem`; it names `ca\.pem`/,
    ],
    [one('plainHttp: true, expect: allow'), /\/tests\/0 there is no listener for plain HTTP/],
    ['  []\n', /must not be empty/],
    ['  - [\n', /not YAML/],
  ];
  for (const [text, message] of cases) {
    const { code, stdout, stderr } = await run(folder(t, text));
    t.equal(code, 2, text);
    t.match(stderr, message);
    t.equal(stdout, '');
  }
  const broken = await run(folder(t, one('expect: allow'), { 'c.yaml': 'hosts: []' }));
  t.equal(broken.code, 2);
  t.match(broken.stderr, /c\.yaml:1:/);
  const missing = await run(join(t.testdirName, 'nowhere.yaml'));
  t.equal(missing.code, 2);
  t.match(missing.stderr, /is not there/);
  t.match((await run()).stderr, /which file of policy tests/);
  t.match((await run('x', '--format', 'html')).stderr, /--format is text, tap, junit/);
});

await t.test('a deny list is the real one, and has to be there', async (t) => {
  const listed = `${config}denyList: deny.yaml\n`;
  const cases = `  - { name: x, host: a.test, certificate: { serial: '0A', subject: { OU: ITOps } }, expect: { deny: denied } }\n`;
  const there = await run(folder(t, cases, { 'c.yaml': listed, 'deny.yaml': "- { serial: '0A' }\n" }));
  t.equal(there.code, 0);
  const gone = await run(folder(t, cases, { 'c.yaml': listed }));
  t.equal(gone.code, 2);
  t.match(gone.stderr, /\/denyList `deny\.yaml` is not there/);
});

await t.test('what a policy only reports is neither allowed nor denied', async (t) => {
  const reporting = config.replace(
    'upstream: u, policy: { ou: ITOps }',
    'upstream: u, policyMode: report, policy: { ou: ITOps }',
  );
  const cases = `  - { name: reported, host: a.test, certificate: { subject: { OU: Sales } }, expect: { report: policy_ou } }
  - { name: allowed, host: a.test, certificate: { subject: { OU: ITOps } }, expect: allow }
  - { name: not allowed, host: a.test, certificate: { subject: { OU: Sales } }, expect: allow }
  - { name: not reported, host: a.test, certificate: { subject: { OU: ITOps } }, expect: { report: policy_ou } }
  - { name: not denied, host: a.test, certificate: { subject: { OU: Sales } }, expect: { deny: policy_ou } }
`;
  const { code, stdout } = await run(folder(t, cases, { 'c.yaml': reporting }));
  t.equal(code, 1);
  t.match(stdout, / {2}ok {6}reported\n {2}ok {6}allowed\n {2}not ok {2}not allowed\n/);
  t.match(stdout, 'expected allow, got report: policy_ou, allow (u)');
  t.match(stdout, 'expected report: policy_ou, got allow (u)');
  t.match(stdout, 'expected deny: policy_ou, got report: policy_ou, allow (u)');
  t.match(stdout, /2 of 5 as expected\n$/);
  const never = folder(t, '  - { name: x, host: a.test, expect: { report: revoked } }\n');
  t.match((await run(never)).stderr, /`revoked` belongs into `deny`/);
});

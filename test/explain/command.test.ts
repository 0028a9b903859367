import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import t from 'tap';
import { runExplain } from '../../src/explain/command.ts';
import type { Report } from '../../src/explain/report.ts';
import { writePkcs12 } from '../../src/pki/pkcs12-writer.ts';
import { Collected } from '../pki/command-line.ts';
import { createAuthority, writeFiles } from '../support/pki.ts';

const root = await createAuthority({ cn: 'Root' });
const middle = await createAuthority({ cn: 'Middle', parent: root });
const server = await root.issue({ cn: 'server', hosts: ['a.test'], usage: 'server' });
const itops = await middle.issue({ cn: 'roshankhatri', ou: 'ITOps' });
const hostile = await middle.issue({
  subject: [
    ['OU', 'x\u001b[2J\n\u202e'],
    ['CN', 'y'],
  ],
});
const dir = t.testdir();
const files = writeFiles(dir, {
  'c.yaml': `
listeners: { https: { port: 8443 } }
hosts:
  - names: [a.test]
    certificate: { cert: server.pem, key: server.key }
    clientAuth: { mode: require, ca: root.pem }
    routes:
      - { path: /, upstream: u, policy: { ou: ITOps } }
upstreams: { u: { endpoints: ['127.0.0.1:8000'] } }
`,
  'server.pem': server.bundle,
  'server.key': server.key,
  'root.pem': root.cert,
  'itops.pem': itops.bundle,
  'hostile.pem': hostile.bundle,
  'itops.p12': await writePkcs12(
    {
      key: createPrivateKey(itops.key),
      // The other way round: its own is the one that the key fits.
      certificates: [middle.der, itops.der],
      friendlyName: 'x',
    },
    'a secret',
  ),
});

async function explain(args: readonly string[], input: string | null = null) {
  const [stdout, stderr] = [new Collected(), new Collected()];
  const stdin = Readable.from(input === null ? [] : [Buffer.from(input)]) as unknown as NodeJS.ReadStream;
  const code = await runExplain(args, { stdin, stdout, stderr, env: { P12: 'a secret', WRONG: 'another' } });
  return { code, stdout: stdout.text, stderr: stderr.text };
}

const about = ['--config', files['c.yaml'], '--host', 'a.test'] as const;

await t.test('tells in text what becomes of a request, and exits with 0 where it is forwarded', async (t) => {
  const { code, stdout, stderr } = await explain([...about, '--path', '/x?y', '--cert', files['itops.pem']]);
  t.equal(code, 0);
  t.equal(stderr, '');
  t.match(stdout, /^forwarded by route \/ \(Prefix\) of a\.test\n/);
  for (const line of [
    '  trust store ',
    '    CA     CN=Root (trust store, SHA-256 ',
    'host     a.test, by its name `a.test`',
    '  yes  OU: saw `ITOps`, wants `ITOps`',
    '  ok   route_policy',
    'to upstream u (127.0.0.1:8000), by route',
    '  GET /x?y HTTP/1.1',
    '  ssl-client-subject-dn: CN=roshankhatri,OU=ITOps',
  ]) {
    t.ok(stdout.includes(`\n${line}`), line);
  }
});

await t.test('exits with 1 where it is refused, and tells why first', async (t) => {
  const { code, stdout } = await explain(about);
  t.equal(code, 1);
  t.match(stdout, /^answered with 400 No required SSL certificate was sent: no_certificate\n/);
});

await t.test('tells what a request is served in spite of', async (t) => {
  const text = readFileSync(files['c.yaml'], 'utf8').replace(
    'upstream: u, policy',
    'upstream: u, policyMode: report, policy',
  );
  const { 'report.yaml': reporting } = writeFiles(dir, { 'report.yaml': text });
  const asked = ['--config', reporting, '--host', 'a.test', '--cert', files['hostile.pem']];
  const { code, stdout } = await explain(asked);
  t.equal(code, 0);
  t.match(
    stdout,
    /^forwarded by .*\n {2}although route_policy would refuse it \(403\): policy_ou, OU was .*; it only reports\n/,
  );
});

await t.test('--json gives the same as data', async (t) => {
  const { code, stdout } = await explain([...about, '--cert', '-', '--json'], itops.cert);
  const report = JSON.parse(stdout) as Report;
  t.equal(code, 1);
  t.match(report, {
    decision: { action: 'respond', reason: 'untrusted', status: 400 },
    handshake: { stores: [{ missing: /^CN=Middle, who issued/ }] },
    request: { clientAuth: { mode: 'require' } },
  });
});

await t.test('takes a PKCS#12 file, whatever the order in it, and a wrong passphrase is told', async (t) => {
  const p12 = ['--cert', files['itops.p12'], '--passphrase-env'];
  const { code, stdout } = await explain([...about, ...p12, 'P12']);
  t.equal(code, 0);
  t.match(stdout, /sent {2}CN=roshankhatri,OU=ITOps/);
  const wrong = await explain([...about, ...p12, 'WRONG']);
  t.equal(wrong.code, 2);
  t.match(wrong.stderr, /^mtls-ingress explain: .*passphrase/);
  t.notMatch(wrong.stderr, /another/);
});

await t.test('what a certificate says moves no cursor', async (t) => {
  const { stdout } = await explain([...about, '--cert', files['hostile.pem']]);
  t.notMatch(stdout, /[\u001b\u202e]/);
  t.match(stdout, /OU: saw `x\\u\{1b\}/);
});

await t.test('headers, method, time, server name and address are those of the question', async (t) => {
  const asked = [
    '--header',
    'X-Forwarded-For: 1.2.3.4',
    '--method',
    'DELETE',
    '--client-address',
    '192.0.2.9',
  ];
  const { stdout } = await explain([...about, '--cert', files['itops.pem'], ...asked]);
  t.match(stdout, /\n {2}DELETE \/ HTTP\/1\.1\n/);
  t.match(stdout, /\n {2}X-Forwarded-For: 192\.0\.2\.9\n[^]*X-Original-Forwarded-For: 1\.2\.3\.4\n/);
  const late = await explain([...about, '--cert', files['itops.pem'], '--time', '2099-01-01T00:00:00Z']);
  t.match(late.stdout, /^answered with 400 The SSL certificate error: expired/);
  const address = await explain([...about, '--host', '127.0.0.1:8443']);
  t.match(address.stdout, /\n {2}no server name: host a\.test, which stands in/);
  const other = await explain([...about, '--host', 'b.test', '--sni', 'a.test']);
  t.match(other.stdout, /^answered with 404 Not Found: no_host\n/);
});

await t.test('a command line that makes no sense exits with 2 and says what to write', async (t) => {
  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [[], /which configuration/],
    [['--config', files['c.yaml']], /which host/],
    [[...about, '--sni', 'x', '--no-sni'], /not both/],
    [[...about, '--path', 'x'], /begins with a slash/],
    [[...about, '--time', 'tomorrow'], /is no time such as/],
    [[...about, '--header', 'X'], /is not NAME: VALUE/],
    [[...about, '--header', 'Host: b'], /given with --host/],
    [[...about, '--client-address', 'here'], /is no IP address/],
    [[...about, '--plain-http'], /no listener for plain HTTP/],
    [[...about, '--unknown'], /unknown/i],
  ];
  for (const [args, message] of wrong) {
    const { code, stderr, stdout } = await explain(args);
    t.equal(code, 2);
    t.match(stderr, message);
    t.equal(stdout, '');
  }
  const missing = await explain([...about, '--cert', join(dir, 'nowhere.pem')]);
  t.equal(missing.code, 2);
  t.match(missing.stderr, /there is no such file/);
  const broken = writeFiles(dir, { 'broken.yaml': 'hosts: []' });
  const unusable = await explain(['--config', broken['broken.yaml'], '--host', 'a.test']);
  t.equal(unusable.code, 2);
  t.match(unusable.stderr, /broken\.yaml:1:/);
});

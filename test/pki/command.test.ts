import { spawn } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import t, { type Test } from 'tap';
import { describeCertificate } from '../../src/pki/describe.ts';
import { day } from '../../src/pki/time.ts';
import { createAuthority, writeFiles } from '../support/pki.ts';
import { cleanNode, needs } from '../support/program.ts';
import { pki, type Ran, Terminal } from './command-line.ts';

const request = (cn: string, more: object = {}): string =>
  JSON.stringify({ CN: cn, hosts: [''], names: [{ O: 'Logpoint Nepal', OU: 'ITOps' }], ...more });

/** A folder with a root and an intermediate made by the commands, and how to use it. */
async function setUp(t: Test) {
  const dir = t.testdir({
    'root.json': request('Root'),
    'ca.json': request('CA'),
    'client.json': request('client'),
  });
  const at = (name: string): string => join(dir, name);
  const ok = async (...args: string[]): Promise<Ran> => {
    const ran = await pki(args);
    t.equal(ran.code, 0, ran.stderr);
    return ran;
  };
  /** Runs a command that must fail clearly and leave everything as it was. */
  const fails = async (complaint: RegExp, ...args: string[]): Promise<void> => {
    const before = snapshot(dir);
    const ran = await pki(args);
    t.equal(ran.code, 1, `${args[0]} fails`);
    t.match(ran.stderr, complaint);
    t.match(ran.stderr, /^(?:warning: .*\n)*mtls-ingress: [^\n]+\n$/, 'in one line');
    t.same(snapshot(dir), before, 'nothing was written');
  };
  await ok('init', at('root.json'), '--out', at('root'));
  await ok('intermediate', at('ca.json'), '--ca', at('root.pem'), '--out', at('ca'));
  const issue = async (name: string, ...more: string[]): Promise<Ran> =>
    await ok(
      'issue',
      at('client.json'),
      '--ca',
      at('ca.pem'),
      '--profile',
      'client',
      '--out',
      at(name),
      ...more,
    );
  const read = (name: string): X509Certificate => new X509Certificate(readFileSync(at(name)));
  return { dir, at, ok, fails, issue, read };
}

/** Every file with its content, but for the empty locks. */
const snapshot = (dir: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(dir)
      .filter((name) => !name.endsWith('.lock'))
      .map((name) => [
        name,
        statSync(join(dir, name)).isDirectory() ? '' : readFileSync(join(dir, name), 'latin1'),
      ]),
  );

void t.test('issue writes the names cfssljson gives, and the bundle', async (t) => {
  const { at, dir, issue, read } = await setUp(t);
  const { stdout } = await issue('client');
  for (const name of ['client.pem', 'client-key.pem', 'client.csr', 'client-bundle.pem'])
    t.ok(existsSync(at(name)), name);
  t.match(stdout, /wrote .*client-key\.pem/);
  t.equal(statSync(at('client-key.pem')).mode & 0o777, 0o600);
  t.equal(statSync(at('client.pem')).mode & 0o777, 0o644);
  t.equal(
    readFileSync(at('client-bundle.pem'), 'utf8'),
    readFileSync(at('client.pem'), 'utf8') + readFileSync(at('ca.pem'), 'utf8'),
  );
  t.ok(read('client.pem').checkPrivateKey(createPrivateKey(readFileSync(at('client-key.pem')))));
  t.ok(read('client.pem').verify(read('ca.pem').publicKey));
  t.same(
    readdirSync(dir).filter((name) => name.endsWith('.tmp')),
    [],
  );
  const ca = describeCertificate(read('ca.pem').raw, Date.now());
  t.match(ca, { ca: true, pathLen: 0, keyUsages: ['cert sign', 'crl sign'] });
});

void t.test('what is there is not overwritten without --force, keys least of all', async (t) => {
  const { at, fails, issue, read } = await setUp(t);
  await issue('client');
  const first = read('client.pem').serialNumber;
  await fails(
    /client\.pem is already there; --force replaces it/,
    'issue',
    at('client.json'),
    '--ca',
    at('ca.pem'),
    '--out',
    at('client'),
  );
  await fails(/root\.pem is already there/, 'init', at('root.json'), '--out', at('root'));
  writeFileSync(at('lone-key.pem'), 'somebody else');
  await fails(
    /lone-key\.pem is already there/,
    'issue',
    at('client.json'),
    '--ca',
    at('ca.pem'),
    '--out',
    at('lone'),
  );
  await issue('client', '--force');
  t.not(read('client.pem').serialNumber, first);
});

void t.test('every fault ends in one clear line, exit code 1, and nothing half-written', async (t) => {
  const { at, fails, issue } = await setUp(t);
  await issue('client');
  const stranger = await createAuthority({ cn: 'Stranger' });
  const old = await createAuthority({
    cn: 'Old',
    notBefore: Date.now() - 10 * day,
    notAfter: Date.now() - day,
  });
  writeFiles(at('.'), {
    'stranger.pem': stranger.cert,
    'stranger-key.pem': stranger.key,
    'old.pem': old.cert,
    'old-key.pem': old.key,
    'broken.json': '{\n  "CN": "x",\n}',
    'weird.json': request('x', { key: { algo: 'rsa', size: 512 } }),
    'secret-key.pem': createPrivateKey(stranger.key).export({
      type: 'pkcs8',
      format: 'pem',
      cipher: 'aes-256-cbc',
      passphrase: 'right',
    }),
    'wrong-pass': 'wrong\n',
    'p.json': '{"signing": {"profiles": {"x": {"usages": ["client auth"], "expiry": "1h",}}}}',
  });
  const to = ['--out', at('new')];
  await fails(/broken\.json:3:1 not JSON/, 'issue', at('broken.json'), '--ca', at('ca.pem'), ...to);
  await fails(
    /weird\.json:1:\d+ \/key\/size an RSA key has 2048 to 4096 bits/,
    'init',
    at('weird.json'),
    ...to,
  );
  await fails(
    /p\.json:1:\d+ not JSON/,
    'issue',
    at('client.json'),
    '--ca',
    at('ca.pem'),
    '--config',
    at('p.json'),
    ...to,
  );
  await fails(/there is no such file/, 'issue', at('gone.json'), '--ca', at('ca.pem'), ...to);
  await fails(/--ca FILE is missing/, 'issue', at('client.json'), ...to);
  await fails(
    /there is no profile "nope"; there are default, client/,
    'issue',
    at('client.json'),
    '--ca',
    at('ca.pem'),
    '--profile',
    'nope',
    ...to,
  );
  await fails(
    /stranger-key\.pem is not the key of/,
    'issue',
    at('client.json'),
    '--ca',
    at('ca.pem'),
    '--ca-key',
    at('stranger-key.pem'),
    ...to,
  );
  await fails(
    /CN=Old expired on .* can issue nothing more/,
    'issue',
    at('client.json'),
    '--ca',
    at('old.pem'),
    ...to,
  );
  await fails(/is not a CA certificate/, 'issue', at('client.json'), '--ca', at('client.pem'), ...to);
  await fails(
    /path length 0: no CA may stand below it/,
    'intermediate',
    at('client.json'),
    '--ca',
    at('ca.pem'),
    ...to,
  );
  await fails(
    /wrong passphrase/,
    'issue',
    at('client.json'),
    '--ca',
    at('stranger.pem'),
    '--ca-key',
    at('secret-key.pem'),
    '--ca-key-passphrase-file',
    at('wrong-pass'),
    ...to,
  );
  await fails(
    /no terminal to ask on/,
    'issue',
    at('client.json'),
    '--ca',
    at('stranger.pem'),
    '--ca-key',
    at('secret-key.pem'),
    ...to,
  );
  await fails(
    /there is no private key in it/,
    'issue',
    at('client.json'),
    '--ca',
    at('ca.pem'),
    '--ca-key',
    at('ca.pem'),
    ...to,
  );
  await fails(/there is no certificate in it/, 'issue', at('client.json'), '--ca', at('ca-key.pem'), ...to);
  await fails(/was not issued by/, 'revoke', at('client.pem'), '--ca', at('root.pem'));
  await fails(/was not issued by/, 'renew', at('client.pem'), '--ca', at('stranger.pem'));
  await fails(
    /is not the key of/,
    'p12',
    at('client.pem'),
    '--key',
    at('ca-key.pem'),
    '--passphrase-env',
    'X',
  );
  await fails(/environment variable X is not set/, 'p12', at('client.pem'), '--passphrase-env', 'X');
  await fails(/cannot write/, 'init', at('root.json'), '--out', at('no/such/folder/root'));
});

void t.test('an encrypted key of an issuer opens with its passphrase', async (t) => {
  const { at, ok } = await setUp(t);
  const key = createPrivateKey(readFileSync(at('ca-key.pem')));
  writeFileSync(
    at('enc.pem'),
    key.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'right' }),
  );
  writeFileSync(at('pass'), 'right\nanother line\n');
  const common = ['issue', at('client.json'), '--ca', at('ca.pem'), '--ca-key', at('enc.pem')];
  await ok(...common, '--ca-key-passphrase-file', at('pass'), '--out', at('one'));
  const terminal = new Terminal(['rigx\u007fht\r']);
  const asked = await pki([...common, '--out', at('two')], { stdin: terminal });
  t.equal(asked.code, 0, asked.stderr);
  t.same(terminal.rawModes, [true, false], 'typed without echo');
  t.notMatch(asked.stdout + asked.stderr, /right/);
});

void t.test(
  'sign takes subject and names of a request, and nothing else it wishes for',
  needs('openssl', 'version'),
  async (t) => {
    const { at, ok, fails, read } = await setUp(t);
    const { execFileSync } = await import('node:child_process');
    writeFileSync(
      at('req.conf'),
      `[req]
distinguished_name = dn
req_extensions = ext
prompt = no
[dn]
O = Somewhere
CN = device
[ext]
basicConstraints = critical, CA:TRUE
keyUsage = keyCertSign
subjectAltName = DNS:device.test, IP:10.0.0.1
`,
    );
    execFileSync(
      'openssl',
      [
        'req',
        '-new',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-config',
        at('req.conf'),
        '-keyout',
        at('device-key.pem'),
        '-out',
        at('device.csr'),
      ],
      { stdio: 'ignore' },
    );
    const { stderr } = await ok(
      'sign',
      at('device.csr'),
      '--ca',
      at('ca.pem'),
      '--profile',
      'client',
      '--out',
      at('device'),
    );
    t.match(stderr, /2 requested extension\(s\) left out: the profile decides/);
    t.match(describeCertificate(read('device.pem').raw, Date.now()), {
      subject: 'CN=device,O=Somewhere',
      altNames: ['DNS:device.test', 'IP:10.0.0.1'],
      ca: false,
      purposes: ['client auth'],
      keyUsages: ['digital signature'],
    });
    t.ok(existsSync(at('device-bundle.pem')));
    await ok('sign', at('device.csr'), '--ca', at('ca.pem'), '--host', 'other.test', '--out', at('other'));
    t.same(describeCertificate(read('other.pem').raw, 0).altNames, ['DNS:other.test']);
    const text = readFileSync(at('device.csr'), 'latin1');
    const der = Buffer.from(text.replaceAll(/-----.*-----|\s/g, ''), 'base64');
    der[der.indexOf('device') + 1]! ^= 1;
    writeFileSync(at('forged.csr'), der);
    await fails(
      /its signature is not by its own key/,
      'sign',
      at('forged.csr'),
      '--ca',
      at('ca.pem'),
      '--out',
      at('forged'),
    );
    await fails(/there is no CSR in it/, 'sign', at('ca.pem'), '--ca', at('ca.pem'), '--out', at('forged'));
  },
);

void t.test('renew keeps everything but serial and dates, and the key unless told otherwise', async (t) => {
  const { at, ok, fails, issue, read } = await setUp(t);
  await issue('client');
  const before = read('client.pem');
  await ok('renew', at('client.pem'), '--ca', at('ca.pem'), '--expiry', '30d');
  const after = read('client.pem');
  t.not(after.serialNumber, before.serialNumber);
  t.equal(after.subject, before.subject);
  t.same(after.keyUsage, before.keyUsage);
  t.equal(after.validToDate.getTime() - after.validFromDate.getTime(), 30 * day);
  t.ok(after.checkPrivateKey(createPrivateKey(readFileSync(at('client-key.pem')))));
  t.ok(after.verify(read('ca.pem').publicKey));
  t.match(readFileSync(at('client-bundle.pem'), 'utf8'), readFileSync(at('client.pem'), 'utf8'));
  await fails(
    /client-key\.pem is already there/,
    'renew',
    at('client.pem'),
    '--ca',
    at('ca.pem'),
    '--new-key',
  );
  await ok('renew', at('client.pem'), '--ca', at('ca.pem'), '--new-key', '--force');
  const rekeyed = read('client.pem');
  t.notOk(rekeyed.publicKey.equals(after.publicKey));
  t.ok(rekeyed.checkPrivateKey(createPrivateKey(readFileSync(at('client-key.pem')))));
  const root = read('root.pem');
  await ok('renew', at('root.pem'));
  t.not(read('root.pem').serialNumber, root.serialNumber);
  t.ok(read('ca.pem').verify(read('root.pem').publicKey), 'what a root has issued stays good');
  await ok('revoke', at('client.pem'), '--ca', at('ca.pem'));
  await fails(/was revoked on .*: issue a new one/, 'renew', at('client.pem'), '--ca', at('ca.pem'));
});

void t.test('revoke, crl and list tell one story', async (t) => {
  const { at, ok, fails, issue, read } = await setUp(t);
  await issue('client');
  await ok(
    'issue',
    at('client.json'),
    '--ca',
    at('ca.pem'),
    '--config',
    writeFiles(at('.'), {
      'short.json': JSON.stringify({
        signing: { profiles: { short: { usages: ['client auth'], expiry: '72h' } } },
      }),
    })['short.json'],
    '--profile',
    'short',
    '--out',
    at('short'),
  );
  t.match(
    (await ok('crl', '--ca', at('ca.pem'))).stdout,
    /ca-crl\.pem: number 1, 0 revoked, the next within 7 days/,
  );
  const rows = async () =>
    (await ok('list', '--ca', at('ca.pem'), '--json')).stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { serial: string; status: string; daysLeft: number });
  t.match(
    await rows(),
    [{ status: 'valid', daysLeft: 2 }, { status: 'valid' }],
    'what ends soonest comes first',
  );
  const expiring = await pki(['list', '--ca', at('ca.pem'), '--expiring', '30d']);
  t.equal(expiring.code, 1, 'for a cron job to notice');
  t.match(expiring.stdout, /2 days left/);
  const serial = read('short.pem').serialNumber;
  const pairs = serial.toLowerCase().match(/../g)!.join(':');
  await ok('revoke', pairs, '--ca', at('ca.pem'), '--reason', 'keyCompromise');
  await fails(/revoked already, since/, 'revoke', at('short.pem'), '--ca', at('ca.pem'));
  await fails(/knows no certificate with the serial 0ABC/, 'revoke', 'abc', '--ca', at('ca.pem'));
  await fails(
    /there is no reason "because"/,
    'revoke',
    at('client.pem'),
    '--ca',
    at('ca.pem'),
    '--reason',
    'because',
  );
  t.match(await rows(), [{ status: 'valid' }, { status: 'revoked', serial }]);
  t.match(
    (await ok('crl', '--ca', at('ca.pem'), '--expiry', '24h')).stdout,
    /number 2, 1 revoked, the next within 1 day/,
  );
  const { stdout } = await ok('inspect', at('ca-crl.pem'), at('ca.pem'));
  t.match(stdout, /number\s+2\n/);
  t.match(stdout, serial);
  t.match(stdout, /keyCompromise/);
  t.match(stdout, /signature\s+SHA-256 with ECDSA, checked/);
  t.match(
    (await ok('list', '--ca', at('ca.pem'))).stdout,
    /revoked \d{4}-\d\d-\d\d keyCompromise\s+CN=client/,
  );
});

void t.test('a certificate made elsewhere is revoked by its file', async (t) => {
  const { at, ok } = await setUp(t);
  const theirs = await createAuthority({ cn: 'Theirs' });
  const leaf = await theirs.issue({ cn: 'old friend' });
  const files = writeFiles(at('.'), {
    'theirs.pem': theirs.cert,
    'theirs-key.pem': theirs.key,
    'leaf.pem': leaf.cert,
  });
  await ok('revoke', files['leaf.pem'], '--ca', files['theirs.pem']);
  await ok('crl', '--ca', files['theirs.pem']);
  t.match((await ok('inspect', at('theirs-crl.pem'))).stdout, leaf.serial);
});

void t.test('p12 asks twice, without echo, and never shows what was typed', async (t) => {
  const { at, ok, issue } = await setUp(t);
  await issue('client');
  const typed = new Terminal(['geheim\r', 'geheim\r']);
  const asked = await pki(['p12', at('client.pem'), '--chain', at('root.pem')], { stdin: typed });
  t.equal(asked.code, 0, asked.stderr);
  t.same(typed.rawModes, [true, false, true, false]);
  t.notMatch(asked.stdout + asked.stderr, /geheim/);
  t.equal(statSync(at('client.p12')).mode & 0o777, 0o600);
  t.match(asked.stdout, /the certificate and 2 more of its chain/);
  for (const hint of [
    /security import .* -f pkcs12/,
    /Firefox/,
    /pk12util -d sql:/,
    /importPFX/,
    /curl --cert-type P12/,
  ])
    t.match(asked.stdout, hint);
  writeFileSync(at('pass'), 'geheim\n');
  t.match(
    (await ok('inspect', at('client.p12'), '--passphrase-file', at('pass'))).stdout,
    /holds\s+1 key\(s\), 3 certificate\(s\)/,
  );
  const other = await pki(['p12', at('client.pem'), '--out', at('x.p12')], {
    stdin: new Terminal(['geheim\r', 'anders\r']),
  });
  t.match(other, { code: 1, stderr: /the two differ/ });
  const ahead = await pki(['p12', at('client.pem'), '--out', at('y.p12')], {
    stdin: new Terminal(['geheim\rgeheim\r']),
  });
  t.equal(ahead.code, 0, 'typed ahead');
  for (const key of ['\u0003', '\u0004']) {
    const left = await pki(['p12', at('client.pem'), '--out', at('z.p12')], {
      stdin: new Terminal([`gehe${key}`]),
    });
    t.match(left, { code: 1, stderr: /no passphrase was given/ });
  }
  t.match(
    await pki(['p12', at('client.pem'), '--out', at('z.p12'), '--passphrase-env', 'E'], { env: { E: '' } }),
    { code: 1, stderr: /needs a passphrase/ },
  );
  t.notOk(existsSync(at('x.p12')) || existsSync(at('z.p12')));
});

void t.test('verify says what the proxy would say', async (t) => {
  const { at, ok, issue } = await setUp(t);
  await issue('client');
  const verify = async (...args: string[]): Promise<Ran> => await pki(['verify', ...args]);
  t.match(await verify(at('client-bundle.pem'), '--ca', at('root.pem')), {
    code: 0,
    stdout: /verdict: success/,
  });
  t.match(await verify(at('client.pem'), '--ca', at('root.pem'), '--ca', at('ca.pem')), { code: 0 });
  t.match(await verify(at('client.pem'), '--ca', at('root.pem')), {
    code: 1,
    stdout:
      /failed, untrusted: .*\n.* 400 "The SSL certificate error"\n\s+CN=CA,.* who issued CN=client,.* is neither in the file nor/,
  });
  await ok('revoke', at('client.pem'), '--ca', at('ca.pem'));
  await ok('crl', '--ca', at('ca.pem'));
  await ok('crl', '--ca', at('root.pem'), '--der');
  const withCrl = ['--ca', at('root.pem'), '--crl', at('ca-crl.pem')];
  t.match(await verify(at('client-bundle.pem'), ...withCrl), {
    code: 1,
    stdout: /crl_missing[^]*there is no CRL of CN=Root/,
  });
  t.match(await verify(at('client-bundle.pem'), ...withCrl, '--crl', at('root-crl.crl')), {
    code: 1,
    stdout: /failed, revoked/,
  });
  const json = await verify(at('client-bundle.pem'), '--ca', at('root.pem'), '--json');
  t.match(JSON.parse(json.stdout), { accepted: true, outcome: { verdict: { status: 'success' } } });
  t.match(await verify(at('client.pem')), { code: 1, stderr: /--ca BUNDLE\.pem is missing/ });
});

void t.test('verify asks a configuration of the proxy', async (t) => {
  const { at, issue } = await setUp(t);
  await issue('client');
  writeFileSync(at('server.json'), JSON.stringify({ CN: 'a.test', hosts: ['a.test'] }));
  await pki(['issue', at('server.json'), '--ca', at('ca.pem'), '--profile', 'server', '--out', at('server')]);
  writeFileSync(
    at('proxy.yaml'),
    `listeners:
  https: { port: 8443 }
hosts:
  - names: [a.test]
    certificate: { cert: server-bundle.pem, key: server-key.pem }
    clientAuth: { mode: require, ca: root.pem }
    routes:
      - { path: /, policy: { ou: ITOps }, upstream: u }
      - { path: /sales, policy: { ou: Sales }, upstream: u }
upstreams:
  u: { endpoints: ['127.0.0.1:8000'] }
`,
  );
  const ask = async (file: string, ...args: string[]): Promise<Ran> =>
    await pki(['verify', at(file), '--config', at('proxy.yaml'), ...args]);
  t.match(await ask('client-bundle.pem', '--host', 'a.test', '--path', '/x?y=1'), {
    code: 0,
    stdout: /GET https:\/\/a\.test\/x\?y=1 is forwarded: to upstream u/,
  });
  t.match(await ask('client-bundle.pem', '--host', 'a.test', '--path', '/sales/x'), {
    code: 1,
    stdout: /answered with 403 .* policy_ou: OU was `ITOps`, the rule wants `Sales`/,
  });
  t.match(await ask('client.pem', '--host', 'A.Test'), {
    code: 1,
    stdout: /verdict: failed, untrusted[^]*answered with 400/,
  });
  t.match(await ask('client-bundle.pem', '--host', 'b.test'), {
    code: 1,
    stdout: /answered with 404 .* no_host/,
  });
  const served = readFileSync(at('proxy.yaml'), 'utf8');
  writeFileSync(at('proxy.yaml'), `${served}tls: { unknownServerName: refuse }\n`);
  t.match(await ask('client-bundle.pem', '--host', 'b.test'), {
    code: 1,
    stdout: /never asked, the handshake is ended: unknown_sni/,
  });
  writeFileSync(at('proxy.yaml'), served.replace('mode: require', 'mode: require, strict: true'));
  t.match(await ask('client.pem', '--host', 'a.test'), {
    code: 1,
    stdout: /never asked, the handshake is ended: untrusted/,
  });
  writeFileSync(at('proxy.yaml'), served);
  t.match(await ask('client-bundle.pem'), { code: 1, stderr: /needs --host/ });
  t.match(await ask('client-bundle.pem', '--host', 'a.test', '--path', 'x'), {
    code: 1,
    stderr: /begins with a slash/,
  });
  writeFileSync(at('proxy.yaml'), 'hosts: 7');
  t.match(await ask('client-bundle.pem', '--host', 'a.test'), {
    code: 1,
    stderr: /proxy\.yaml cannot be used:\n.*proxy\.yaml:1/,
  });
});

void t.test('two processes at once lose nothing', async (t) => {
  const { at, ok } = await setUp(t);
  mkdirSync(at('out'));
  const main = join(import.meta.dirname, '../../src/main.ts');
  const start = async (...args: string[]): Promise<number> => {
    const [command, argv] = cleanNode(main, 'pki', ...args);
    const [code] = await once(spawn(command, argv, { stdio: ['ignore', 'ignore', 'inherit'] }), 'exit');
    return code as number;
  };
  const issueTo = (name: string): Promise<number> =>
    start('issue', at('client.json'), '--ca', at('ca.pem'), '--out', at(`out/${name}`));
  t.same(await Promise.all([issueTo('a'), issueTo('b'), issueTo('c')]), [0, 0, 0]);
  const tried = await Promise.all([
    start('revoke', at('out/a.pem'), '--ca', at('ca.pem')),
    start('revoke', at('out/b.pem'), '--ca', at('ca.pem')),
    start('revoke', at('out/b.pem'), '--ca', at('ca.pem')).catch(() => -1),
  ]);
  t.equal(tried.filter((code) => code === 0).length, 2, 'one certificate is revoked once');
  t.same(await Promise.all([start('crl', '--ca', at('ca.pem')), start('crl', '--ca', at('ca.pem'))]), [0, 0]);
  const inspected = JSON.parse((await ok('inspect', at('ca-crl.pem'), '--json')).stdout) as {
    reports: object[];
  };
  t.match(inspected.reports, [{ number: '2', entries: 2 }]);
  t.equal((await ok('list', '--ca', at('ca.pem'), '--json')).stdout.trim().split('\n').length, 3);
});

void t.test('of two that write the same key at once, one is told', async (t) => {
  const { at } = await setUp(t);
  const both = await Promise.all(
    [1, 2].map(() => pki(['issue', at('client.json'), '--ca', at('ca.pem'), '--out', at('same')])),
  );
  t.same(
    both.map(({ code }) => code).sort((a, b) => a - b),
    [0, 1],
  );
  const key = createPrivateKey(readFileSync(at('same-key.pem')));
  t.ok(
    new X509Certificate(readFileSync(at('same.pem'))).checkPrivateKey(key),
    'and what is there fits together',
  );
});

void t.test('a request comes in by standard input as well', async (t) => {
  const { at } = await setUp(t);
  const stdin = Readable.from([Buffer.from(request('piped'))]);
  t.match(await pki(['issue', '-', '--ca', at('ca.pem'), '--out', at('piped')], { stdin }), { code: 0 });
  t.match(await pki(['issue', '-', '--ca', at('ca.pem')], { stdin: Readable.from([request('x')]) }), {
    code: 1,
    stderr: /--out NAME is needed/,
  });
});

void t.test('help tells of everything, and a wrong command line of how it should be', async (t) => {
  const overview = await pki(['--help']);
  t.equal(overview.code, 0);
  const names = [
    'init',
    'intermediate',
    'issue',
    'sign',
    'renew',
    'revoke',
    'crl',
    'list',
    'p12',
    'inspect',
    'verify',
  ];
  for (const name of names) {
    t.match(overview.stdout, new RegExp(`^  ${name} `, 'm'));
    t.match(await pki([name, '--help']), { code: 0, stdout: new RegExp(`^mtls-ingress pki ${name} `) });
    t.match(await pki([name, '--nonsense']), {
      code: 2,
      stderr: new RegExp(`see "mtls-ingress pki ${name} --help"`),
    });
  }
  t.match(await pki([]), { code: 2 });
  t.match(await pki(['constructor']), { code: 2, stderr: /there is no command "pki constructor"/ });
  t.match(await pki(['issue']), { code: 2, stderr: /takes CSR\.json --ca FILE/ });
  t.match(await pki(['p12', 'x', '--passphrase', 'geheim']), { code: 2 }, 'a passphrase is no argument');
});

void t.test('Ed25519 and RSA work from end to end', async (t) => {
  const { at, ok } = await setUp(t);
  for (const key of [{ algo: 'ed25519' }, { algo: 'rsa', size: 2048 }, { algo: 'ecdsa', size: 521 }]) {
    writeFileSync(at('k.json'), request('k', { key }));
    const name = `k-${key.algo}`;
    await ok('init', at('k.json'), '--out', at(`${name}-root`));
    await ok('issue', at('k.json'), '--ca', at(`${name}-root.pem`), '--profile', 'client', '--out', at(name));
    await ok('crl', '--ca', at(`${name}-root.pem`));
    const trust = ['--ca', at(`${name}-root.pem`), '--crl', at(`${name}-root-crl.pem`)];
    t.match((await ok('verify', at(`${name}.pem`), ...trust)).stdout, /verdict: success/, name);
  }
});

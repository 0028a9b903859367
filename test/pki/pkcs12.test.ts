import { execFileSync } from 'node:child_process';
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import t from 'tap';
import { PkiError } from '../../src/pki/error.ts';
import { readCertificates } from '../../src/pki/pem.ts';
import { looksLikePkcs12, readPkcs12, WrongPassphrase } from '../../src/pki/pkcs12-reader.ts';
import { writePkcs12 } from '../../src/pki/pkcs12-writer.ts';
import { createAuthority, type TestKeyType, writeFiles } from '../support/pki.ts';
import { needs } from '../support/program.ts';

const run = (program: string, ...args: string[]): string =>
  execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

const root = await createAuthority({ cn: 'Root' });
const intermediate = await createAuthority({ cn: 'Intermediate', parent: root });

async function made(keyType: TestKeyType = 'ec', passphrase = 'a good one', friendlyName = 'roshankhatri') {
  const leaf = await intermediate.issue({ cn: 'roshankhatri', keyType });
  const certificates = readCertificates(Buffer.from(leaf.bundle + root.cert), 'test');
  const key = createPrivateKey(leaf.key);
  return { leaf, certificates, key, p12: await writePkcs12({ key, certificates, friendlyName }, passphrase) };
}

void t.test('what is written is read again', async (t) => {
  for (const keyType of ['ec', 'rsa', 'ed25519'] as const) {
    const { certificates, key, p12 } = await made(keyType, 'pässwörd 密码 🔑', 'Łukasz 🔑');
    t.ok(looksLikePkcs12(p12));
    const opened = await readPkcs12(p12, 'pässwörd 密码 🔑');
    t.same(opened.certificates, certificates);
    t.ok(createPublicKey(opened.keys[0]!).equals(createPublicKey(key)));
    t.same(opened.friendlyNames, ['Łukasz 🔑']);
    t.same(opened.protection, ['AES-256-CBC, PBKDF2 SHA-256, 100000 rounds']);
    t.equal(opened.mac, 'SHA-256, 100000 rounds');
  }
});

void t.test('a wrong passphrase is told from a broken file', async (t) => {
  const { p12, key, certificates } = await made();
  await t.rejects(readPkcs12(p12, 'another'), WrongPassphrase);
  await t.rejects(readPkcs12(p12, ''), WrongPassphrase);
  await t.rejects(readPkcs12(Buffer.from('no such thing'), 'x'), /not a PKCS#12 file/);
  await t.rejects(writePkcs12({ key, certificates, friendlyName: 'x' }, ''), /needs a passphrase/);
});

void t.test('openssl opens ours', needs('openssl', 'version'), async (t) => {
  const dir = t.testdir();
  for (const keyType of ['ec', 'rsa', 'ed25519'] as const) {
    const { leaf, p12 } = await made(keyType);
    const files = writeFiles(dir, { 'a.p12': p12 });
    const secret = { ...process.env, P12: 'a good one' };
    const open = (...args: string[]): string =>
      execFileSync('openssl', ['pkcs12', '-in', files['a.p12'], '-passin', 'env:P12', ...args], {
        env: secret,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
      });
    t.match(open('-nokeys', '-clcerts'), leaf.cert.trim());
    t.equal(open('-nokeys').match(/BEGIN CERTIFICATE/g)?.length, 3);
    t.match(open('-nokeys'), /friendlyName: roshankhatri/);
    const key = createPrivateKey(open('-nocerts', '-nodes'));
    t.ok(createPublicKey(key).equals(createPublicKey(leaf.key)));
    t.throws(
      () => run('openssl', 'pkcs12', '-in', files['a.p12'], '-passin', 'pass:wrong', '-noout'),
      /invalid password/,
    );
    const info = execFileSync(
      'sh',
      ['-c', 'openssl pkcs12 -info -noout -in "$1" -passin env:P12 2>&1', 'sh', files['a.p12']],
      { env: secret, encoding: 'utf8' },
    );
    t.match(info, /MAC: sha256, Iteration 100000/);
    t.match(info, /PBES2, PBKDF2, AES-256-CBC, Iteration 100000, PRF hmacWithSHA256/);
  }
});

void t.test('we open those of openssl, old and new', needs('openssl', 'version'), async (t) => {
  const { leaf } = await made('rsa');
  const dir = t.testdir();
  const files = writeFiles(dir, { 'leaf.pem': leaf.bundle, 'key.pem': leaf.key });
  const out = join(dir, 'a.p12');
  const ways: readonly (readonly string[])[] = [
    [],
    ['-keypbe', 'PBE-SHA1-3DES', '-certpbe', 'PBE-SHA1-3DES', '-macalg', 'sha1'],
    ['-keypbe', 'AES-128-CBC', '-certpbe', 'NONE', '-macalg', 'sha512'],
    ['-nomac'],
    ['-certpbe', 'DES-EDE3-CBC', '-keypbe', 'DES-EDE3-CBC', '-iter', '7'],
  ];
  for (const way of ways) {
    run(
      'openssl',
      'pkcs12',
      '-export',
      '-in',
      files['leaf.pem'],
      '-inkey',
      files['key.pem'],
      '-name',
      'me',
      '-passout',
      'pass:geheim',
      '-out',
      out,
      ...way,
    );
    const opened = await readPkcs12(readFileSync(out), 'geheim');
    t.equal(opened.certificates.length, 2, way.join(' '));
    t.ok(opened.certificates[0]!.equals(leaf.der));
    t.ok(createPublicKey(opened.keys[0]!).equals(createPublicKey(leaf.key)));
    await t.rejects(readPkcs12(readFileSync(out), 'wrong'), WrongPassphrase, way.join(' '));
  }
});

void t.test("Firefox's library imports ours", needs('pk12util', '-H'), async (t) => {
  for (const keyType of ['ec', 'rsa'] as const) {
    const { p12 } = await made(keyType);
    const dir = t.testdir({ db: {}, pass: 'a good one\n', none: '\n' });
    const files = writeFiles(dir, { 'a.p12': p12 });
    const database = `sql:${join(dir, 'db')}`;
    run('certutil', '-N', '-d', database, '--empty-password');
    run('pk12util', '-i', files['a.p12'], '-d', database, '-w', join(dir, 'pass'));
    t.match(run('certutil', '-L', '-d', database), /^roshankhatri\s+u,u,u$/m);
    t.match(run('certutil', '-K', '-d', database), /roshankhatri/);
    writeFileSync(join(dir, 'pass'), 'wrong\n');
    t.throws(() => run('pk12util', '-l', files['a.p12'], '-d', database, '-w', join(dir, 'pass')));
  }
});

void t.test('Java imports ours', needs('keytool', '-help'), async (t) => {
  const { p12 } = await made('rsa');
  const dir = t.testdir();
  const files = writeFiles(dir, { 'a.p12': p12 });
  const listing = run(
    'keytool',
    '-J-Duser.language=en',
    '-list',
    '-v',
    '-storetype',
    'PKCS12',
    '-keystore',
    files['a.p12'],
    '-storepass',
    'a good one',
  );
  t.match(listing, /Alias name: roshankhatri/);
  t.match(listing, /Entry type: PrivateKeyEntry/);
  t.match(listing, /Certificate chain length: 3/);
});

void t.test('a file that asks for endless rounds is refused at once', async (t) => {
  const { p12 } = await made();
  const rounds = Buffer.from('020301 86a0'.replaceAll(' ', ''), 'hex');
  t.ok(p12.includes(rounds), 'where the rounds stand');
  const endless = Buffer.from(p12);
  for (let at = endless.indexOf(rounds); at !== -1; at = endless.indexOf(rounds, at)) {
    Buffer.from('02037fffff', 'hex').copy(endless, at);
  }
  const started = process.cpuUsage();
  await t.rejects(readPkcs12(endless, 'a good one'), /more than 5000000 rounds/);
  t.ok(process.cpuUsage(started).user < 1_000_000);
});

void t.test('mutated files are opened or refused, never anything else', async (t) => {
  // Few rounds, or the property would take minutes.
  const { leaf } = await made();
  const key = createPrivateKey(leaf.key);
  const dir = t.testdir();
  const files = writeFiles(dir, { 'leaf.pem': leaf.cert, 'key.pem': leaf.key });
  run(
    'openssl',
    'pkcs12',
    '-export',
    '-in',
    files['leaf.pem'],
    '-inkey',
    files['key.pem'],
    '-iter',
    '1',
    '-maciter',
    '-passout',
    'pass:x',
    '-out',
    join(dir, 'a.p12'),
  );
  const der = readFileSync(join(dir, 'a.p12'));
  const attempt = async (bytes: Buffer): Promise<void> => {
    try {
      const opened = await readPkcs12(bytes, 'x');
      for (const one of opened.keys) createPublicKey(one).equals(createPublicKey(key));
    } catch (error) {
      if (!(error instanceof PkiError)) throw error;
    }
  };
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(der.byteLength - 1), fc.nat(255)), { minLength: 1, maxLength: 3 }),
      async (changes) => {
        const bytes = Buffer.from(der);
        for (const [at, value] of changes) bytes[at] = value;
        await attempt(bytes);
      },
    ),
    { numRuns: 500 },
  );
  for (let cut = 0; cut < der.byteLength; cut += 11) await attempt(der.subarray(0, cut));
  t.pass();
});

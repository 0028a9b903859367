import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import t from 'tap';
import { createAuthority, selfSigned, writeFiles } from '../support/pki.ts';

const openssl = (...args: string[]): string =>
  execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

void t.test('a chain of root, intermediate and leaf verifies strictly with openssl', async (t) => {
  const dir = t.testdir();
  for (const keyType of ['ec', 'ec384', 'rsa', 'ed25519'] as const) {
    const root = await createAuthority({ cn: 'Root', keyType });
    const intermediate = await createAuthority({ cn: 'Int', parent: root, pathLen: 0, keyType });
    const leaf = await intermediate.issue({ cn: 'leaf', hosts: ['a.test', '::1'], keyType });
    const files = writeFiles(dir, {
      'root.pem': root.cert,
      'int.pem': intermediate.cert,
      'leaf.pem': leaf.bundle,
      'leaf-key.pem': leaf.key,
    });
    const answer = openssl(
      'verify',
      '-x509_strict',
      '-purpose',
      'sslclient',
      '-CAfile',
      files['root.pem'],
      '-untrusted',
      files['int.pem'],
      files['leaf.pem'],
    );
    t.match(answer, /: OK/, keyType);
  }
});

void t.test('a revoked certificate is refused by openssl with our CRLs, its neighbour is not', async (t) => {
  const root = await createAuthority({ cn: 'Root' });
  const intermediate = await createAuthority({ cn: 'Int', parent: root });
  const good = await intermediate.issue({ cn: 'good' });
  const bad = await intermediate.issue({ cn: 'bad' });
  const dir = t.testdir();
  writeFiles(dir, {
    'ca.pem': root.cert + intermediate.cert,
    'crl.pem': root.crl() + intermediate.crl({ revoked: [[bad, 'keyCompromise']] }),
    'good.pem': good.cert,
    'bad.pem': bad.cert,
  });
  const verify = (name: string): string =>
    openssl(
      'verify',
      '-crl_check_all',
      '-CAfile',
      join(dir, 'ca.pem'),
      '-CRLfile',
      join(dir, 'crl.pem'),
      join(dir, name),
    );
  t.match(verify('good.pem'), /: OK/);
  t.throws(() => verify('bad.pem'), /certificate revoked/);
});

void t.test('hostile subjects keep every byte', async (t) => {
  const root = await createAuthority({ cn: 'Root' });
  const leaf = await root.issue({
    subject: [
      ['O', 'a,b+c="d"\n\0\\'],
      [
        ['OU', 'x'],
        ['CN', 'one'],
      ],
      ['CN', 'Łukasz', 'bmp'],
      ['CN', 'caf\u00e9', 't61'],
      ['CN', Buffer.from([0xff, 0xfe]), 't61'],
    ],
    san: [{ type: 'dns', value: Buffer.from('a.test\0.b.test') }],
  });
  const dir = t.testdir();
  writeFiles(dir, { 'leaf.pem': leaf.cert });
  const text = openssl('x509', '-in', join(dir, 'leaf.pem'), '-noout', '-subject', '-nameopt', 'RFC2253');
  t.equal(
    text.trim(),
    'subject=CN=\\C3\\BF\\C3\\BE,CN=caf\\C3\\A9,CN=\\C5\\81ukasz,CN=one+OU=x,O=a\\,b\\+c=\\"d\\"\\0A\\00\\\\',
  );
  t.equal(new X509Certificate(leaf.der).issuer, 'CN=Root');
});

void t.test('a date from 2050 is a GeneralizedTime, one before it a UTCTime', async (t) => {
  const root = await createAuthority({ cn: 'Root', notAfter: Date.UTC(2060, 0, 1) });
  const leaf = await root.issue({ cn: 'x', notAfter: Date.UTC(2049, 11, 31, 23, 59, 59, 999) });
  t.ok(root.der.includes(Buffer.from('\x18\x0f20600101000000Z', 'latin1')));
  t.ok(leaf.der.includes(Buffer.from('\x17\x0d491231235959Z', 'latin1')));
});

void t.test('a self-signed leaf verifies itself', async (t) => {
  const leaf = new X509Certificate((await selfSigned({ cn: 'me' })).cert);
  t.ok(leaf.verify(leaf.publicKey));
  t.equal(leaf.ca, false);
});

void t.test('a whole throw-away PKI takes well under a tenth of a second', async (t) => {
  const before = process.cpuUsage();
  const root = await createAuthority({ cn: 'Root' });
  const intermediate = await createAuthority({ cn: 'Int', parent: root });
  for (let count = 0; count < 6; count++) await intermediate.issue({ cn: `c${count}` });
  const { user, system } = process.cpuUsage(before);
  t.ok((user + system) / 1000 < 400, `${(user + system) / 1000} ms of CPU`);
});

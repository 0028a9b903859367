import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import t from 'tap';
import { runPki } from '../../src/pki/command.ts';
import { makeDemoPki } from '../../src/pki/demo.ts';
import { day } from '../../src/pki/time.ts';
import { readIdentity } from '../../src/tls/identity-reader.ts';

const names = ['root', 'intermediate', 'server', 'roshankhatri', 'sales', 'expired', 'foreign'];

const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });

const keyOf = (dir: string, name: string): KeyObject =>
  createPrivateKey(readFileSync(join(dir, `${name}-key.pem`)));

const certificates = (dir: string, name: string): X509Certificate[] =>
  readFileSync(join(dir, `${name}.pem`), 'utf8')
    .split(/(?<=-----END CERTIFICATE-----\n)/)
    .filter((pem) => pem !== '')
    .map((pem) => new X509Certificate(pem));

/** The first block of a certificate's file, or null. */
const leafOf = (dir: string, name: string): string | null => {
  const path = join(dir, `${name}.pem`);
  return existsSync(path)
    ? (/^.*?-----END CERTIFICATE-----/s.exec(readFileSync(path, 'utf8'))?.[0] ?? '')
    : null;
};

void t.test('the demo PKI has the certificates the README promises', async (t) => {
  const dir = join(t.testdir(), 'demo');
  t.equal(await makeDemoPki(dir), true);
  const root = certificates(dir, 'root')[0]!;
  for (const name of names) t.equal(statSync(join(dir, `${name}-key.pem`)).mode & 0o777, 0o600, name);
  for (const name of ['server', 'roshankhatri', 'sales', 'expired']) {
    const [leaf, intermediate, ...more] = certificates(dir, name);
    t.equal(more.length, 0, `${name}.pem carries the intermediate and no root`);
    t.ok(leaf!.checkIssued(intermediate!) && leaf!.verify(intermediate!.publicKey), name);
    t.ok(intermediate!.checkIssued(root) && intermediate!.verify(root.publicKey), name);
  }
  const client = readIdentity(certificates(dir, 'roshankhatri')[0]!.raw);
  t.equal(client.subjectText, 'CN=roshankhatri,OU=ITOps,O=Logpoint Nepal,L=Lalitpur,ST=Nepal,C=NP');
  const server = readIdentity(certificates(dir, 'server')[0]!.raw);
  t.same(server.san.dns, ['in.logpoint.com.np', 'localhost']);
  t.same(server.san.ip, ['127.0.0.1', '::1']);
  t.ok(certificates(dir, 'expired')[0]!.validToDate.getTime() < Date.now());
  t.notOk(certificates(dir, 'foreign')[0]!.verify(root.publicKey));
  t.not(readIdentity(certificates(dir, 'sales')[0]!.raw).subjectText, client.subjectText);
});

void t.test('what fits together and is current stays, the rest is made anew', async (t) => {
  const dir = t.testdir();
  await makeDemoPki(dir);
  const read = (name: string): string => readFileSync(join(dir, `${name}.pem`), 'utf8');
  const changed = async (now?: number): Promise<string[]> => {
    const before = names.map((name) => leafOf(dir, name));
    const made = await makeDemoPki(dir, now);
    const others = names.filter((name, index) => leafOf(dir, name) !== before[index]);
    if (others.length > 0) t.ok(made);
    for (const name of names) {
      t.ok(certificates(dir, name)[0]!.checkPrivateKey(keyOf(dir, name)), `the key of ${name} fits`);
    }
    return others;
  };
  t.same(await changed(), [], 'nothing is remade when all is well');
  t.equal(await makeDemoPki(dir), false);
  rmSync(join(dir, 'sales-key.pem'));
  t.same(await changed(), ['sales'], 'a key is missing');
  writeFileSync(join(dir, 'sales-key.pem'), readFileSync(join(dir, 'server-key.pem')));
  t.same(await changed(), ['sales'], 'a key is not the one of its certificate');
  writeFileSync(join(dir, 'server.pem'), 'half a certifi');
  t.same(await changed(), ['server'], 'a certificate is cut short');
  const withChain = read('server');
  writeFileSync(join(dir, 'server.pem'), certificates(dir, 'server')[0]!.toString());
  t.same(await changed(), [], 'without its chain a certificate stays');
  t.equal(read('server'), withChain, 'and gets it');
  rmSync(join(dir, 'intermediate.pem'));
  const below = ['intermediate', 'server', 'roshankhatri', 'sales', 'expired', 'foreign'];
  t.same(await changed(), below, 'a run was killed before the intermediate was there');
  const year = Date.now() + 365 * day;
  t.same(await changed(year), ['server', 'roshankhatri', 'sales', 'foreign'], 'they are about to end');
  writeFileSync(join(dir, 'root-key.pem'), readFileSync(join(dir, 'sales-key.pem')));
  t.same(await changed(), ['root', ...below], 'the root is somebody else');
});

void t.test('a root and an intermediate made by the pki commands are taken for the demo', async (t) => {
  const dir = t.testdir();
  const run = async (...args: string[]): Promise<void> => {
    const io = { stdin: process.stdin, stdout: nowhere, stderr: nowhere, env: {} };
    t.equal(await runPki(args, io), 0);
  };
  const recipe = (name: string): string => join(import.meta.dirname, '..', '..', 'certs', `${name}.json`);
  const at = (name: string): string => join(dir, name);
  await run('init', recipe('root'), '--out', at('root'));
  await run('intermediate', recipe('intermediate'), '--ca', at('root.pem'), '--out', at('intermediate'));
  const server = ['--ca', at('intermediate.pem'), '--profile', 'server', '--out', at('server')];
  await run('issue', recipe('server'), ...server);
  const before = ['root', 'intermediate', 'server'].map((name) => leafOf(dir, name));
  t.equal(await makeDemoPki(dir), true);
  t.same(
    ['root', 'intermediate', 'server'].map((name) => leafOf(dir, name)),
    before,
  );
  t.equal(certificates(dir, 'server').length, 2);
  t.ok(certificates(dir, 'sales')[0]!.verify(certificates(dir, 'intermediate')[0]!.publicKey));
});

void t.test('two runs at once make one PKI', async (t) => {
  const dir = t.testdir();
  const made = await Promise.all([makeDemoPki(dir), makeDemoPki(dir), makeDemoPki(dir)]);
  t.equal(made.filter(Boolean).length, 1);
  t.ok(certificates(dir, 'server')[0]!.verify(certificates(dir, 'intermediate')[0]!.publicKey));
});

import { X509Certificate } from 'node:crypto';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { makeDemoPki } from '../../src/pki/demo.ts';
import { day } from '../../src/pki/time.ts';
import { readIdentity } from '../../src/tls/identity-reader.ts';

const names = ['root', 'intermediate', 'server', 'roshankhatri', 'sales', 'expired', 'foreign'];

const certificates = (dir: string, name: string): X509Certificate[] =>
  readFileSync(join(dir, `${name}.pem`), 'utf8')
    .split(/(?<=-----END CERTIFICATE-----\n)/)
    .filter((pem) => pem !== '')
    .map((pem) => new X509Certificate(pem));

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

void t.test(
  'a complete demo PKI is left alone, an incomplete, broken or ending one is made anew',
  async (t) => {
    const dir = t.testdir();
    await makeDemoPki(dir);
    const root = (): string => readFileSync(join(dir, 'root.pem'), 'utf8');
    const remade = async (now?: number): Promise<boolean> => {
      const before = root();
      const made = await makeDemoPki(dir, now);
      t.equal(root() !== before, made);
      return made;
    };
    t.equal(await remade(), false);
    rmSync(join(dir, 'sales-key.pem'));
    t.equal(await remade(), true, 'a key is missing');
    writeFileSync(join(dir, 'sales-key.pem'), readFileSync(join(dir, 'server-key.pem')));
    t.equal(await remade(), true, 'a key is not the one of its certificate');
    writeFileSync(join(dir, 'server.pem'), 'half a certifi');
    t.equal(await remade(), true, 'a certificate is cut short');
    rmSync(join(dir, 'complete'));
    t.equal(await remade(), true, 'the run before was killed');
    t.equal(await remade(Date.now() + 365 * day), true, 'the client certificates are about to end');
  },
);

void t.test('two runs at once make one PKI', async (t) => {
  const dir = t.testdir();
  const made = await Promise.all([makeDemoPki(dir), makeDemoPki(dir), makeDemoPki(dir)]);
  t.equal(made.filter(Boolean).length, 1);
  t.ok(certificates(dir, 'server')[0]!.verify(certificates(dir, 'intermediate')[0]!.publicKey));
});

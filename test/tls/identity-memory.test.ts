import { X509Certificate } from 'node:crypto';
import t from 'tap';
import { IdentityMemory } from '../../src/tls/identity-memory.ts';
import { createAuthority } from '../support/pki.ts';

const ca = await createAuthority({ cn: 'CA' });
const ders = await Promise.all(
  ['a', 'b', 'c'].map(async (cn) => new X509Certificate((await ca.issue({ cn })).bundle).raw),
);

await t.test('a certificate is read once, and another of the same names is another', async (t) => {
  const memory = new IdentityMemory();
  const first = memory.read(ders[0]!);
  t.equal(memory.read(Buffer.from(ders[0]!)), first);
  const twin = new X509Certificate((await ca.issue({ cn: 'a' })).bundle).raw;
  t.not(memory.read(twin)?.serial, first?.serial);
});

await t.test('what cannot be read is no identity, each time', async (t) => {
  const memory = new IdentityMemory();
  const cut = ders[0]!.subarray(0, 100);
  t.equal(memory.read(cut), null);
  t.equal(memory.read(cut), null);
  t.equal(memory.size, 0);
});

await t.test('the one that was not asked for the longest is forgotten', async (t) => {
  const memory = new IdentityMemory(2);
  const [a, b, c] = ders as [Buffer, Buffer, Buffer];
  const first = memory.read(a);
  const second = memory.read(b);
  memory.read(a);
  memory.read(c);
  t.equal(memory.size, 2);
  t.equal(memory.read(a), first);
  t.not(memory.read(b), second);
});

import { execFileSync } from 'node:child_process';
import { createPublicKey, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import t from 'tap';
import { eachCrl } from '../../src/pki/crl-file.ts';
import { type CrlReading, readCrl, type ReadRevoked } from '../../src/pki/crl-reader.ts';
import { type CrlHead, crlPrologue, type RevokedEntry, signCrl } from '../../src/pki/crl.ts';
import { writeCrl } from '../../src/pki/crl-writer.ts';
import { explicit, sequence } from '../../src/pki/der.ts';
import { PkiError } from '../../src/pki/error.ts';
import { encodeExtension } from '../../src/pki/extension.ts';
import { signed } from '../../src/pki/key.ts';
import { day } from '../../src/pki/time.ts';
import { createAuthority, type TestAuthority, type TestKeyType } from '../support/pki.ts';
import { needs } from '../support/program.ts';

const openssl = (...args: string[]): string =>
  execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

const headOf = (authority: TestAuthority): CrlHead => ({
  issuer: authority.issuer.name,
  keyId: authority.issuer.keyId,
  number: 1n << 70n,
  thisUpdate: Date.now() - 1000,
  nextUpdate: Date.now() + day,
});

async function* generate(count: number): AsyncGenerator<RevokedEntry> {
  for (let index = 0; index < count; index++) {
    yield { serial: randomBytes(16), at: Date.UTC(2026, 0, 1) + index * 1000, reason: 'keyCompromise' };
  }
}

async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.byteLength; start += size) yield bytes.subarray(start, start + size);
}

/** The facts of one CRL, its entries, and what the reader threw if it did. */
async function read(der: Uint8Array, options: CrlReading = {}, piece = 7) {
  const revoked: ReadRevoked[] = [];
  const facts = await readCrl(inPieces(der, piece), { ...options, onEntry: (entry) => revoked.push(entry) });
  return { ...facts, revoked };
}

void t.test('a CRL is read as it was written, whatever the key, whatever the pieces', async (t) => {
  for (const keyType of ['ec', 'ec384', 'rsa', 'ed25519'] as const satisfies TestKeyType[]) {
    const authority = await createAuthority({ cn: 'CA', keyType });
    const other = await createAuthority({ cn: 'CA', keyType });
    const entries: RevokedEntry[] = [
      { serial: Buffer.from('00ff01', 'hex'), at: Date.UTC(2026, 1, 3, 4, 5, 6), reason: 'superseded' },
      { serial: Buffer.from('7f', 'hex'), at: Date.UTC(2055, 1, 1) },
    ];
    const der = signCrl(headOf(authority), entries, authority.issuer.key);
    const own = createPublicKey(authority.issuer.key);
    const stranger = createPublicKey(other.issuer.key);
    for (const piece of [1, 7, 64 * 1024]) {
      const facts = await read(der, { keys: () => [own] }, piece);
      t.match(facts, { verified: true, entries: 2, number: (1n << 70n).toString(), signatureNote: null });
      t.same(facts.revoked, [
        { serial: 'FF01', at: Date.UTC(2026, 1, 3, 4, 5, 6), reason: 'superseded' },
        { serial: '7F', at: Date.UTC(2055, 1, 1), reason: null },
      ]);
      t.ok(facts.issuer.equals(authority.issuer.name));
      t.equal(facts.issuerKeyId, Buffer.from(authority.issuer.keyId).toString('hex'));
    }
    t.equal((await read(der, { keys: () => [stranger] })).verified, false);
    t.equal((await read(der, { keys: () => [stranger, own] })).verified, true);
    t.equal((await read(der)).verified, null);
    const changed = Buffer.from(der);
    changed[changed.indexOf(Buffer.from('00ff01', 'hex')) + 1]! ^= 1;
    t.equal(
      (await read(changed, { keys: () => [own] })).verified,
      false,
      'a changed serial breaks the signature',
    );
  }
});

void t.test(
  'openssl reads what is streamed to a file, in PEM and DER',
  needs('openssl', 'version'),
  async (t) => {
    const authority = await createAuthority({ cn: 'CA' });
    const dir = t.testdir({ 'ca.pem': authority.cert });
    for (const [format, count] of [
      ['pem', 5000],
      ['der', 1],
      ['pem', 0],
    ] as const) {
      const path = join(dir, `crl-${count}.${format}`);
      t.equal(
        await writeCrl({ path, format }, headOf(authority), generate(count), authority.issuer.key),
        count,
      );
      const text = openssl(
        'crl',
        '-in',
        path,
        '-inform',
        format,
        '-CAfile',
        join(dir, 'ca.pem'),
        '-noout',
        '-text',
      );
      t.equal(text.match(/Serial Number/g)?.length ?? 0, count);
      t.match(text, /X509v3 CRL Number/);
      t.match(text, /X509v3 Authority Key Identifier/);
      const [facts] = await eachCrl(path, async (der) => await readCrl(der));
      t.equal(facts?.entries, count);
    }
  },
);

void t.test('several CRLs in one file are read one after the other, text between them', async (t) => {
  const one = await createAuthority({ cn: 'One' });
  const two = await createAuthority({ cn: 'Two' });
  const dir = t.testdir({
    'crls.pem': `# a list\n${one.crl({ revoked: ['0A'] })}\nand\r\n${two.crl()}`,
    'no.pem': one.cert,
  });
  const facts = await eachCrl(join(dir, 'crls.pem'), async (der) => await readCrl(der));
  t.match(facts, [{ entries: 1 }, { entries: 0 }]);
  await t.rejects(
    eachCrl(join(dir, 'no.pem'), async (der) => await readCrl(der)),
    /there is no CRL in it/,
  );
  await t.rejects(
    eachCrl(join(dir, 'gone.pem'), async (der) => await readCrl(der)),
    /no such file/,
  );
  writeFileSync(join(dir, 'cut.pem'), one.crl().slice(0, 200));
  await t.rejects(
    eachCrl(join(dir, 'cut.pem'), async (der) => await readCrl(der)),
    /has no end/,
  );
});

void t.test('a failure in the middle leaves the old CRL and nothing else', async (t) => {
  const authority = await createAuthority({ cn: 'CA' });
  const dir = t.testdir({ 'crl.pem': 'the old one' });
  const path = join(dir, 'crl.pem');
  async function* broken(): AsyncGenerator<RevokedEntry> {
    yield* generate(3);
    throw new PkiError('the database broke');
  }
  await t.rejects(
    writeCrl({ path, format: 'pem' }, headOf(authority), broken(), authority.issuer.key),
    /database broke/,
  );
  t.equal(readFileSync(path, 'utf8'), 'the old one');
  t.same(execFileSync('ls', [dir], { encoding: 'utf8' }).trim(), 'crl.pem');
});

void t.test('mutated CRLs are read or refused, never anything else', async (t) => {
  const authority = await createAuthority({ cn: 'CA' });
  const entries: RevokedEntry[] = [{ serial: Buffer.of(1), at: Date.UTC(2026, 0, 1), reason: 'superseded' }];
  const der = signCrl(headOf(authority), entries, authority.issuer.key);
  const key = createPublicKey(authority.issuer.key);
  const attempt = async (bytes: Uint8Array): Promise<boolean | null> => {
    try {
      return (await read(bytes, { keys: () => [key] }, 50)).verified;
    } catch (error) {
      if (error instanceof PkiError) return null;
      throw error;
    }
  };
  await fc.assert(
    fc.asyncProperty(fc.nat(der.byteLength - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
      const bytes = Buffer.from(der);
      bytes[at]! ^= flip;
      // The unused-bits octet and the algorithm's parameters outside the signed part are the only slack there is.
      const outside = at < 4 || at >= der.byteLength - 90;
      return (await attempt(bytes)) !== true || outside;
    }),
    { numRuns: 400 },
  );
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => (await attempt(bytes)) !== true),
  );
  for (let cut = 0; cut < der.byteLength; cut += 5) {
    t.equal(await attempt(der.subarray(0, cut)), null, `cut at ${cut}`);
  }
  t.equal(await attempt(Buffer.concat([der, Buffer.of(0)])), null, 'something behind it');
});

void t.test('lengths that lie are refused before they are believed', async (t) => {
  const huge = Buffer.from('30850fffffffff', 'hex');
  await t.rejects(read(huge), /not a CRL: an element of \d+ octets where/);
  await t.rejects(read(Buffer.from('3080', 'hex')), /no DER form/);
  await t.rejects(read(Buffer.from('308400ffffff308400fffff0020101', 'hex')), /cut short/);
});

void t.test('a critical extension that is not known is told', async (t) => {
  const authority = await createAuthority({ cn: 'CA' });
  const { key } = authority.issuer;
  t.same((await read(signCrl(headOf(authority), [], key))).unknownCritical, []);
  // issuingDistributionPoint: such a list may leave out whom it is not about.
  const scope = encodeExtension({ oid: '2.5.29.28', critical: true, value: Buffer.from('3000', 'hex') });
  const partial = signed(sequence(crlPrologue(headOf(authority), key), explicit(0, sequence(scope))), key);
  t.same((await read(partial)).unknownCritical, ['2.5.29.28']);
});

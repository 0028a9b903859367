import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import * as fc from 'fast-check';
import t from 'tap';
import { chainTree, drawTree } from '../../src/pki/chain-tree.ts';
import { describeCertificate } from '../../src/pki/describe.ts';
import { PkiError } from '../../src/pki/error.ts';
import { inspectFiles } from '../../src/pki/inspection.ts';
import type { Inspection } from '../../src/pki/inspection-report.ts';
import { inspectionText } from '../../src/pki/inspection-text.ts';
import { readCertificates, readPem } from '../../src/pki/pem.ts';
import { writePkcs12 } from '../../src/pki/pkcs12-writer.ts';
import { printable } from '../../src/pki/printable.ts';
import { day } from '../../src/pki/time.ts';
import { createAuthority, keyFromPem, selfSigned, writeFiles } from '../support/pki.ts';
import { pki } from './command-line.ts';

const root = await createAuthority({ cn: 'Root', names: [['O', 'Logpoint Nepal']] });
const intermediate = await createAuthority({ cn: 'Intermediate', parent: root, pathLen: 0 });
const leaf = await intermediate.issue({
  cn: 'roshankhatri',
  ou: 'ITOps',
  hosts: ['a.test', '::1', 'me@a.test', 'spiffe://a/b'],
});

const inspect = async (...files: string[]): Promise<Inspection> =>
  await inspectFiles(files, {
    now: Date.now(),
    stdin: (async function* () {})(),
    passphrase: async () => 'secret',
  });

void t.test('a certificate is told in full', async (t) => {
  const report = describeCertificate(leaf.der, Date.now());
  t.match(report, {
    kind: 'certificate',
    subject: 'CN=roshankhatri,OU=ITOps',
    issuer: 'CN=Intermediate',
    serial: leaf.serial,
    status: 'valid',
    altNames: ['DNS:a.test', 'IP:::1', 'email:me@a.test', 'URI:spiffe://a/b'],
    ca: false,
    keyUsages: ['digital signature'],
    purposes: ['client auth'],
    key: 'ECDSA P-256',
    signature: 'SHA-256 with ECDSA',
    refused: null,
  });
  t.ok(report.daysLeft >= 363 && report.daysLeft <= 365);
  const old = await intermediate.issue({
    cn: 'x',
    notBefore: Date.now() - 3 * day,
    notAfter: Date.now() - 1.5 * day,
  });
  t.match(describeCertificate(old.der, Date.now()), { status: 'expired', daysLeft: -2 });
  const future = await intermediate.issue({ cn: 'x', notBefore: Date.now() + day });
  t.equal(describeCertificate(future.der, Date.now()).status, 'not yet valid');
  t.match(describeCertificate(intermediate.der, Date.now()), { ca: true, pathLen: 0 });
});

void t.test('bundles, requests, CRLs, keys and PKCS#12 files are looked into, in PEM and DER', async (t) => {
  const dir = t.testdir();
  const certificatesOf = (pem: string): Buffer[] => readCertificates(Buffer.from(pem), 'x');
  const p12 = await writePkcs12(
    { key: keyFromPem(leaf.key), certificates: certificatesOf(leaf.bundle), friendlyName: 'me' },
    'secret',
  );
  const crl = intermediate.crl({ revoked: [[leaf, 'keyCompromise']] });
  const files = writeFiles(dir, {
    'bundle.pem': `some text\n${leaf.bundle}${root.cert}`,
    'leaf.der': leaf.der,
    'crl.pem': crl,
    'crl.der': readPem(crl)[0]!.der,
    'key.pem': leaf.key,
    'key.der': readPem(leaf.key)[0]!.der,
    'me.p12': p12,
    'public.pem': '-----BEGIN DH PARAMETERS-----\nMAA=\n-----END DH PARAMETERS-----\n',
  });
  const bundle = await inspect(files['bundle.pem']);
  t.match(bundle.reports, [
    { subject: 'CN=roshankhatri,OU=ITOps' },
    { subject: 'CN=Intermediate' },
    { subject: 'CN=Root,O=Logpoint Nepal' },
  ]);
  t.same(bundle.chain.parents, [1, 2, 2]);
  t.match((await inspect(files['leaf.der'])).reports, [{ kind: 'certificate', sha256: /^[0-9a-f]{64}$/ }]);
  for (const file of [files['crl.pem'], files['crl.der']]) {
    t.match((await inspect(file, files['bundle.pem'])).reports[0], {
      kind: 'crl',
      issuer: 'CN=Intermediate',
      entries: 1,
      revoked: [{ serial: leaf.serial, reason: 'keyCompromise' }],
      signatureValid: true,
    });
    t.match((await inspect(file)).reports[0], { signatureValid: null });
  }
  for (const file of [files['key.pem'], files['key.der']]) {
    t.match((await inspect(file)).reports, [
      { kind: 'private key', key: 'ECDSA P-256', spki: describeCertificate(leaf.der, 0).spki },
    ]);
  }
  t.match((await inspect(files['me.p12'])).reports, [
    { kind: 'pkcs12', friendlyNames: ['me'], certificates: 2, keys: [{ key: 'ECDSA P-256' }] },
    { kind: 'certificate' },
    { kind: 'certificate' },
  ]);
  t.match((await inspect(files['public.pem'])).reports, [{ kind: 'other', label: 'DH PARAMETERS' }]);
  const everything = await pki(['inspect', ...Object.values(files), '--json', '--passphrase-env', 'P'], {
    env: { P: 'secret' },
  });
  t.equal(everything.code, 0, everything.stderr);
  const body = readPem(leaf.key)[0]!.der.toString('base64').slice(40, 80);
  t.notMatch(everything.stdout.replaceAll('\\n', ''), body, 'no key is ever shown');
});

void t.test('the chain is drawn as a tree, with what is missing of it', async (t) => {
  const other = await intermediate.issue({ cn: 'other' });
  const dir = t.testdir();
  const files = writeFiles(dir, {
    'all.pem': leaf.cert + root.cert + other.cert + intermediate.cert,
    'part.pem': leaf.cert,
  });
  const lines = inspectionText(await inspect(files['all.pem']));
  t.same(lines.slice(lines.indexOf('chain')), [
    'chain',
    '  CN=Root,O=Logpoint Nepal (self-signed)',
    '  └─ CN=Intermediate',
    '     ├─ CN=roshankhatri,OU=ITOps',
    '     └─ CN=other',
  ]);
  const part = inspectionText(await inspect(files['part.pem']));
  t.same(part.slice(part.indexOf('chain')), [
    'chain',
    '  CN=roshankhatri,OU=ITOps',
    '  missing: CN=Intermediate',
  ]);
});

void t.test(
  'certificates in a ring, in a crowd of one name, or of another key are drawn all the same',
  async (t) => {
    const one = await createAuthority({ cn: 'One' });
    const two = await createAuthority({ cn: 'Two' });
    const oneByTwo = await createAuthority({ cn: 'One', parent: two, key: keyFromPem(one.key) });
    const twoByOne = await createAuthority({ cn: 'Two', parent: one, key: keyFromPem(two.key) });
    const ring = chainTree([oneByTwo.der, twoByOne.der]);
    t.same(ring.parents, [1, 0]);
    t.same(drawTree(ring.parents, ['one', 'two']), ['one', '└─ two']);
    const namesake = await createAuthority({ cn: 'Root', names: [['O', 'Logpoint Nepal']] });
    t.same(chainTree([namesake.der, intermediate.der]).parents, [0, null], 'a name alone makes no issuer');
    const crowd = await Promise.all(
      Array.from({ length: 300 }, async () => (await selfSigned({ cn: 'same' })).der),
    );
    t.same(
      chainTree(crowd).parents,
      crowd.map((_, index) => index),
    );
  },
);

void t.test('nothing in a name can move the cursor or reverse a line', async (t) => {
  t.equal(
    printable('a\u001b[31mb\u202ec\u0007\n\ud800d é 密'),
    'a\\u{1b}[31mb\\u{202e}c\\u{7}\\u{a}\\u{d800}d é 密',
  );
  const hostile = await intermediate.issue({
    subject: [
      ['CN', '\u001b[2Jx\u202e\n'],
      ['O', 'caf\u00e9', 't61'],
    ],
    san: [{ type: 'uri', value: Buffer.from('x:\u001b[0m\u202e') }],
    notAfter: Date.now() + day,
  });
  const dir = t.testdir();
  const files = writeFiles(dir, { 'hostile.pem': hostile.cert });
  const { stdout } = await pki(['inspect', files['hostile.pem']]);
  t.match(stdout, /\\1B\[2Jx/);
  t.notMatch(stdout, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
  t.match(stdout, /REFUSED\s+the proxy takes no such certificate: an alternative name with a control/);
});

void t.test('what is none of ours is a clear error', async (t) => {
  const dir = t.testdir({
    text: 'hello',
    empty: '',
    zeros: Buffer.alloc(1000),
    cut: leaf.cert.slice(0, 300),
    odd: leaf.cert.replace('MII', 'M!I'),
  });
  for (const file of ['text', 'empty', 'zeros', 'cut', 'odd', 'missing', '.']) {
    const { code, stderr, stdout } = await pki(['inspect', join(dir, file)]);
    t.equal(code, 1, file);
    t.match(stderr, /^mtls-ingress: .+\n$/);
    t.equal(stdout, '');
  }
});

/** An answer or a PkiError; anything else breaks the property. */
async function survives(file: string): Promise<void> {
  try {
    inspectionText(await inspect(file));
  } catch (error) {
    if (!(error instanceof PkiError)) throw error;
  }
}

void t.test(
  'mutated certificates, requests and keys are told or refused, in time, and nothing else',
  async (t) => {
    const dir = t.testdir();
    const csr = await pki(['init', '-', '--out', join(dir, 'ca')], {
      stdin: Readable.from([Buffer.from('{"CN":"x","hosts":["a.test"]}')]),
    });
    t.equal(csr.code, 0, csr.stderr);
    const sources = [
      leaf.der,
      intermediate.der,
      readPem(readFileSync(join(dir, 'ca.csr'), 'latin1'))[0]!.der,
      readPem(leaf.key)[0]!.der,
      (await intermediate.issue({ cn: 'rsa', keyType: 'rsa' })).der,
    ];
    const bytes = fc.constantFrom(...sources).chain((source) =>
      fc
        .array(fc.tuple(fc.nat(source.byteLength - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
        .map((changes) => {
          const copy = Buffer.from(source);
          for (const [at, value] of changes) copy[at] = value;
          return copy;
        }),
    );
    await fc.assert(
      fc.asyncProperty(bytes, async (der) => await survives(writeFiles(dir, { 'x.der': der })['x.der'])),
      { numRuns: 400 },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 200 }),
        async (der) => await survives(writeFiles(dir, { 'x.der': der })['x.der']),
      ),
      { numRuns: 200 },
    );
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary' }), async (text) => {
        const pem = `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`;
        await survives(writeFiles(dir, { 'x.pem': pem })['x.pem']);
      }),
      { numRuns: 100 },
    );
  },
);

void t.test('hostile subjects of every string type are told or refused', async (t) => {
  const dir = t.testdir();
  const encoding = fc.constantFrom(
    'utf8',
    'printable',
    't61',
    'ia5',
    'bmp',
    'universal',
    'numeric',
    'visible',
  );
  const attribute = fc.tuple(
    fc.constantFrom('CN', 'OU', 'emailAddress', '1.2.3.4'),
    fc.uint8Array({ maxLength: 40 }),
    encoding,
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(attribute, { minLength: 1, maxLength: 3 }), { maxLength: 4 }),
      async (subject) => {
        const { cert } = await intermediate.issue({ subject });
        await survives(writeFiles(dir, { 'x.pem': cert })['x.pem']);
      },
    ),
    { numRuns: 150 },
  );
  t.pass('no other exception');
  t.pass('no other exception');
});

void t.test('deep nesting and long files end soon', async (t) => {
  const dir = t.testdir();
  const nested = Buffer.concat(Array.from({ length: 50_000 }, () => Buffer.from('3080', 'hex')));
  const files = writeFiles(dir, {
    'nested.der': nested,
    'dashes.pem': '-----BEGIN '.repeat(100_000),
    'blocks.pem': '-----BEGIN X-----\nMAA=\n-----END X-----\n'.repeat(3000),
    'big.der': Buffer.alloc(17 * 1024 * 1024, 0x31),
  });
  const started = process.cpuUsage();
  for (const file of Object.values(files)) await survives(file);
  t.ok(process.cpuUsage(started).user < 5_000_000);
});

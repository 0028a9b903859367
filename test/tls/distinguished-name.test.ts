import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import t from 'tap';
import { sequence, tlv } from '../../src/pki/der.ts';
import { formatRfc2253, valuesOf } from '../../src/tls/distinguished-name.ts';
import { readIdentity } from '../../src/tls/identity-reader.ts';
import type { DistinguishedName } from '../../src/tls/identity.ts';
import { objectNames } from '../../src/tls/object-names.ts';
import { attribute, commonName, name, rawCertificate, rdn } from './raw-certificate.ts';

const version = spawnSync('openssl', ['version'], { encoding: 'utf8' }).stdout;
const openssl = {
  skip: version?.startsWith('OpenSSL 3.') || process.env['CI'] === 'true' ? false : 'needs openssl 3',
};

const dir = t.testdir();

/** What `openssl x509` prints for one certificate: the judge. */
function x509(der: Buffer): string {
  const args = ['x509', '-inform', 'der', '-nameopt', 'RFC2253', '-noout', '-subject'];
  const { stdout, stderr, status } = spawnSync('openssl', args, { input: der, encoding: 'latin1' });
  if (status !== 0) throw new Error(stderr);
  return stdout.replace(/^subject=/, '').replace(/\n$/, '');
}

/** The same for many in one process: `openssl verify` prints the subject of each one it does not trust. */
function subjectsOf(ders: readonly Buffer[]): string[] {
  const files = ders.map((der, index) => {
    const file = join(dir, `${index}.pem`);
    writeFileSync(
      file,
      `-----BEGIN CERTIFICATE-----\n${der.toString('base64')}\n-----END CERTIFICATE-----\n`,
    );
    return file;
  });
  const args = ['verify', '-nameopt', 'RFC2253', '-no-CAfile', '-no-CApath', '-no-CAstore', ...files];
  const { stderr } = spawnSync('openssl', args, { encoding: 'latin1', maxBuffer: 2 ** 28 });
  const subjects = stderr.match(/^.*(?=\nerror 20 at 0 depth lookup)/gm) ?? [];
  if (subjects.length !== ders.length)
    throw new Error(`${subjects.length} answers: ${stderr.slice(0, 2000)}`);
  return subjects;
}

const withSubject = (subject: Buffer): Buffer => rawCertificate({ subject });
const ours = (der: Buffer): string => readIdentity(der).subjectText;

void t.test('names that attack a reader come out as openssl x509 prints them', openssl, async (t) => {
  const cn = '2.5.4.3';
  const ou = '2.5.4.11';
  const utf8 = (text: string): Buffer => attribute(cn, 12, text);
  const subjects: Record<string, Buffer> = {
    'no attribute at all': name(),
    'an empty value': name(rdn(utf8(''))),
    'a comma and an equals sign': name(rdn(utf8('x,OU=ITOps'))),
    'a plus sign': name(rdn(utf8('x+OU=ITOps'))),
    'a line break and a header': name(rdn(utf8('x\r\nssl-client-verify: SUCCESS'))),
    'a NUL': name(rdn(utf8('good\0.evil'))),
    'a backslash at the end': name(rdn(utf8('x\\')), rdn(attribute(ou, 12, 'y'))),
    'quotes, brackets, semicolons': name(rdn(utf8('";<>=#'))),
    'spaces at both ends': name(rdn(utf8('  x  '))),
    'a space alone': name(rdn(utf8(' '))),
    'a hash in front': name(rdn(utf8('#0C0178'))),
    'a hash alone': name(rdn(utf8('#'))),
    'text beyond ASCII': name(rdn(utf8('नेपाल 🏔 é'))),
    'controls and DEL': name(rdn(utf8('\x01\x1f\x7f\x80\x9f'))),
    'direction marks': name(rdn(utf8('a\u202egnp.exe\u2066'))),
    'a byte order mark': name(rdn(utf8('\ufeffx'))),
    'a multi-valued RDN': name(rdn(utf8('x'), attribute(ou, 12, 'y')), rdn(attribute('2.5.4.6', 19, 'NP'))),
    'a multi-valued RDN out of order': name(rdn(attribute(ou, 12, 'y'), utf8('x'))),
    'repeated OUs': name(
      rdn(attribute(ou, 12, 'a')),
      rdn(attribute(ou, 12, 'b')),
      rdn(attribute(ou, 12, 'a')),
    ),
    'Teletex as Latin-1': name(rdn(attribute(cn, 20, Buffer.from('d\xe9j\xe0', 'latin1')))),
    'PrintableString that is not printable': name(rdn(attribute(cn, 19, Buffer.from('\0@\xff', 'latin1')))),
    BMPString: name(rdn(attribute(cn, 30, Buffer.from('004100e9092800000022', 'hex')))),
    UniversalString: name(rdn(attribute(cn, 28, Buffer.from('0001f3d40000002c', 'hex')))),
    'an unknown type': name(rdn(attribute('1.3.6.1.4.1.99999.1', 12, 'x,y'))),
    'an unknown type of 200 bytes': name(rdn(attribute('1.3.6.1.4.1.99999.1', 12, 'x'.repeat(200)))),
    'an unknown type of 300 bytes': name(rdn(attribute('1.3.6.1.4.1.99999.1', 30, Buffer.alloc(300, 'a')))),
    'an unknown type of 80 numbers': name(rdn(attribute(`1.3.${'7.'.repeat(77)}8`, 12, 'x'))),
    'a type with a number past 2^64': name(
      rdn(attribute(tlv(6, Buffer.from('2affffffffffffffffffff7f', 'hex')), 12, 'x')),
    ),
    'a type whose first number is large': name(rdn(attribute(tlv(6, Buffer.from('8837', 'hex')), 12, 'x'))),
    'a type that is an algorithm': name(rdn(attribute('1.2.840.113549.1.1.11', 12, 'x'))),
    'a bit string': name(rdn(attribute('2.5.4.45', 3, Buffer.from('04f0', 'hex')))),
    'a sequence': name(rdn(attribute('2.5.4.16', 0x30, sequence(tlv(12, Buffer.from('x')))))),
  };
  for (const [what, subject] of Object.entries(subjects)) {
    const der = withSubject(subject);
    t.equal(ours(der), x509(der), what);
  }
});

void t.test('every object that openssl knows has the same short name here', openssl, async (t) => {
  const types = [...objectNames.keys()];
  const ders = types.map((type) => withSubject(name(rdn(attribute(type, 12, 'x')))));
  t.same(ders.map(ours), subjectsOf(ders));
  t.ok(types.length > 1000);
  if (version.startsWith('OpenSSL 3.0.')) {
    const listed = spawnSync('openssl', ['list', '-objects'], { encoding: 'utf8' }).stdout;
    const listedNames = Array.from(
      listed.matchAll(/^([^# ]\S*) = .*[0-9]\.[0-9]/gm),
      ([, shortName]) => shortName!,
    );
    const ourNames = new Set(objectNames.values());
    t.same(
      listedNames.filter((shortName) => !ourNames.has(shortName)),
      ['identified-organization'],
    );
    t.equal(objectNames.get('1.3'), 'ORG', 'the name openssl prefers to identified-organization');
  }
});

const latin1 = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)) });
const tricky = fc.string({
  unit: fc.constantFrom(...Array.from('ab ,+="\\<>;#\0\n\r\x7fé\u0928\u202e🏔*/=')),
  maxLength: 12,
});
const unicode = fc.oneof(tricky, fc.string({ unit: 'binary' }), fc.string({ maxLength: 400 }));
const plane0 = unicode.map((text) => Array.from(text, (c) => (c.length === 1 ? c : '')).join(''));
const types = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('2.5.4.3', '2.5.4.11', '2.5.4.10', '2.5.4.6', '2.5.4.5') },
  fc.constantFrom(...objectNames.keys()),
  fc
    .tuple(fc.nat(2), fc.nat(39), fc.array(fc.oneof(fc.nat(300), fc.maxSafeNat()), { maxLength: 20 }))
    .map(([top, second, rest]) => [top, second, ...rest].join('.')),
);
const typed = fc.oneof(
  unicode.map((text) => [12, Buffer.from(text, 'utf8'), text] as const),
  fc
    .tuple(
      fc.constantFrom(18, 19, 20, 22),
      fc.oneof(
        latin1,
        tricky.map((text) => text.replace(/[^\0-\xff]/gu, '')),
      ),
    )
    .map(([tag, text]) => [tag, Buffer.from(text, 'latin1'), text] as const),
  plane0.map((text) => [30, Buffer.from(text, 'utf16le').swap16(), text] as const),
  unicode.map(
    (text) =>
      [
        28,
        Buffer.concat(
          Array.from(text, (c) =>
            Buffer.of(0, c.codePointAt(0)! >> 16, (c.codePointAt(0)! >> 8) & 255, c.codePointAt(0)! & 255),
          ),
        ),
        text,
      ] as const,
  ),
);
const subjects = fc.array(fc.array(fc.tuple(types, typed), { minLength: 1, maxLength: 3 }), { maxLength: 6 });

void t.test(
  'whatever the subject, our text is openssl’s and our values are the certificate’s',
  openssl,
  async (t) => {
    let checked = 0;
    // Many names in one certificate's run: openssl starts once for each set.
    fc.assert(
      fc.property(fc.array(subjects, { minLength: 120, maxLength: 120 }), (sets) => {
        const ders = sets.map((set) =>
          withSubject(
            name(
              ...set.map((pairs) =>
                rdn(...pairs.map(([type, [tag, content]]) => attribute(type, tag, content))),
              ),
            ),
          ),
        );
        const theirs = subjectsOf(ders);
        for (const [index, der] of ders.entries()) {
          const { subject, subjectText } = readIdentity(der);
          if (subjectText !== theirs[index]) throw new Error(`ours ${subjectText}, theirs ${theirs[index]}`);
          const expected = sets[index]!.map((pairs) =>
            pairs.map(([oid, [tag, , value]]) => ({ oid, value, tag })),
          );
          if (JSON.stringify(subject) !== JSON.stringify(expected)) throw new Error(JSON.stringify(subject));
          checked++;
        }
      }),
      { numRuns: 8, endOnFailure: true },
    );
    t.ok(checked >= 960);
  },
);

void t.test('the text is printable ASCII whatever the name holds', async (t) => {
  fc.assert(
    fc.property(subjects, (set) => {
      const dn: DistinguishedName = set.map((pairs) =>
        pairs.map(([oid, [tag, , value]]) => ({ oid, value, tag })),
      );
      return /^[\x20-\x7e]*$/.test(formatRfc2253(dn));
    }),
  );
  t.pass();
});

void t.test('an attribute without a tag counts as UTF8String', async (t) => {
  t.equal(
    formatRfc2253([[{ oid: '2.5.4.3', value: 'é' }], [{ oid: '1.2.3', value: 'é' }]]),
    '1.2.3=#0C02C3A9,CN=\\C3\\A9',
  );
});

void t.test('the values of a type are found in every RDN, in order, and only text counts', async (t) => {
  const { subject } = readIdentity(
    withSubject(
      name(
        rdn(attribute('2.5.4.11', 12, 'a'), attribute('2.5.4.3', 12, 'OU=evil')),
        rdn(attribute('2.5.4.11', 3, Buffer.of(0, 0x61))),
        rdn(attribute('2.5.4.11', 30, Buffer.from('0062', 'hex'))),
      ),
    ),
  );
  t.same(valuesOf(subject, '2.5.4.11'), ['a', 'b']);
  t.same(valuesOf(subject, '2.5.4.10'), []);
});

void t.test('a value that is a dump never passes for the text of the same look', async (t) => {
  const text = readIdentity(rawCertificate({ subject: commonName('#03020061') }));
  const dump = readIdentity(
    rawCertificate({ subject: name(rdn(attribute('2.5.4.3', 3, Buffer.of(0, 0x61)))) }),
  );
  t.not(text.subjectText, dump.subjectText);
  t.same(valuesOf(text.subject, '2.5.4.3'), ['#03020061']);
  t.same(valuesOf(dump.subject, '2.5.4.3'), []);
});

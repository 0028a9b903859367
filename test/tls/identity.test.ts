import { generateKeyPairSync, hash, X509Certificate } from 'node:crypto';
import * as fc from 'fast-check';
import t from 'tap';
import {
  bitString,
  explicit,
  implicit,
  integer,
  octetString,
  oid,
  sequence,
  tlv,
} from '../../src/pki/der.ts';
import { MalformedCertificate } from '../../src/tls/der.ts';
import { readIdentity } from '../../src/tls/identity-reader.ts';
import { createAuthority } from '../support/pki.ts';
import {
  altNames,
  attribute,
  commonName,
  dnsName,
  ecdsaSha256,
  extension,
  generalizedTime,
  name,
  rawCertificate,
  rdn,
  utcTime,
  type RawCertificate,
} from './raw-certificate.ts';

const hex = (text: string): Buffer => Buffer.from(text, 'hex');
const plain = (fingerprint: string): string => fingerprint.replaceAll(':', '').toLowerCase();

void t.test('the facts of a certificate are those that OpenSSL finds in it', async (t) => {
  const authority = await createAuthority({ cn: 'Root, "1"' });
  for (const keyType of ['ec', 'ec384', 'rsa', 'ed25519'] as const) {
    const issued = await authority.issue({
      keyType,
      subject: [
        ['C', 'NP'],
        ['O', 'Logpoint Nepal'],
        [
          ['OU', 'ITOps'],
          ['CN', 'roshankhatri'],
        ],
      ],
      hosts: [
        'a.example.com',
        '*.example.com',
        '10.1.2.3',
        '2001:db8::1',
        'r@example.com',
        'spiffe://td/ns/x',
      ],
      notBefore: Date.UTC(2024, 0, 2, 3, 4, 5),
      notAfter: Date.UTC(2055, 5, 6, 7, 8, 9),
    });
    const identity = readIdentity(issued.der);
    const theirs = new X509Certificate(issued.der);
    t.equal(identity.serial, issued.serial);
    t.equal(BigInt(`0x${identity.serial}`), BigInt(`0x${theirs.serialNumber}`));
    t.equal(identity.sha256, plain(theirs.fingerprint256));
    t.equal(identity.sha1, plain(theirs.fingerprint));
    t.equal(identity.notBefore, theirs.validFromDate.getTime());
    t.equal(identity.notAfter, Date.UTC(2055, 5, 6, 7, 8, 9));
    const spki = theirs.publicKey.export({ type: 'spki', format: 'der' });
    t.equal(identity.spki, hash('sha256', spki));
    t.equal(identity.issuerText, 'CN=Root\\, \\"1\\"');
    t.match(
      identity.subjectText,
      /^(?:CN=roshankhatri\+OU=ITOps|OU=ITOps\+CN=roshankhatri),O=Logpoint Nepal,C=NP$/,
    );
    t.same(identity.san, {
      dns: ['a.example.com', '*.example.com'],
      ip: ['10.1.2.3', '2001:db8::1'],
      email: ['r@example.com'],
      uri: ['spiffe://td/ns/x'],
    });
    const expected = {
      ec: 'id-ecPublicKey',
      ec384: 'id-ecPublicKey',
      rsa: 'rsaEncryption',
      ed25519: 'ed25519',
    };
    t.equal(identity.keyAlgorithm, expected[keyType]);
    t.equal(identity.signatureAlgorithm, 'ecdsa-with-SHA256');
    t.equal(identity.der, issued.der);
  }
});

void t.test('an identity cannot be changed', async (t) => {
  const identity = readIdentity(rawCertificate({ extensions: [altNames(dnsName('a'))] }));
  const parts = [
    identity,
    identity.subject,
    identity.subject[0],
    identity.subject[0]![0],
    identity.san,
    identity.san.dns,
  ];
  for (const part of parts) t.ok(Object.isFrozen(part));
});

void t.test(
  'a multi-valued RDN, two RDNs, and one value that looks like both stay three different names',
  async (t) => {
    const cn = (text: string): Buffer => attribute('2.5.4.3', 12, text);
    const ou = (text: string): Buffer => attribute('2.5.4.11', 12, text);
    const names = [
      name(rdn(cn('x'), ou('ITOps'))),
      name(rdn(cn('x')), rdn(ou('ITOps'))),
      name(rdn(cn('x+OU=ITOps'))),
      name(rdn(cn('x,OU=ITOps'))),
      name(rdn(cn('x\nOU=ITOps'))),
      name(rdn(cn('x\\,OU=ITOps'))),
      name(rdn(cn('x\0OU=ITOps'))),
    ];
    const identities = names.map((subject) => readIdentity(rawCertificate({ subject })));
    t.equal(new Set(identities.map(({ subjectText }) => subjectText)).size, names.length);
    t.equal(new Set(identities.map(({ subject }) => JSON.stringify(subject))).size, names.length);
    t.equal(identities[2]!.subject[0]![0]!.value, 'x+OU=ITOps');
  },
);

void t.test('a serial number reads as openssl x509 -serial prints it', async (t) => {
  const serials: Record<string, string> = {
    '00': '00',
    '0f': '0F',
    '7f': '7F',
    '0080': '80',
    '00ff': 'FF',
    '0102': '0102',
    ff: '-01',
    '80': '-80',
    ff7f: '-81',
    fedc: '-0124',
    ['11'.repeat(64)]: '11'.repeat(64),
  };
  for (const [content, text] of Object.entries(serials)) {
    t.equal(readIdentity(rawCertificate({ serial: tlv(2, hex(content)) })).serial, text, content);
  }
});

void t.test('times from 2050 on are GeneralizedTime', async (t) => {
  const validity = sequence(utcTime('200101000000Z'), generalizedTime('99991231235959Z'));
  t.equal(readIdentity(rawCertificate({ validity })).notAfter, Date.UTC(9999, 11, 31, 23, 59, 59));
});

void t.test('algorithms without a name here are shown as numbers', async (t) => {
  const algorithm = sequence(oid('1.2.3.4'));
  const identity = readIdentity(
    rawCertificate({
      algorithm,
      outerAlgorithm: algorithm,
      spki: sequence(sequence(oid('1.2.3.5')), bitString(hex('00'))),
    }),
  );
  t.equal(identity.signatureAlgorithm, '1.2.3.4');
  t.equal(identity.keyAlgorithm, '1.2.3.5');
});

void t.test('alternative names are told apart by type, and other types are not read', async (t) => {
  const { san } = readIdentity(
    rawCertificate({
      extensions: [
        extension('2.5.29.15', bitString(hex('80'))),
        sequence(
          oid('2.5.29.17'),
          tlv(1, hex('ff')),
          octetString(
            sequence(
              tlv(0xa0, oid('1.3.6.1.4.1.311.20.2.3'), explicit(0, tlv(12, Buffer.from('upn@x')))),
              implicit(1, Buffer.from('A@Example.com')),
              dnsName('a.example.com'),
              explicit(4, commonName('directory')),
              implicit(6, Buffer.from('dns:b.example.com')),
              implicit(7, hex('0a000001')),
              implicit(7, hex('20010db8000000000000000000000001')),
              implicit(8, hex('2a03')),
              dnsName(''),
              dnsName('C.example.com'),
            ),
          ),
        ),
      ],
    }),
  );
  t.same(san, {
    dns: ['a.example.com', 'C.example.com'],
    uri: ['dns:b.example.com'],
    email: ['A@Example.com'],
    ip: ['10.0.0.1', '2001:db8::1'],
  });
});

void t.test('without the extension there are no alternative names', async (t) => {
  t.same(readIdentity(rawCertificate()).san, { dns: [], uri: [], email: [], ip: [] });
  t.same(readIdentity(rawCertificate({ version: null })).san, { dns: [], uri: [], email: [], ip: [] });
});

void t.test('certificates that attack their reader are refused whole', async (t) => {
  const san = (...names: Buffer[]): RawCertificate => ({ extensions: [altNames(...names)] });
  const cn = (tag: number, content: Buffer): RawCertificate => ({
    subject: name(rdn(attribute('2.5.4.3', tag, content))),
  });
  const refused: Record<string, RawCertificate> = {
    'a NUL in a DNS name': san(dnsName('good.example\0.evil.example')),
    'a line break in a DNS name': san(dnsName('a\nb')),
    'DEL in a DNS name': san(dnsName('a\x7f')),
    'a DNS name beyond ASCII': san(dnsName(Buffer.from('é.example'))),
    'a NUL in an e-mail address': san(implicit(1, Buffer.from('a@good\0@evil'))),
    'a line break in a URI': san(implicit(6, Buffer.from('spiffe://a\r\nX: y'))),
    'an IP address of 5 bytes': san(implicit(7, hex('0a00000100'))),
    'an IP address with a mask': san(implicit(7, hex('0a000001ffffff00'))),
    'a constructed DNS name': san(tlv(0xa2, dnsName('a'))),
    'a universal type among the names': san(tlv(12, Buffer.from('a'))),
    'an alternative name of type 9': san(implicit(9, Buffer.from('a'))),
    'alternative names twice': { extensions: [altNames(dnsName('a')), altNames(dnsName('b'))] },
    'bytes after the alternative names': {
      extensions: [extension('2.5.29.17', Buffer.concat([sequence(dnsName('a')), hex('0500')]))],
    },
    'more than a thousand alternative names': san(...Array.from({ length: 1001 }, () => dnsName('a'))),
    'more than 128 attributes': {
      subject: name(...Array.from({ length: 129 }, () => rdn(attribute('2.5.4.11', 12, 'x')))),
    },
    'an empty RDN': { subject: name(rdn()) },
    'an attribute without a value': { subject: name(rdn(sequence(oid('2.5.4.3')))) },
    'an attribute with two values': {
      subject: name(rdn(sequence(oid('2.5.4.3'), tlv(12, hex('61')), tlv(12, hex('62'))))),
    },
    'UTF-8 that is none': cn(12, hex('fffe')),
    'an overlong NUL': cn(12, hex('c080')),
    'a surrogate in UTF-8': cn(12, hex('eda080')),
    'half a BMP character': cn(30, hex('006100')),
    'a surrogate pair in BMPString': cn(30, hex('d83dde00')),
    'a lone surrogate in BMPString': cn(30, hex('0061d80000620063')),
    'a UniversalString past Unicode': cn(28, hex('00110000')),
    'a UniversalString of seven bytes': cn(28, hex('00000061000000')),
    'an OCTET STRING for a name': cn(4, hex('61')),
    'a constructed string': cn(0x2c, tlv(12, hex('61'))),
    'a bit string with a ragged end': cn(3, hex('04ff')),
    'a bit string of nine unused bits': cn(3, hex('0900')),
    'an empty bit string': cn(3, Buffer.alloc(0)),
    'a serial number of no bytes': { serial: tlv(2) },
    'a padded serial number': { serial: tlv(2, hex('0001')) },
    'a padded negative serial number': { serial: tlv(2, hex('ff80')) },
    'a serial number of 65 bytes': { serial: tlv(2, Buffer.alloc(65, 1)) },
    'version 4': { version: explicit(0, integer(3)) },
    'extensions in version 1': { version: null, extensions: [altNames(dnsName('a'))] },
    'an element after the extensions': { extensions: Buffer.concat([explicit(3, sequence()), tlv(4)]) },
    'two signature algorithms': { outerAlgorithm: sequence(oid('1.2.840.113549.1.1.4')) },
    'a third time': {
      validity: sequence(utcTime('200101000000Z'), utcTime('400101000000Z'), utcTime('400101000000Z')),
    },
    'a key that is none': { spki: sequence(ecdsaSha256) },
    'a key that is an integer': { spki: integer(5) },
    'a key with unused bits': { spki: sequence(ecdsaSha256, tlv(3, hex('0480'))) },
    'a key of no bits': { spki: sequence(ecdsaSha256, tlv(3)) },
    'more than 64 KiB': { extensions: [extension('1.2.3', Buffer.alloc(66_000))] },
  };
  t.ok(readIdentity(rawCertificate()));
  for (const [what, parts] of Object.entries(refused)) {
    t.throws(() => readIdentity(rawCertificate(parts)), MalformedCertificate, what);
  }
  t.throws(() => readIdentity(Buffer.concat([rawCertificate(), hex('00')])), MalformedCertificate);
  t.throws(() => readIdentity(new Uint8Array()), MalformedCertificate);
  const unusedBits = Buffer.from(rawCertificate());
  unusedBits[unusedBits.length - 9] = 1;
  t.equal(new X509Certificate(unusedBits).raw.length, unusedBits.length, 'OpenSSL takes it');
  t.throws(() => readIdentity(unusedBits), /signature that is not whole bytes/);
});

void t.test('a certificate cut short anywhere is refused', async (t) => {
  const der = rawCertificate({ extensions: [altNames(dnsName('a.example.com'))] });
  for (let length = 0; length < der.length; length++) {
    t.throws(() => readIdentity(der.subarray(0, length)), MalformedCertificate);
  }
});

void t.test('a certificate that stands inside other bytes is read from its own alone', async (t) => {
  const der = rawCertificate();
  const around = Buffer.concat([Buffer.alloc(100, 0x30), der, Buffer.alloc(100, 0x30)]);
  const inside = new Uint8Array(around.buffer, around.byteOffset + 100, der.length);
  t.same({ ...readIdentity(inside), der: null }, { ...readIdentity(der), der: null });
});

void t.test('a changed certificate is refused, or its facts are those that OpenSSL finds', async (t) => {
  const { der } = await (
    await createAuthority({ cn: 'root' })
  ).issue({ hosts: ['a.example.com', '10.0.0.1'] });
  let read = 0;
  let refused = 0;
  const changes = fc.array(fc.tuple(fc.nat(der.length - 1), fc.nat(255)), { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(changes, (octets) => {
      const changed = Buffer.from(der);
      for (const [index, octet] of octets) changed[index] = octet;
      let identity;
      try {
        identity = readIdentity(changed);
      } catch (error) {
        if (!(error instanceof MalformedCertificate)) throw error;
        refused++;
        return;
      }
      let theirs;
      try {
        theirs = new X509Certificate(changed);
      } catch {
        return;
      }
      read++;
      const same =
        BigInt(`0x${identity.serial.replace('-', '')}`) ===
          BigInt(`0x${theirs.serialNumber.replace('-', '')}`) &&
        identity.sha256 === plain(theirs.fingerprint256) &&
        identity.notBefore === theirs.validFromDate.getTime() &&
        identity.notAfter === theirs.validToDate.getTime() &&
        // Undefined where OpenSSL stumbles over a name of a type that is stepped over here.
        (theirs.subjectAltName === undefined ||
          identity.san.dns.length === (theirs.subjectAltName.match(/(?:^|, )DNS:/g) ?? []).length);
      if (!same)
        throw new Error(`${JSON.stringify(identity)} is not ${theirs.toString()} ${theirs.subjectAltName}`);
    }),
    { numRuns: 3000 },
  );
  t.ok(read > 300, `${read} read`);
  t.ok(refused > 300, `${refused} refused`);
});

void t.test(
  'a name of many attributes and a long list of alternative names are read in milliseconds',
  async (t) => {
    const der = rawCertificate({
      subject: name(
        ...Array.from({ length: 128 }, (_, i) => rdn(attribute('1.3.6.1.4.1.99999.1', 12, '\n'.repeat(i)))),
      ),
      extensions: [altNames(...Array.from({ length: 1000 }, (_, i) => dnsName(`host-${i}.example.com`)))],
    });
    readIdentity(der);
    const start = process.cpuUsage();
    readIdentity(der);
    const { user, system } = process.cpuUsage(start);
    t.ok(user + system < 50_000, `${user + system} µs`);
  },
);

void t.test('a public key is hashed as it stands', async (t) => {
  const { publicKey } = generateKeyPairSync('ed25519');
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  t.equal(readIdentity(rawCertificate({ spki })).spki, hash('sha256', spki));
});

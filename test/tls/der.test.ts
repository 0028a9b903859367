import * as fc from 'fast-check';
import t from 'tap';
import { encodeLength, oid as encodeOid, sequence, tlv } from '../../src/pki/der.ts';
import { DerReader, MalformedCertificate, tags } from '../../src/tls/der.ts';
import { generalizedTime, utcTime } from './raw-certificate.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

void t.test('an element is read whole, whatever its length', async (t) => {
  for (const length of [0, 1, 127, 128, 255, 256, 65_535, 65_536]) {
    const reader = new DerReader(tlv(4, Buffer.alloc(length, 7)));
    t.equal(reader.expect(tags.octetString, 'value').length, length);
    t.ok(reader.done);
    t.equal(reader.nextTag, -1);
  }
});

void t.test('what BER allows and DER does not is refused', async (t) => {
  const refused: Record<string, string> = {
    'nothing at all': '',
    'an identifier alone': '04',
    'an indefinite length': '30 80 00 00',
    'a length in two octets that fits one': '04 81 7f' + '00'.repeat(127),
    'a length in three octets that fits two': '04 82 00 80' + '00'.repeat(128),
    'a length octet that is zero': '04 81 00',
    'a length cut short': '04 82 01',
    'a length past the end': '04 02 00',
    'a length of 4 GiB': '04 84 ff ff ff ff',
    'a length in five octets': '04 85 00 00 00 00 01 00',
    'a length in 127 octets': '04 ff' + '01'.repeat(127),
    'a tag above 30': '1f 81 00 00',
    'a tag above 30 in a context': 'bf 1f 00',
  };
  for (const [what, bytes] of Object.entries(refused)) {
    t.throws(() => new DerReader(hex(bytes)).next(), MalformedCertificate, what);
  }
});

void t.test('a length inside may not reach past the element around it', async (t) => {
  const inner = new DerReader(hex('30 03 04 05 00 00 00 00 00')).enter(tags.sequence, 'outer');
  t.throws(() => inner.next(), /cut short/);
});

void t.test('nesting ends at a bound', async (t) => {
  let nested: Buffer = sequence();
  for (let depth = 0; depth < 2000; depth++) nested = sequence(nested);
  t.throws(() => {
    let reader = new DerReader(nested);
    while (!reader.done) reader = reader.enter(tags.sequence, 'level');
  }, /nested too deeply/);
});

void t.test('an object identifier reads as it was written', async (t) => {
  for (const text of [
    '0.0',
    '0.39',
    '1.0',
    '1.39',
    '2.0',
    '2.40',
    '2.999.3',
    '2.5.4.3',
    '1.2.840.113549.1.9.1',
  ]) {
    t.equal(new DerReader(sequence(encodeOid(text))).enter(tags.sequence, 'list').oid('type'), text);
  }
  const numbers = fc.array(fc.bigInt({ min: 0n, max: 2n ** 140n }), { maxLength: 8 });
  fc.assert(
    fc.property(fc.nat(2), fc.nat(39), numbers, (top, second, rest) => {
      const octets: number[] = [top * 40 + second];
      for (const number of rest) {
        const digits: number[] = [];
        for (let left = number; digits.length === 0 || left > 0n; left >>= 7n)
          digits.unshift(Number(left & 127n));
        octets.push(...digits.map((digit, index) => (index < digits.length - 1 ? digit | 128 : digit)));
      }
      const text = new DerReader(tlv(6, Buffer.from(octets))).oid('type');
      return text === [top, second, ...rest].join('.');
    }),
  );
  t.pass();
});

void t.test(
  'an object identifier that could be written in two ways, or never ends, is refused',
  async (t) => {
    for (const bytes of ['06 00', '06 02 80 01', '06 03 2a 80 01', '06 01 80', '06 02 2a 86', '05 00']) {
      t.throws(() => new DerReader(hex(bytes)).oid('type'), MalformedCertificate, bytes);
    }
    t.throws(() => new DerReader(tlv(6, Buffer.alloc(587, 1))).oid('type'), MalformedCertificate);
    t.equal(new DerReader(tlv(6, Buffer.alloc(586, 1))).oid('type').length, 2 * 587 - 1);
  },
);

void t.test('a time of RFC 5280’s two forms reads to the millisecond', async (t) => {
  const read = (der: Buffer): string => new Date(new DerReader(der).time('time')).toISOString();
  t.equal(read(utcTime('491231235959Z')), '2049-12-31T23:59:59.000Z');
  t.equal(read(utcTime('500101000000Z')), '1950-01-01T00:00:00.000Z');
  t.equal(read(utcTime('240229120000Z')), '2024-02-29T12:00:00.000Z');
  t.equal(read(generalizedTime('20500101000000Z')), '2050-01-01T00:00:00.000Z');
  t.equal(read(generalizedTime('99991231235959Z')), '9999-12-31T23:59:59.000Z');
  t.equal(read(generalizedTime('00010101000000Z')), '0001-01-01T00:00:00.000Z');
});

void t.test('every other way to write a time is refused', async (t) => {
  const refused = [
    utcTime('4912312359Z'),
    utcTime('491231235959'),
    utcTime('491231235959+0100'),
    utcTime('491231235960Z'),
    utcTime('491231240000Z'),
    utcTime('490229000000Z'),
    utcTime('490001000000Z'),
    utcTime('491301000000Z'),
    utcTime('490100000000Z'),
    utcTime('4912312359 9Z'),
    utcTime('-91231235959Z'),
    utcTime('20491231235959Z'),
    generalizedTime('491231235959Z'),
    generalizedTime('20500101000000.5Z'),
    tlv(4, Buffer.from('491231235959Z')),
    Buffer.alloc(0),
  ];
  for (const der of refused) {
    t.throws(() => new DerReader(der).time('time'), MalformedCertificate, der.toString('latin1'));
  }
});

void t.test('hostile bytes end in MalformedCertificate or are read, and nothing past them is', async (t) => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 64 }),
    fc
      .uint8Array({ maxLength: 40 })
      .map((content) => Buffer.concat([Buffer.of(0x30), encodeLength(content.length), content])),
  );
  const walk = (reader: DerReader): void => {
    while (!reader.done) {
      reader.next();
      if (reader.contentEnd > reader.bytes.length) throw new Error('read past the end');
      if ((reader.tag & 0x20) !== 0) walk(new DerReader(reader.content()));
    }
  };
  fc.assert(
    fc.property(bytes, (der) => {
      try {
        walk(new DerReader(der));
      } catch (error) {
        if (!(error instanceof MalformedCertificate)) throw error;
      }
    }),
    { numRuns: 2000 },
  );
  t.pass();
});

import t from 'tap';
import { attributeType, attributeTypeName, attributeTypeNames } from '../../src/tls/attribute-type.ts';

void t.test(
  'an attribute type is known by short name, long name or number, in any letter case',
  async (t) => {
    const table: Record<string, string> = {
      CN: '2.5.4.3',
      cn: '2.5.4.3',
      commonName: '2.5.4.3',
      SN: '2.5.4.4',
      serialNumber: '2.5.4.5',
      ST: '2.5.4.8',
      S: '2.5.4.8',
      OU: '2.5.4.11',
      organizationalunitname: '2.5.4.11',
      emailAddress: '1.2.840.113549.1.9.1',
      E: '1.2.840.113549.1.9.1',
      UID: '0.9.2342.19200300.100.1.1',
      DC: '0.9.2342.19200300.100.1.25',
      jurisdictionC: '1.3.6.1.4.1.311.60.2.1.3',
      OGRN: '1.2.643.100.1',
      '2.5.4.11': '2.5.4.11',
      '1.3.6.1.4.1.99999.1': '1.3.6.1.4.1.99999.1',
    };
    for (const [text, oid] of Object.entries(table)) t.equal(attributeType(text), oid, text);
    for (const name of attributeTypeNames) t.not(attributeType(name), null, name);
  },
);

void t.test('what is no attribute type is none', async (t) => {
  for (const text of [
    '',
    'XX',
    'rsaEncryption',
    'constructor',
    '2.5.4.',
    '2',
    '3.1',
    '1.40',
    '2.5.04.3',
    '2.5.4.3 ',
    'Ｃ',
  ]) {
    t.equal(attributeType(text), null, text);
  }
});

void t.test('a type is called by its short name, else by its numbers', async (t) => {
  t.equal(attributeTypeName('2.5.4.11'), 'OU');
  t.equal(attributeTypeName('1.2.3.4'), '1.2.3.4');
});

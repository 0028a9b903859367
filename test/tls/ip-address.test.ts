import { isIP } from 'node:net';
import * as fc from 'fast-check';
import t from 'tap';
import { formatIpAddress, parseIpAddress, plainAddress } from '../../src/tls/ip-address.ts';

void t.test('an IPv6 address has one text, RFC 5952’s', async (t) => {
  const texts: Record<string, string> = {
    '2001:0db8:0000:0000:0000:0000:0002:0001': '2001:db8::2:1',
    '2001:db8:0:1:1:1:1:1': '2001:db8:0:1:1:1:1:1',
    '2001:0:0:1:0:0:0:1': '2001:0:0:1::1',
    '2001:db8:0:0:1:0:0:1': '2001:db8::1:0:0:1',
    '0:0:0:0:0:0:0:0': '::',
    '::1': '::1',
    '1::': '1::',
    'ABCD::EF01': 'abcd::ef01',
    '::FFFF:192.0.2.1': '::ffff:192.0.2.1',
    '::ffff:c000:201': '::ffff:192.0.2.1',
    '64:ff9b::192.0.2.33': '64:ff9b::c000:221',
    '1:2:3:4:5:6:7::': '1:2:3:4:5:6:7:0',
  };
  for (const [written, canonical] of Object.entries(texts)) {
    t.equal(formatIpAddress(parseIpAddress(written)!), canonical, written);
  }
});

void t.test('what is almost an address is none', async (t) => {
  const refused = [
    '',
    '.',
    ':',
    ':::',
    '1',
    '1.2.3',
    '1.2.3.4.5',
    '01.2.3.4',
    '1.2.3.256',
    '1.2.3.-4',
    '1.2.3.4 ',
    '0x1.2.3.4',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '::1.2.3',
    '1.2.3.4::',
    '::12345',
    'fe80::1%eth0',
    '[::1]',
    '1:2:3:4:5:6:7:',
    ':1:2:3:4:5:6:7',
    '١.2.3.4',
  ];
  for (const text of refused) t.equal(parseIpAddress(text), null, text);
});

void t.test('octets become text and text the same octets', async (t) => {
  const octet = fc.oneof(fc.constant(0), fc.nat(255));
  fc.assert(
    fc.property(
      fc.oneof(...[4, 16].map((length) => fc.array(octet, { minLength: length, maxLength: length }))),
      (octets) => {
        const text = formatIpAddress(Uint8Array.from(octets))!;
        return isIP(text) !== 0 && Buffer.compare(parseIpAddress(text)!, Buffer.from(octets)) === 0;
      },
    ),
  );
  t.equal(formatIpAddress(new Uint8Array(5)), null);
});

void t.test('a text is an address exactly where Node says so, zones apart', async (t) => {
  const text = fc.oneof(
    fc.string({ unit: fc.constantFrom(...Array.from('0123456789abcdefF:.%g')) }),
    fc.ipV4(),
    fc.ipV6(),
    fc
      .tuple(fc.ipV6(), fc.nat(40), fc.constantFrom('', ':', '.', '0'))
      .map(([ip, at, put]) => ip.slice(0, at) + put + ip.slice(at + 1)),
  );
  fc.assert(
    fc.property(
      text,
      (text) => (parseIpAddress(text) !== null) === (isIP(text) !== 0 && !text.includes('%')),
    ),
    { numRuns: 3000 },
  );
  t.pass();
});

void t.test('an address is written as nginx writes it', async (t) => {
  const texts: Record<string, string> = {
    '192.0.2.9': '192.0.2.9',
    '::ffff:192.0.2.9': '192.0.2.9',
    '::FFFF:c000:209': '192.0.2.9',
    '::fffe:192.0.2.9': '::fffe:c000:209',
    '2001:db8::1': '2001:db8::1',
    'fe80::1%eth0': 'fe80::1',
    '': '',
    nowhere: 'nowhere',
  };
  for (const [address, plain] of Object.entries(texts)) t.equal(plainAddress(address), plain, address);
});

import { BlockList } from 'node:net';
import * as fc from 'fast-check';
import t from 'tap';
import { AddressRanges, formatCidr, isWithin, parseCidr } from '../../src/tls/cidr.ts';
import { parseIpAddress } from '../../src/tls/ip-address.ts';

const ranges = (...texts: string[]): AddressRanges =>
  new AddressRanges(texts.map((text) => parseCidr(text)!));

void t.test('a range is written as nginx takes it', async (t) => {
  const texts: Record<string, string> = {
    '10.0.0.0/8': '10.0.0.0/8',
    '10.1.2.3/8': '10.0.0.0/8',
    '192.0.2.1': '192.0.2.1/32',
    '0.0.0.0/0': '0.0.0.0/0',
    '2001:DB8::1/33': '2001:db8::/33',
    '::1': '::1/128',
    '::ffff:10.0.0.0/104': '10.0.0.0/8',
    '::ffff:10.0.0.1': '10.0.0.1/32',
    '::/0': '::/0',
  };
  for (const [text, canonical] of Object.entries(texts))
    t.equal(formatCidr(parseCidr(text)!), canonical, text);
  t.equal(parseCidr('10.1.2.3/8')!.hasHostBits, true);
  t.equal(parseCidr('10.0.0.0/8')!.hasHostBits, false);
});

void t.test('what is almost a range is none', async (t) => {
  const refused = [
    '',
    '/',
    '10.0.0.0/',
    '10.0.0.0/33',
    '10.0.0.0/08',
    '10.0.0.0/-1',
    '10.0.0/8',
    '::/129',
    'a/8',
    '::1%lo',
  ];
  for (const text of [...refused, '10.0.0.0/8/8', ' 10.0.0.0/8']) t.equal(parseCidr(text), null, text);
});

void t.test('nothing is in no range, and no text is an address by accident', async (t) => {
  t.equal(ranges().contains('10.0.0.1'), false);
  for (const text of ['', 'all', '10.0.0', '::ffff:'])
    t.equal(ranges('0.0.0.0/0', '::/0').contains(text), false, text);
  t.equal(ranges('10.0.0.0/8').contains('::ffff:10.0.0.1'), true, 'mapped IPv4 is IPv4');
  t.equal(ranges('::/0').contains('10.0.0.1'), false, 'IPv4 and IPv6 stay apart');
});

void t.test('one range by itself takes an address for the kind that it is', async (t) => {
  const within = (range: string, address: string): boolean =>
    isWithin(parseCidr(range)!, parseIpAddress(address)!);
  t.equal(within('10.0.0.0/8', '10.255.0.1'), true);
  t.equal(within('10.0.0.0/9', '10.128.0.0'), false);
  t.equal(within('0.0.0.0/0', '203.0.113.9'), true);
  t.equal(within('0.0.0.0/0', '::ffff:10.0.0.1'), false, 'mapped IPv4 is IPv6');
  t.equal(within('::/0', '10.0.0.1'), false);
  t.equal(within('2001:db8::/33', '2001:db8:7fff::1'), true);
  t.equal(within('2001:db8::/33', '2001:db8:8000::1'), false);
});

void t.test('agrees with node’s own list of ranges', async () => {
  const octet = fc.constantFrom(0, 1, 127, 128, 192, 255);
  const ipv4 = fc.tuple(octet, octet, octet, octet).map((octets) => octets.join('.'));
  const group = fc.constantFrom('0', '1', '8000', 'ffff', '2001');
  const ipv6 = fc.array(group, { minLength: 8, maxLength: 8 }).map((groups) => groups.join(':'));
  const cases = fc.oneof(
    fc.record({ base: fc.constant(ipv4), bits: fc.nat(32), family: fc.constant('ipv4' as const) }),
    fc.record({ base: fc.constant(ipv6), bits: fc.nat(128), family: fc.constant('ipv6' as const) }),
  );
  fc.assert(
    fc.property(
      cases.chain(({ base, bits, family }) => fc.tuple(base, base, fc.constant({ bits, family }))),
      ([network, address, { bits, family }]) => {
        const list = new BlockList();
        list.addSubnet(network, bits, family);
        return ranges(`${network}/${bits}`).contains(address) === list.check(address, family);
      },
    ),
    { numRuns: 2000 },
  );
});

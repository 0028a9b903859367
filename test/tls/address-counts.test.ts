import t from 'tap';
import { AddressCounts, addressKey } from '../../src/tls/address-counts.ts';

void t.test('an address has as many as its limit says, and no more until one is given back', (t) => {
  const counts = new AddressCounts();
  const first = counts.take('192.0.2.1', 2);
  t.ok(first);
  t.ok(counts.take('192.0.2.1', 2));
  t.equal(counts.take('192.0.2.1', 2), null);
  t.ok(counts.take('192.0.2.2', 2), 'another address is not in its way');
  first!();
  first!();
  t.ok(counts.take('192.0.2.1', 2), 'one is free');
  t.equal(counts.take('192.0.2.1', 2), null, 'and only one, however often it was given back');
  t.end();
});

void t.test('the table forgets an address that has none', (t) => {
  const counts = new AddressCounts();
  const held = Array.from({ length: 1000 }, (_, index) =>
    counts.take(`10.0.${index >> 8}.${index & 255}`, 1),
  );
  t.equal(counts.size, 1000);
  for (const release of held) release!();
  t.equal(counts.size, 0);
  t.equal(counts.take('192.0.2.1', 0), null);
  t.equal(counts.size, 0, 'one that got nothing is not in it');
  t.end();
});

void t.test('IPv6 clients are one by /64, however they are written', (t) => {
  const key = addressKey('2001:db8:1:2::1');
  for (const same of ['2001:db8:1:2:ffff:ffff:ffff:ffff', '2001:0DB8:1:2::', '2001:db8:1:2::1%eth0'])
    t.equal(addressKey(same), key, same);
  for (const other of ['2001:db8:1:3::1', '2001:db8::1', '::1']) t.not(addressKey(other), key, other);
  t.equal(addressKey('::ffff:192.0.2.1'), '192.0.2.1', 'mapped IPv4 is IPv4, and not all in one /64');
  t.equal(addressKey('::ffff:c000:201'), '192.0.2.1');
  t.equal(addressKey(''), addressKey('nonsense'));
  t.end();
});

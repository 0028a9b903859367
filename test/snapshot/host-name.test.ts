import * as fc from 'fast-check';
import t from 'tap';
import { normaliseHostName, splitAuthority, wildcardParent } from '../../src/snapshot/host-name.ts';

const long = (length: number): string => 'a'.repeat(length);
const name253 = [long(63), long(63), long(63), long(61)].join('.');

void t.test('every spelling of a name has one normal form', async (t) => {
  for (const [text, expected] of [
    ['b.test', 'b.test'],
    ['B.TeST', 'b.test'],
    ['b.test.', 'b.test'],
    ['localhost', 'localhost'],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
    ['_acme.b.test', '_acme.b.test'],
    ['a_b.test', 'a_b.test'],
    ['1a.2b', '1a.2b'],
    ['1.a', '1.a'],
    [long(63), long(63)],
    [name253, name253],
    [`${name253}.`, name253],
    ['127.0.0.1', '127.0.0.1'],
    ['127.0.0.1.', '127.0.0.1'],
    ['255.255.255.255', '255.255.255.255'],
    ['[::1]', '::1'],
    ['::1', '::1'],
    ['[2001:DB8:0:0::0:1]', '2001:db8::1'],
    ['[2001:0db8:0:0:1:0:0:1]', '2001:db8::1:0:0:1'],
    ['[::ffff:192.0.2.1]', '::ffff:192.0.2.1'],
    ['[::ffff:c000:0201]', '::ffff:192.0.2.1'],
  ] as const) {
    t.equal(normaliseHostName(text), expected, text);
  }
});

void t.test('what is no host name is refused, not repaired', async (t) => {
  for (const text of [
    '',
    '.',
    'b.test..',
    '.b.test',
    'b..test',
    '-b.test',
    'b-.test',
    'b.-test',
    '*.test',
    'b.test:443',
    'user@b.test',
    'b test',
    ' b.test',
    'b.test\t',
    'b.test\n',
    'b.test\0',
    'a,b',
    'b/test',
    'b%2etest',
    'bücher.example',
    '\u212A.test',
    '\u017Fales.test',
    'b\u3002test',
    long(64),
    `a${name253}`,
    `${name253}a.`,
    '127.1',
    '127.0.0.01',
    '127.0.0.256',
    '0x7f.0.0.1',
    '0x7f000001',
    '2130706433',
    '1.2.3.4.5',
    'b.test.1',
    'b.test.0x',
    '[::1',
    '::1]',
    '[]',
    '[b.test]',
    '[127.0.0.1]',
    '[::1]x',
    '[fe80::1%25eth0]',
    'fe80::1%eth0',
    '[::1\t]',
    '1::2::3',
    '[::12345]',
    ':',
  ]) {
    t.equal(normaliseHostName(text), null, JSON.stringify(text));
  }
});

void t.test('normalising twice is normalising once', async () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: fc.constantFrom(...'aB1-_.:[]0x'.split('')) }),
    fc.domain(),
    fc.ipV4(),
    fc.ipV6(),
    fc.ipV6().map((address) => `[${address}]`),
  );
  fc.assert(
    fc.property(text, (text) => {
      const once = normaliseHostName(text);
      return once === null || (normaliseHostName(once) === once && /^[a-z0-9._:-]{1,253}$/.test(once));
    }),
  );
});

void t.test('capitals and a trailing dot never make another host', async () => {
  fc.assert(
    fc.property(fc.domain(), (name) => {
      const normal = normaliseHostName(name);
      return (
        normal === normaliseHostName(name.toUpperCase()) &&
        (name.length > 253 || normal === normaliseHostName(`${name}.`))
      );
    }),
  );
});

void t.test('an authority is a host and perhaps a port', async (t) => {
  for (const [text, host, port] of [
    ['b.test', 'b.test', null],
    ['B.test.:8443', 'b.test', 8443],
    ['b.test:443', 'b.test', 443],
    ['[::1]', '::1', null],
    ['[::1]:1', '::1', 1],
    ['127.0.0.1:65535', '127.0.0.1', 65535],
  ] as const) {
    t.strictSame(splitAuthority(text), { host, port }, text);
  }
});

void t.test('an authority that could be read two ways is refused', async (t) => {
  for (const text of [
    '',
    ':443',
    'b.test:',
    'b.test:0',
    'b.test:65536',
    'b.test:000443',
    'b.test:+443',
    'b.test:4 3',
    'b.test:https',
    'b.test:443:443',
    'user@b.test',
    'user:pass@b.test',
    'b.test@evil.test',
    '::1',
    '::1:443',
    '[::1',
    '[::1]443',
    '[b.test]:443',
    'b.test/x',
    'b.test?x',
    'b.test#x',
    'b.test\\x',
    'b.test, c.test',
    'b.test:443\n',
    'b.test ',
  ]) {
    t.equal(splitAuthority(text), null, JSON.stringify(text));
  }
});

void t.test('a wildcard covers exactly one label', async (t) => {
  t.equal(wildcardParent('a.b.test'), 'b.test');
  t.equal(wildcardParent('x.a.b.test'), 'a.b.test');
  t.equal(wildcardParent('b.test'), 'test');
  t.equal(wildcardParent('localhost'), null);
  t.equal(wildcardParent('10.0.0.1'), null, 'an IPv4 address has no labels');
  t.equal(wildcardParent('2001:db8::1'), null);
});

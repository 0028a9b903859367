import * as fc from 'fast-check';
import t from 'tap';
import { crc32c } from '../../src/tls/crc32c.ts';
import { readProxyHeader } from '../../src/tls/proxy-protocol.ts';

const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');

/** A header of version 2: command, family, and what follows. */
function binary(command: number, family: number, rest: Buffer): Buffer {
  const fixed = Buffer.from([command, family, rest.length >> 8, rest.length & 255]);
  return Buffer.concat([signature, fixed, rest]);
}

const tcp4 = Buffer.from('c0000201c0000202dc0401bb', 'hex');
const tcp6 = Buffer.from('20010db800000000000000000000000120010db8000000000000000000000002dc0401bb', 'hex');
const mapped = Buffer.from(`00000000000000000000ffffc0000201${'00'.repeat(16)}dc0401bb`, 'hex');

function extension(type: number, value: Buffer): Buffer {
  return Buffer.concat([Buffer.from([type, value.length >> 8, value.length & 255]), value]);
}

function withChecksum(header: Buffer, wrong = 0): Buffer {
  const bytes = Buffer.from(header);
  bytes.writeUInt32BE((crc32c(header) ^ wrong) >>> 0, header.length - 4);
  return bytes;
}

const client4 = { address: '192.0.2.1', port: 56324 };
const client6 = { address: '2001:db8::1', port: 56324 };
const zeroChecksum = extension(3, Buffer.alloc(4));

const good: Record<string, [Buffer, object | null]> = {
  'version 1, IPv4': [Buffer.from('PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n'), client4],
  'version 1, IPv6': [Buffer.from('PROXY TCP6 2001:DB8:0::1 2001:db8::2 56324 443\r\n'), client6],
  'version 1, IPv4 in IPv6': [Buffer.from('PROXY TCP6 ::ffff:192.0.2.1 ::1 56324 443\r\n'), client4],
  'version 1, unknown': [Buffer.from('PROXY UNKNOWN\r\n'), null],
  'version 1, unknown with anything': [Buffer.from('PROXY UNKNOWN 6.6.6.6 x  y 99999\r\n'), null],
  'version 2, IPv4': [binary(0x21, 0x11, tcp4), client4],
  'version 2, IPv6': [binary(0x21, 0x21, tcp6), client6],
  'version 2, IPv4 in IPv6': [binary(0x21, 0x21, mapped), client4],
  'version 2, of the proxy itself': [binary(0x20, 0, Buffer.alloc(0)), null],
  'version 2, of the proxy itself, addresses and all': [binary(0x20, 0x11, tcp4), null],
  'version 2, of an unspecified family': [binary(0x21, 0, Buffer.from('whatever')), null],
  'version 2, of a Unix socket': [binary(0x21, 0x31, Buffer.alloc(216)), null],
  'version 2, extensions': [
    binary(
      0x21,
      0x11,
      Buffer.concat([tcp4, extension(1, Buffer.from('h2')), extension(0x30, Buffer.alloc(0))]),
    ),
    client4,
  ],
  'version 2, a checksum that holds': [
    withChecksum(binary(0x21, 0x11, Buffer.concat([tcp4, zeroChecksum]))),
    client4,
  ],
};

void t.test('a header says for whom the proxy connects', async (t) => {
  for (const [name, [bytes, source]] of Object.entries(good))
    t.same(readProxyHeader(bytes), { status: 'header', length: bytes.length, source }, name);
});

void t.test('what follows the header is not looked at', async (t) => {
  fc.assert(
    fc.property(fc.constantFrom(...Object.values(good)), fc.uint8Array(), ([bytes], more) => {
      const result = readProxyHeader(Buffer.concat([bytes, more]));
      return result.status === 'header' && result.length === bytes.length;
    }),
  );
  const [bytes] = good['version 1, IPv4']!;
  const twice = Buffer.concat([bytes, Buffer.from('PROXY TCP4 6.6.6.6 6.6.6.6 6 6\r\n')]);
  t.match(
    readProxyHeader(twice),
    { length: bytes.length, source: client4 },
    'the first header is the only one',
  );
});

void t.test('however it is cut, a header reads the same, and asks for no byte behind its end', async (t) => {
  for (const [name, [bytes]] of Object.entries(good)) {
    for (let length = 0; length < bytes.length; length++) {
      const result = readProxyHeader(bytes.subarray(0, length));
      if (result.status !== 'incomplete') t.fail(`${name}: ${result.status} at ${length}`);
      else if (result.needs <= length || result.needs > bytes.length)
        t.fail(`${name}: needs ${result.needs} at ${length}`);
    }
  }
});

void t.test('what is not exactly a header is refused', async (t) => {
  const lines = [
    'GET / HTTP/1.1\r\n',
    'PROXY\r\n',
    'PROXY  TCP4 192.0.2.1 192.0.2.2 56324 443\r\n',
    'proxy TCP4 192.0.2.1 192.0.2.2 56324 443\r\n',
    'PROXY TCP4 192.0.2.1 192.0.2.2 56324 443 \r\n',
    'PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\n',
    'PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\r\n',
    'PROXY TCP4 192.0.2.1 192.0.2.2 56324\r\n',
    'PROXY TCP4 192.0.2.1 192.0.2.2 56324 443 1\r\n',
    'PROXY TCP4 192.0.2.1 192.0.2.2 65536 443\r\n',
    'PROXY TCP4 192.0.2.1 192.0.2.2 056324 443\r\n',
    'PROXY TCP4 192.0.2.1 192.0.2.2 -1 443\r\n',
    'PROXY TCP4 192.0.2.1 192.0.2.2 1e3 443\r\n',
    'PROXY TCP4 192.0.2.1 192.0.2.2 56324 4430000\r\n',
    'PROXY TCP4 192.0.02.1 192.0.2.2 56324 443\r\n',
    'PROXY TCP4 192.0.2.256 192.0.2.2 56324 443\r\n',
    'PROXY TCP4 192.0.2.1 nowhere 56324 443\r\n',
    'PROXY TCP4 2001:db8::1 2001:db8::2 56324 443\r\n',
    'PROXY TCP6 192.0.2.1 192.0.2.2 56324 443\r\n',
    'PROXY TCP6 fe80::1%eth0 2001:db8::2 56324 443\r\n',
    'PROXY UDP4 192.0.2.1 192.0.2.2 56324 443\r\n',
    'PROXY UNKNOWN\n',
    'PROXY UNKNOWNS\r\n',
    `PROXY UNKNOWN ${'x'.repeat(92)}\r\n`,
  ];
  for (const line of lines)
    t.equal(readProxyHeader(Buffer.from(line)).status, 'malformed', JSON.stringify(line));
  const headers: Record<string, Buffer> = {
    'version 1 of the binary form': binary(0x11, 0x11, tcp4),
    'an unknown command': binary(0x22, 0x11, tcp4),
    UDP: binary(0x21, 0x12, tcp4),
    'UDP over IPv6': binary(0x21, 0x22, tcp6),
    'a Unix datagram': binary(0x21, 0x32, Buffer.alloc(216)),
    'a family without transport': binary(0x21, 0x10, tcp4),
    'an unknown family': binary(0x21, 0x41, tcp4),
    'addresses cut short': binary(0x21, 0x21, tcp4),
    'a length past the bound': binary(0x21, 0x11, Buffer.alloc(4081)),
    'an extension cut short': binary(0x21, 0x11, Buffer.concat([tcp4, Buffer.from([4, 0, 9, 1])])),
    'half an extension': binary(0x21, 0x11, Buffer.concat([tcp4, Buffer.from([4])])),
    'a checksum that is wrong': withChecksum(binary(0x21, 0x11, Buffer.concat([tcp4, zeroChecksum])), 1),
    'a checksum of no checksum’s length': binary(
      0x21,
      0x11,
      Buffer.concat([tcp4, extension(3, Buffer.alloc(3))]),
    ),
    'two checksums': binary(0x21, 0x11, Buffer.concat([tcp4, zeroChecksum, zeroChecksum])),
    'a signature that ends otherwise': Buffer.concat([signature.subarray(0, 11), Buffer.from('X')]),
  };
  for (const [name, bytes] of Object.entries(headers))
    t.equal(readProxyHeader(bytes).status, 'malformed', name);
});

void t.test('an endless header is refused at its bound, not waited for', async (t) => {
  t.equal(readProxyHeader(Buffer.from('PROXY UNKNOWN '.padEnd(106, 'x'))).status, 'incomplete');
  t.equal(readProxyHeader(Buffer.from('PROXY UNKNOWN '.padEnd(107, 'x'))).status, 'malformed');
  const endless = Buffer.concat([signature, Buffer.from([0x21, 0x11, 0xff, 0xff])]);
  t.equal(readProxyHeader(endless).status, 'malformed', 'by its length alone');
});

void t.test('random bytes never throw, and wait only below the bound', async () => {
  const start = fc.constantFrom(
    Buffer.alloc(0),
    Buffer.from('PROXY '),
    Buffer.from('PROXY TCP4 1.2.3.4 '),
    signature,
  );
  fc.assert(
    fc.property(start, fc.uint8Array({ maxLength: 300 }), (start, rest) => {
      const result = readProxyHeader(Buffer.concat([start, rest]));
      return result.status !== 'incomplete' || result.needs <= 4096;
    }),
    { numRuns: 2000 },
  );
});

void t.test('the checksum is Castagnoli’s', async (t) => {
  // RFC 3720 appendix B.4.
  t.equal(crc32c(Buffer.alloc(32)), 0x8a9136aa);
  t.equal(crc32c(Buffer.alloc(32, 0xff)), 0x62a8ab43);
  t.equal(crc32c(Buffer.from('123456789')), 0xe3069283);
});

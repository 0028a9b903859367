import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import t from 'tap';
import { maxHelloBytes, readClientHello } from '../../src/tls/client-hello.ts';
import { readOffer } from '../../src/tls/client-offer.ts';
import { ja4 } from '../../src/tls/ja4.ts';
import { realHello } from '../support/hello.ts';

/** Cuts the handshake message of a single record into records of the given size. */
function inRecordsOf(hello: Buffer, size: number): Buffer {
  const message = hello.subarray(5);
  const parts: Buffer[] = [];
  for (let at = 0; at < message.length; at += size) {
    const part = message.subarray(at, at + size);
    parts.push(Buffer.from([22, 3, 1, part.length >> 8, part.length & 0xff]), part);
  }
  return Buffer.concat(parts);
}

/** A ClientHello made by hand, with the extensions given as raw bytes. */
function helloWith(extensions: readonly Buffer[], padding = 0): Buffer {
  const pad = padding === 0 ? [] : [extension(21, Buffer.alloc(padding))];
  const list = Buffer.concat([...extensions, ...pad]);
  const body = Buffer.concat([
    Buffer.from([3, 3]),
    Buffer.alloc(32, 7),
    Buffer.from([0, 0, 2, 0x13, 0x01, 1, 0]),
    uint16(list.length),
    list,
  ]);
  const message = Buffer.concat([Buffer.from([1, 0]), uint16(body.length), body]);
  return inRecordsOf(Buffer.concat([Buffer.alloc(5), message]), 16_384);
}

function uint16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}

function extension(type: number, body: Buffer): Buffer {
  return Buffer.concat([uint16(type), uint16(body.length), body]);
}

function serverName(name: string): Buffer {
  const bytes = Buffer.from(name, 'latin1');
  const entry = Buffer.concat([Buffer.from([0]), uint16(bytes.length), bytes]);
  return extension(0, Buffer.concat([uint16(entry.length), entry]));
}

await t.test('reads the server name of a real hello, and all that it offers', async (t) => {
  const bytes = await realHello({ servername: 'In.Logpoint.com.np', ALPNProtocols: ['http/1.1', 'h2'] });
  const result = readClientHello(bytes);
  if (result.status !== 'hello') throw new Error(result.status);
  const { hello } = result;
  t.equal(hello.serverName, 'In.Logpoint.com.np');
  const offer = readOffer(hello);
  t.match(offer, { versions: [0x0304, 0x0303], alpn: ['http/1.1', 'h2'] });
  t.ok(offer.signatureAlgorithms.includes(0x0403));
  t.match(ja4(hello, offer), /^t13d\d{4}h1_[0-9a-f]{12}_[0-9a-f]{12}$/);
});

await t.test('a hello without server name, or for TLS 1.2 only, says so', async (t) => {
  const result = readClientHello(await realHello({ maxVersion: 'TLSv1.2' }));
  if (result.status !== 'hello') throw new Error(result.status);
  t.equal(result.hello.serverName, null);
  const offer = readOffer(result.hello);
  t.match(offer, { versions: [0x0303], alpn: [] });
  t.match(ja4(result.hello, offer), /^t12i\d{4}00_/);
});

await t.test('however a hello is cut over records, it reads the same (CVE-2026-32305)', async (t) => {
  const bytes = await realHello({ servername: 'b.test' });
  const whole = readClientHello(bytes);
  for (const size of [1, 2, 3, 4, 5, 100, 16_384])
    t.same(readClientHello(inRecordsOf(bytes, size)), whole, `${size}`);
});

await t.test('every shorter run of its bytes is incomplete, never another answer', async (t) => {
  const bytes = inRecordsOf(await realHello({ servername: 'b.test' }), 50);
  for (let length = 0; length < bytes.length; length++) {
    const result = readClientHello(bytes.subarray(0, length));
    if (result.status !== 'incomplete') t.fail(`${length} bytes gave ${result.status}`);
    else if (result.needs <= length || result.needs > bytes.length)
      t.fail(`${length} bytes need ${result.needs}`);
  }
  t.equal(readClientHello(bytes).status, 'hello');
});

await t.test('bytes that follow the hello do not change it', async (t) => {
  const bytes = await realHello({ servername: 'b.test' });
  t.same(readClientHello(Buffer.concat([bytes, Buffer.alloc(300, 0xff)])), readClientHello(bytes));
});

await t.test('a hello past 16 KiB, as post-quantum key shares make it, is read', async (t) => {
  const bytes = helloWith([serverName('pq.test')], 40_000);
  t.match(readClientHello(bytes), { status: 'hello', hello: { serverName: 'pq.test' } });
});

await t.test('a hello that never ends is refused at the limit', async (t) => {
  const endless = Buffer.concat([Buffer.from([22, 3, 1, 0x40, 0, 1, 0, 0xff, 0xff]), Buffer.alloc(16_380)]);
  const bytes = Buffer.concat([endless, ...Array(4).fill(inRecordsOf(Buffer.alloc(16_389), 16_384))]);
  t.ok(bytes.length > maxHelloBytes);
  t.equal(readClientHello(bytes).status, 'malformed');
});

await t.test('plain HTTP is told from TLS by its first byte', async (t) => {
  t.equal(readClientHello(Buffer.from('GET / HTTP/1.1\r\n\r\n')).status, 'not_tls');
});

await t.test('what could be read two ways is malformed', async (t) => {
  const twoNames = Buffer.concat([
    Buffer.from([0]),
    uint16(1),
    Buffer.from('a'),
    Buffer.from([0]),
    uint16(1),
    Buffer.from('b'),
  ]);
  const cases: Record<string, Buffer> = {
    'two server_name extensions': helloWith([serverName('a.test'), serverName('b.test')]),
    'two names in one extension': helloWith([
      extension(0, Buffer.concat([uint16(twoNames.length), twoNames])),
    ]),
    'an empty server name': helloWith([serverName('')]),
    'a name of another type': helloWith([extension(0, Buffer.from([0, 4, 1, 0, 1, 0x61]))]),
    'bytes behind the name list': helloWith([extension(0, Buffer.from([0, 4, 0, 0, 1, 0x61, 0x62]))]),
    'a name longer than DNS has': helloWith([serverName('a'.repeat(256))]),
    'a message that is no ClientHello': Buffer.from([22, 3, 1, 0, 4, 2, 0, 0, 0]),
    'an empty record': Buffer.from([22, 3, 1, 0, 0]),
    'an application-data record within': Buffer.from([22, 3, 1, 0, 1, 1, 23, 3, 3, 0, 1, 0]),
  };
  for (const [name, bytes] of Object.entries(cases))
    t.equal(readClientHello(bytes).status, 'malformed', name);
});

await t.test('mutated hellos always get an answer', async (t) => {
  const bytes = await realHello({ servername: 'b.test', ALPNProtocols: ['http/1.1'] });
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }),
      fc.nat(bytes.length),
      (changes, length) => {
        const mutated = Buffer.from(bytes);
        for (const [at, value] of changes) mutated[at] = value;
        readClientHello(mutated.subarray(0, length));
        const whole = readClientHello(mutated);
        if (whole.status !== 'hello') return;
        const print = ja4(whole.hello, readOffer(whole.hello));
        assert.match(print, /^t(?:\d\d|s[23])[di]\d{4}[0-9A-Za-z]{2}_[0-9a-f]{12}_[0-9a-f]{12}$/);
      },
    ),
    { numRuns: 3000 },
  );
  t.pass('no exception');
});

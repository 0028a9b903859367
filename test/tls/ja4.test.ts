import t from 'tap';
import type { ClientHello } from '../../src/tls/client-hello.ts';
import { readOffer } from '../../src/tls/client-offer.ts';
import { ja4 } from '../../src/tls/ja4.ts';

const codes = (text: string): Buffer => Buffer.from(text.replaceAll(',', ''), 'hex');

/** A vector behind its length in `size` bytes. */
function list(size: 1 | 2, bytes: Buffer): Buffer {
  const length = Buffer.alloc(size);
  length.writeUIntBE(bytes.length, 0, size);
  return Buffer.concat([length, bytes]);
}

const alpn = (...names: Buffer[]): Buffer => list(2, Buffer.concat(names.map((name) => list(1, name))));

interface Offered {
  readonly ciphers?: string;
  /** Types, hex, as sent; their bodies are empty but for those below. */
  readonly extensions?: string;
  readonly algorithms?: string;
  readonly alpn?: readonly Buffer[];
  readonly versions?: string;
  readonly legacyVersion?: number;
}

function helloOf(offered: Offered): ClientHello {
  const extensions = new Map<number, Buffer>();
  const types = codes(offered.extensions ?? '');
  for (let at = 0; at < types.length; at += 2) extensions.set(types.readUInt16BE(at), Buffer.alloc(0));
  if (offered.algorithms !== undefined) extensions.set(13, list(2, codes(offered.algorithms)));
  if (offered.alpn !== undefined) extensions.set(16, alpn(...offered.alpn));
  if (offered.versions !== undefined) extensions.set(43, list(1, codes(offered.versions)));
  return {
    serverName: null,
    legacyVersion: offered.legacyVersion ?? 0x0303,
    cipherSuites: codes(offered.ciphers ?? ''),
    extensions,
  };
}

function print(offered: Offered): string {
  const hello = helloOf(offered);
  return ja4(hello, readOffer(hello));
}

/** The browser of the specification's example. */
const browser: Offered = {
  ciphers: '1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8,c013,c014,009c,009d,002f,0035',
  extensions: '001b,0000,0033,0010,4469,0017,002d,000d,0005,0023,0012,002b,ff01,000b,000a,0015',
  algorithms: '0403,0804,0401,0503,0805,0501,0806,0601',
  alpn: [Buffer.from('h2'), Buffer.from('http/1.1')],
  versions: '0304,0303',
};

void t.test('the example of the specification', (t) => {
  t.equal(print(browser), 't13d1516h2_8daaf6152771_e5627efa2ab1');
  t.end();
});

void t.test('a later browser’s, with other extensions', (t) => {
  const extensions = browser.extensions!.replace('4469', '44cd').replace('0015', 'fe0d');
  t.equal(print({ ...browser, extensions }), 't13d1516h2_8daaf6152771_d8a2da3f94cd');
  t.end();
});

void t.test('GREASE counts nowhere: wherever a client puts it, the fingerprint is the same', (t) => {
  const greased = {
    ciphers: `3a3a,${browser.ciphers!}`,
    extensions: `caca,${browser.extensions!},1a1a`,
    algorithms: `0a0a,${browser.algorithms!}`,
    alpn: browser.alpn!,
    versions: `fafa,${browser.versions!}`,
  };
  t.equal(print(greased), print(browser));
  t.same(readOffer(helloOf(greased)), readOffer(helloOf(browser)));
  t.end();
});

void t.test('the order of ciphers and extensions does not count, that of signature algorithms does', (t) => {
  const reversed = (text: string): string => text.split(',').reverse().join(',');
  const shuffled = {
    ...browser,
    ciphers: reversed(browser.ciphers!),
    extensions: reversed(browser.extensions!),
  };
  t.equal(print(shuffled), print(browser));
  const otherwise = { ...browser, algorithms: reversed(browser.algorithms!) };
  t.not(print(otherwise), print(browser));
  t.equal(print(otherwise).slice(0, -12), print(browser).slice(0, -12));
  t.end();
});

void t.test('without signature algorithms the extensions stand alone', (t) => {
  const { ciphers, extensions, versions, alpn } = browser as Required<Offered>;
  const without = { ciphers, extensions, versions, alpn };
  t.match(print(without), /_6d807ffa2a79$/, 'the specification’s value');
  t.end();
});

void t.test('where there is nothing, zeros say so', (t) => {
  t.equal(print({}), 't12i000000_000000000000_000000000000');
  t.equal(print({ extensions: '0000' }), 't12d000100_000000000000_000000000000');
  t.end();
});

void t.test('counts stop at 99', (t) => {
  const many = Array.from({ length: 120 }, (_, code) => code.toString(16).padStart(4, '0')).join(',');
  t.match(print({ ciphers: many, extensions: many }), /^t\d\dd9999/);
  t.end();
});

void t.test('the version is the highest one offered, wherever it stands', (t) => {
  const table: readonly [Offered, string][] = [
    [{ versions: '0303,0304' }, '13'],
    [{ versions: '0301,0302' }, '11'],
    [{ versions: '0304', legacyVersion: 0x0301 }, '13'],
    [{ legacyVersion: 0x0303 }, '12'],
    [{ legacyVersion: 0x0301 }, '10'],
    [{ legacyVersion: 0x0300 }, 's3'],
    [{ versions: '7f1c' }, '00'],
    [{ versions: '' }, '00'],
  ];
  for (const [offered, version] of table) t.equal(print(offered).slice(1, 3), version, version);
  t.end();
});

void t.test('the ends of the first protocol, or of its hex form', (t) => {
  const table: readonly [string, string][] = [
    ['6832', 'h2'],
    ['687474702f312e31', 'h1'],
    ['61', 'aa'],
    ['ab', 'ab'],
    ['abcd', 'ad'],
    ['30ab', '3b'],
    ['3031abcd', '3d'],
    ['30abcd31', '01'],
    ['', '00'],
  ];
  for (const [name, ends] of table)
    t.equal(print({ alpn: [Buffer.from(name, 'hex'), Buffer.from('h2')] }).slice(8, 10), ends, name);
  t.equal(print({ alpn: [] }).slice(8, 10), '00', 'no protocol at all');
  t.end();
});

void t.test('an offer that is cut short is read as far as it goes', (t) => {
  const hello = helloOf(browser);
  const cut = new Map(hello.extensions);
  cut.set(13, Buffer.from('0010040308', 'hex'));
  cut.set(16, Buffer.from('00ff026832ff68', 'hex'));
  cut.set(43, Buffer.from('ff030403', 'hex'));
  t.same(readOffer({ ...hello, extensions: cut }), {
    versions: [0x0304],
    alpn: ['h2', 'h'],
    signatureAlgorithms: [0x0403],
  });
  for (const type of [13, 16, 43]) cut.set(type, Buffer.alloc(0));
  t.same(readOffer({ ...hello, extensions: cut }), { versions: [], alpn: [], signatureAlgorithms: [] });
  t.end();
});

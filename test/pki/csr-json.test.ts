import * as fc from 'fast-check';
import t from 'tap';
import { readCsrJson } from '../../src/pki/csr-json.ts';
import { PkiError } from '../../src/pki/error.ts';
import { parseJson } from '../../src/pki/json-file.ts';
import { encodeName } from '../../src/pki/name.ts';
import { nameText } from '../../src/pki/describe.ts';

const read = (json: unknown) => readCsrJson(parseJson(JSON.stringify(json), 'x.json'));
const subject = (json: unknown): string => nameText(encodeName(read(json).subject));

/** What is thrown at a text. */
function complaint(text: string): string {
  try {
    readCsrJson(parseJson(text, 'x.json'));
    return 'nothing';
  } catch (error) {
    if (error instanceof PkiError) return error.message;
    throw error;
  }
}

void t.test('the request of the guide is taken as it is', async (t) => {
  const guide = `{
    "CN": "roshankhatri",
    "hosts": [""],
    "key": { "algo": "rsa", "size": 2048 },
    "names": [{ "C": "NP", "ST": "Nepal", "L": "Lalitpur", "O": "Logpoint Nepal", "OU": "ITOps" }]
  }`;
  const request = readCsrJson(parseJson(guide, 'roshankhatri.json'));
  t.equal(
    nameText(encodeName(request.subject)),
    'CN=roshankhatri,OU=ITOps,O=Logpoint Nepal,L=Lalitpur,ST=Nepal,C=NP',
  );
  t.same(request.hosts, [], 'an empty host is no name');
  t.same(request.key, { algo: 'rsa', size: 2048 });
  t.same(request.warnings, []);
});

void t.test('the subject keeps the order of the file, one attribute per RDN, the CN last', async (t) => {
  t.equal(subject({ CN: 'x', names: [{ OU: 'b', O: 'a' }] }), 'CN=x,O=a,OU=b');
  t.equal(subject({ CN: 'x', names: [{ OU: 'one' }, { OU: 'two' }] }), 'CN=x,OU=two,OU=one');
  t.equal(subject({ names: [{ E: 'a@b.test', SerialNumber: '7' }] }), 'serialNumber=7,emailAddress=a@b.test');
  t.equal(subject({ names: [{ OID: { '2.5.4.12': 'Dr' } }], CN: 'x' }), 'CN=x,title=Dr');
  t.equal(subject({ cn: 'lower', Names: [{ o: 'case' }] }), 'CN=lower,O=case', 'as Go reads field names');
});

void t.test('hosts are sorted into their types', async (t) => {
  const { hosts } = read({
    CN: 'x',
    hosts: [
      'a.test',
      '*.b.test',
      '127.0.0.1',
      '2001:db8::1',
      'me@b.test',
      'https://b.test/x',
      'bücher.test',
      '',
    ],
  });
  t.same(hosts, [
    { type: 'dns', value: 'a.test' },
    { type: 'dns', value: '*.b.test' },
    { type: 'ip', value: '127.0.0.1' },
    { type: 'ip', value: '2001:db8::1' },
    { type: 'email', value: 'me@b.test' },
    { type: 'uri', value: 'https://b.test/x' },
    { type: 'dns', value: 'xn--bcher-kva.test' },
  ]);
});

void t.test('keys have the sizes cfssl knows, and Ed25519 has none', async (t) => {
  for (const size of [2048, 3072, 4096])
    t.same(read({ CN: 'x', key: { algo: 'rsa', size } }).key.algo, 'rsa');
  for (const size of [256, 384, 521]) t.match(read({ CN: 'x', key: { algo: 'ecdsa', size } }).key, { size });
  t.same(read({ CN: 'x', key: { algo: 'ed25519' } }).key, { algo: 'ed25519' });
  t.same(read({ CN: 'x' }).key, { algo: 'ecdsa', size: 256 });
});

void t.test('the ca object follows the rules of cfssl for a path length of 0', async (t) => {
  t.same(read({ CN: 'x', ca: { expiry: '1h', pathlen: 2 } }).ca, { expiry: 3_600_000, pathLen: 2 });
  t.same(read({ CN: 'x', ca: { pathlen: 0 } }).ca, {});
  t.same(read({ CN: 'x', ca: { pathlen: 0, pathlenzero: true } }).ca, { pathLen: 0 });
  t.same(read({ CN: 'x', ca: { expiry: '' } }).ca, {});
});

void t.test('a broken file is told with line and column', async (t) => {
  const cases: readonly (readonly [text: string, complaint: RegExp])[] = [
    ['{\n  "CN": "x",\n  "hosts": [}\n', /^x\.json:3:13 not JSON: /],
    ['{\n  "CN": "x"', /^x\.json:2:12 not JSON: /],
    ['', /^x\.json:1:1 not JSON: /],
    ['{\n  "CN": 7 }', /^x\.json:2:9 \/CN must be a string$/],
    [
      '{ "CN": "x",\n "key": {"algo": "rsa", "size": 1024} }',
      /^x\.json:2:33 \/key\/size an RSA key has 2048 to 4096/,
    ],
    ['{ "CN": "x", "key": {"algo": "ecdsa", "size": 255} }', /\/key\/size an ECDSA key/],
    [
      '{ "CN": "x", "key": {"algo": "dsa"} }',
      /^x\.json:1:30 \/key\/algo must be "rsa", "ecdsa" or "ed25519"/,
    ],
    [
      '{ "CN": "x",\n "hosts": [\n "a.test", "a b" ] }',
      /^x\.json:3:12 \/hosts\/1 "a b" is neither a DNS name/,
    ],
    ['{ "CN": "x", "hosts": "a" }', /\/hosts must be a list/],
    ['{ "CN": "x", "ca": {"expiry": "a while"} }', /^x\.json:1:31 \/ca\/expiry "a while" is not a duration/],
    ['{ "CN": "x", "names": [{"OID": {"no": "x"}}] }', /unknown name attribute "no"/],
    ['[]', /^x\.json:1:1 \/ must be an object/],
    ['{}', /needs a CN, names or hosts/],
    ['{ "CN": "x", "hosts": ["ünïcode@b.test"] }', /must be plain ASCII/],
  ];
  for (const [text, expected] of cases) t.match(complaint(text), expected, text);
});

void t.test('what other software may stumble over is a warning', async (t) => {
  t.match(read({ CN: 'x'.repeat(65) }).warnings, [/longer than the 64 characters/]);
  t.match(read({ CN: 'x', names: [{ C: 'Nepal' }] }).warnings, [/not a two-letter country code/]);
  t.match(read({ CN: 'x', crl_url: 'y' }).warnings, [/"crl_url" is not used/]);
});

void t.test('any JSON is either a request or a clear error', async (t) => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 5 }), (text) => {
      complaint(text);
    }),
  );
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      complaint(text);
    }),
  );
  t.pass('no other exception');
});

void t.test('whatever a name holds comes out of the DER as it went in', async (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', minLength: 1 }), (value) => {
      const { subject } = read({ CN: value });
      const der = encodeName(subject);
      return der.includes(Buffer.from(value, 'utf8'));
    }),
  );
  t.pass();
});

import { array, assert, constantFrom, integer, nat, property, uint8Array } from 'fast-check';
import t from 'tap';
import { plainValueBytes } from '../../src/proxy/wire/bytes.ts';
import { ChunkedReader, writeChunks } from '../../src/proxy/wire/chunked-reader.ts';
import { Fields } from '../../src/proxy/wire/fields.ts';
import { delimit, readResponseHead, type ResponseHead } from '../../src/proxy/wire/response-head.ts';
import { RequestLine } from '../../src/proxy/express/request-line.ts';
import { readHeaderBlock } from '../../src/proxy/express/header-block.ts';
import { cut } from './express/request-arbitrary.ts';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

/** Reads a chunked body in pieces: what it holds, how much of the bytes it was, and whether it ended. */
function readChunked(pieces: readonly Buffer[]): { body: string; read: number; done: boolean } | null {
  const reader = new ChunkedReader();
  const found: Buffer[] = [];
  let read = 0;
  for (const piece of pieces) {
    const end = reader.feed(piece, 0, piece.length, { data: (one) => found.push(one) });
    if (end === -1) return null;
    read += end;
    if (reader.done) break;
  }
  return { body: Buffer.concat(found).toString('latin1'), read, done: reader.done };
}

void t.test('a chunked body reads the same however it is cut', (t) => {
  const piece = constantFrom(
    '5\r\nhello\r\n',
    'a;x=y\r\n0123456789\r\n',
    '0\r\n',
    'X: y\r\n',
    '\r\n',
    '5\r\n',
    'Z',
  );
  assert(
    property(array(piece, { maxLength: 6 }), array(nat(), { maxLength: 6 }), (texts, cuts) => {
      const all = bytes(texts.join(''));
      t.same(readChunked(cut(all, cuts)), readChunked([all]));
    }),
    { numRuns: 200 },
  );
  t.end();
});

void t.test('what is written as chunks reads as it was', (t) => {
  assert(
    property(array(uint8Array({ minLength: 1, maxLength: 50 }), { maxLength: 5 }), (parts) => {
      const pieces = parts.map((part) => Buffer.from(part));
      const written = writeChunks(pieces, true);
      t.same(readChunked([written]), {
        body: Buffer.concat(pieces).toString('latin1'),
        read: written.length,
        done: true,
      });
    }),
  );
  t.end();
});

void t.test('chunks that can be read two ways are refused', (t) => {
  for (const text of [
    '',
    'g\r\n',
    ' 5\r\nhello\r\n',
    '5 \r\nhello\r\n',
    '5\nhello\r\n',
    '5\r\nhello\n',
    '5\r\nhello0\r\n\r\n',
    '0x5\r\nhello\r\n',
    '-1\r\n',
    '5;\n',
    '5;\r\nhello\r\n',
    '5;;a\r\nhello\r\n',
    '5;a="\n"\r\n',
    '5;a b\r\n',
    '20000000000000\r\n',
    '0\r\n X: folded\r\n\r\n',
    '0\r\nX : y\r\n\r\n',
    '0\r\nX: a\0\r\n\r\n',
    '0\r\nContent-Length: 5\r\n\r\n',
    '0\r\ntransfer-encoding: chunked\r\n\r\n',
    '0\r\n\n',
    `5;${'a'.repeat(17_000)}\r\n`,
    `0\r\n${'X: y\r\n'.repeat(3000)}`,
    '0'.repeat(17_000),
  ]) {
    t.equal(
      readChunked([bytes(text)])?.done ?? 'refused',
      text === '' ? false : 'refused',
      text.slice(0, 40),
    );
  }
  t.end();
});

void t.test('a request line is plain or it is not', (t) => {
  const line = new RequestLine();
  const read = (text: string): string => line.read(bytes(text), 0, text.length);
  for (const [text, target, query] of [
    ['GET / HTTP/1.1\r\n', '/', ''],
    ['DELETE /a?b?c HTTP/1.1\r\n', '/a?b?c', '?b?c'],
    ['OPTIONS /~!$&()*+,;=:@%41" HTTP/1.1\r\n', '/~!$&()*+,;=:@%41"', ''],
  ] as const) {
    t.equal(read(text), 'whole', text);
    t.equal(text.slice(line.targetStart, line.targetEnd), target);
    t.equal(text.slice(line.queryStart, line.targetEnd), query);
    t.equal(line.end, text.length);
    for (let length = 0; length < text.length; length++) t.equal(read(text.slice(0, length)), 'partial');
  }
  for (const text of [
    'get / HTTP/1.1\r\n',
    'FROB / HTTP/1.1\r\n',
    'GET  / HTTP/1.1\r\n',
    'GET /  HTTP/1.1\r\n',
    'GET\t/ HTTP/1.1\r\n',
    'GET a HTTP/1.1\r\n',
    'GET http://a.test/ HTTP/1.1\r\n',
    'GET /# HTTP/1.1\r\n',
    'GET /\x7f HTTP/1.1\r\n',
    'GET /ä HTTP/1.1\r\n',
    'GET / HTTP/1.0\r\n',
    'GET / HTTP/1.1\n',
    'GET /\r\n',
    '\r\nGET / HTTP/1.1\r\n',
  ]) {
    t.equal(read(text), 'other', JSON.stringify(text));
  }
  t.end();
});

void t.test('a header section is plain or it is not, and each beginning of a plain one is partial', (t) => {
  const fields = new Fields(3);
  const read = (text: string): string => fields.read(bytes(text), 0, text.length, plainValueBytes);
  const plain = 'Host: a.test\r\nX-Empty:\r\nA: \t b c \t\r\n\r\n';
  t.equal(read(plain), 'whole');
  t.same(fields.list(plain, 0), ['Host', 'a.test', 'X-Empty', '', 'A', 'b c']);
  t.equal(fields.end, plain.length);
  for (let length = 0; length < plain.length; length++) t.equal(read(plain.slice(0, length)), 'partial');
  for (const text of [
    ' X: y\r\n\r\n',
    'X: y\r\n z\r\n\r\n',
    'X : y\r\n\r\n',
    ': y\r\n\r\n',
    'X\r\n\r\n',
    'X: y\n\r\n',
    'X: y\r\r\n\r\n',
    'X: \0\r\n\r\n',
    'X: ä\r\n\r\n',
    'X(: y\r\n\r\n',
    'a: b\r\na: b\r\na: b\r\na: b\r\n\r\n',
  ]) {
    t.equal(read(text), 'other', JSON.stringify(text));
  }
  t.end();
});

void t.test('only headers of an unmistakably plain request make a block', (t) => {
  const fields = new Fields(20);
  const block = (text: string) => {
    const all = bytes(`${text}\r\n`);
    return fields.read(all, 0, all.length, plainValueBytes) === 'whole'
      ? readHeaderBlock(all, 0, fields)
      : null;
  };
  const host = 'Host: A.test:443\r\n';
  t.match(block(host), { host: 'a.test', authority: 'A.test:443', framing: { kind: 'none' }, close: false });
  t.match(block(`${host}Content-Length: 012\r\n`), { framing: { kind: 'length', length: 12 } });
  t.match(block(`${host}Transfer-Encoding: chunked\r\nConnection: Close\r\n`), {
    framing: { kind: 'chunked' },
    close: true,
  });
  for (const text of [
    '',
    'Host:\r\n',
    `${host}${host}`,
    'Host: a b\r\n',
    `${host}Content-Length: 1\r\nContent-Length: 1\r\n`,
    `${host}Content-Length: +1\r\n`,
    `${host}Content-Length: 1, 1\r\n`,
    `${host}Content-Length: 9999999999999999\r\n`,
    `${host}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n`,
    `${host}Transfer-Encoding: Chunked\r\n`,
    `${host}Transfer-Encoding: gzip, chunked\r\n`,
    `${host}Transfer-Encoding: chunked\t\r\n`,
    `${host}Content-Length: 1 \r\n`,
    'Host: a.test \r\n',
    `${host}Connection: keep-alive, X\r\n`,
    `${host}Connection: close\r\nConnection: close\r\n`,
    `${host}Upgrade: h2c\r\n`,
    `${host}Expect: 100-continue\r\n`,
    `${host}Trailer: X\r\n`,
  ]) {
    t.equal(block(text), null, JSON.stringify(text));
  }
  t.end();
});

void t.test('a response is delimited in one way or refused', (t) => {
  const fields = new Fields(20);
  const head = (text: string): ResponseHead | string => {
    const all = bytes(text);
    const read = readResponseHead(all, 0, all.length, fields);
    return read.ok ? read.head : 'refused';
  };
  const body = (method: string, text: string): unknown => {
    const read = head(`HTTP/1.1 ${text}\r\n\r\n`);
    return typeof read === 'string' ? read : delimit(method, read);
  };
  t.same(body('GET', '200 OK\r\nContent-Length: 5'), { kind: 'length', length: 5 });
  t.same(body('GET', '200 OK\r\ntransfer-encoding: Chunked'), { kind: 'chunked' });
  t.same(body('GET', '200 OK'), { kind: 'close' });
  t.same(body('GET', '200'), { kind: 'close' });
  t.same(body('HEAD', '200 OK\r\nContent-Length: 5'), { kind: 'none' });
  t.same(body('GET', '304 Not Modified\r\nContent-Length: 5'), { kind: 'none' });
  t.equal(body('GET', '200 OK\r\nContent-Length: 5\r\nContent-Length: 5'), null);
  t.equal(body('GET', '200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked'), null);
  t.equal(body('HEAD', '200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked'), null);
  t.equal(body('GET', '200 OK\r\nTransfer-Encoding: gzip'), null);
  t.equal(body('GET', '200 OK\r\nContent-Length: 5 5'), null);
  for (const text of [
    '200 OK\r\nX : y',
    '200 OK\r\n X: y',
    '200 OK\nX: y',
    '20 OK',
    '2000 OK',
    '099 Low',
    '200\tOK',
  ]) {
    t.equal(body('GET', text), 'refused', JSON.stringify(text));
  }
  for (const text of [
    'HTTP/2.0 200 OK\r\n\r\n',
    'http/1.1 200 OK\r\n\r\n',
    'HTTP/1.1 200 \0\r\n\r\n',
    'ICY 200 OK\r\n\r\n',
  ]) {
    t.equal(head(text), 'refused', JSON.stringify(text));
  }
  t.match(head('HTTP/1.0 200 OK\r\n\r\n'), { persistent: false });
  t.match(head('HTTP/1.1 200 OK\r\nConnection: X, close\r\n\r\n'), { persistent: false });
  t.match(head('HTTP/1.1 200 OK\r\nKeep-Alive: max=5, timeout=7\r\n\r\n'), {
    persistent: true,
    keptMs: 7000,
  });
  t.end();
});

void t.test('no length of random bytes is read past', (t) => {
  const line = new RequestLine();
  const fields = new Fields(5);
  assert(
    property(uint8Array({ maxLength: 60 }), integer({ min: 0, max: 60 }), (random, to) => {
      const end = Math.min(to, random.length);
      line.read(random, 0, end);
      if (fields.read(random, 0, end, plainValueBytes) === 'whole') t.ok(fields.end <= end);
    }),
  );
  t.end();
});

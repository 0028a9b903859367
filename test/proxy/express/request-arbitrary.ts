import { array, constantFrom, integer, nat, oneof, record, string, tuple, type Arbitrary } from 'fast-check';

const method = constantFrom(
  'GET',
  'POST',
  'PUT',
  'DELETE',
  'OPTIONS',
  'PATCH',
  'PROPFIND',
  'get',
  'HEADX',
  'TRACE',
);
const target = constantFrom(
  '/',
  '/hint',
  '/none',
  '/chunked',
  '/close',
  '/a?b=c?d',
  '/a/../b',
  '/%2e%2e/',
  '//x',
  '/a#b',
  '/ä',
  '*',
  'http://a.test/x',
  'https://a.test/',
  'http://b.test/x',
  'a.test:443',
  '/\t',
  '/"',
);
const version = constantFrom(
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.0',
  'HTTP/2.0',
  'http/1.1',
  'HTTP/1.1 ',
);
const framing = constantFrom(
  '',
  '',
  'Content-Length: 5',
  'Content-Length: 0',
  'content-length: 05',
  'Content-Length: +5',
  'Content-Length: 5, 5',
  'Content-Length: 5\r\nContent-Length: 5',
  'Content-Length: 5\r\nContent-Length: 6',
  'Content-Length : 5',
  'Content-Length: 0x5',
  'Content-Length: 99999999999999999999',
  'Content-Length: 5000',
  'Content_Length: 5',
  'Transfer-Encoding: chunked',
  'transfer-encoding: chunked',
  'Transfer-Encoding: Chunked',
  'Transfer-Encoding: chunked, identity',
  'Transfer-Encoding: identity',
  'Transfer-Encoding:\tchunked',
  'Transfer-Encoding: \x0bchunked',
  'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked',
  'Transfer-Encoding: chunked\r\nContent-Length: 5',
  'Content-Length: 5\r\nTransfer-Encoding: chunked',
  'Transfer-Encoding : chunked',
  ' Transfer-Encoding: chunked',
  'X: y\r\n Transfer-Encoding: chunked',
  'X: y\nTransfer-Encoding: chunked',
  'X: y\rTransfer-Encoding: chunked',
  'Transfer-Encoding: xchunked',
  'Transfer_Encoding: chunked',
);
const field = constantFrom(
  'Host: a.test',
  'Host: b.test',
  'Host:a.test:443',
  'host: A.test',
  'Connection: close',
  'Connection: keep-alive',
  'Connection: keep-alive, X-Hop',
  'Connection: Upgrade\r\nUpgrade: websocket',
  'Connection: X-Real-IP',
  'Upgrade: h2c',
  'Expect: 100-continue',
  'Expect: x',
  'TE: trailers',
  'Trailer: X',
  'Keep-Alive: 300',
  'X-Request-ID: mine',
  'X-Forwarded-For: 203.0.113.9',
  'SSL-Client-Verify: SUCCESS',
  'ssl_client_verify: SUCCESS',
  'Accept: application/json',
  'Origin: https://x.test',
  'Cookie: a=b; c=d',
  'X-Empty:',
  'X-Latin: \xe4',
  'X-Nul: a\0b',
  'X Y: z',
  ': no name',
  'no colon',
  `X-Long: ${'x'.repeat(3000)}`,
);
const body = constantFrom(
  '',
  '',
  'hello',
  'helloGET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n',
  '5\r\nhello\r\n0\r\n\r\n',
  '2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n',
  '5;x=y\r\nhello\r\n0\r\n\r\n',
  '5;x="y\\"z"\r\nhello\r\n0;last\r\nX-Trailer: t\r\n\r\n',
  '5 \r\nhello\r\n0\r\n\r\n',
  '5\nhello\r\n0\r\n\r\n',
  '5\r\nhelloX\r\n0\r\n\r\n',
  '0x5\r\nhello\r\n0\r\n\r\n',
  '-5\r\nhello\r\n0\r\n\r\n',
  '00000000000005\r\nhello\r\n0\r\n\r\n',
  'fffffffffffffffff\r\nhello\r\n0\r\n\r\n',
  '0\r\n\r\n',
  '0\r\nX: y\r\n\r\n',
  '0\r\nbad trailer\r\n\r\n',
  '5\r\nhello\r\n0\r\nContent-Length: 3\r\n\r\n',
  // Not a Connection among trailers: node's parser believes it, and closes; the express lane drops it like every trailer.
  '5\r\nhello\r\n0\r\nUpgrade: x\r\n\r\n',
  '0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n',
);

const odd: Arbitrary<string> = record({
  line: tuple(method, target, version).map((parts) => parts.join(' ')),
  fields: array(oneof({ weight: 3, arbitrary: field }, framing), { maxLength: 4 }),
  framing,
  body,
  end: constantFrom('\r\n', '\r\n', '\r\n', '\r\n', '\n', '\r'),
}).map(
  ({ line, fields, framing: framed, body: rest, end }) =>
    [[line, 'Host: a.test', ...fields, framed].filter((text) => text !== '').join('\r\n'), '', ''].join(end) +
    rest,
);

/** Unmistakably plain, whatever stands around it. */
const plain: Arbitrary<string> = tuple(
  constantFrom('GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'),
  constantFrom('/', '/a?b', '/chunked', '/hint', '/none', '/close'),
  constantFrom('', 'Accept: */*\r\n', 'X-Request-ID: mine\r\n', 'User-Agent: fuzz\r\nCookie: a=b\r\n'),
  constantFrom(
    '\r\n',
    'Content-Length: 5\r\n\r\nhello',
    'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    'Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ),
).map(([verb, path, fields, rest]) => `${verb} ${path} HTTP/1.1\r\nHost: a.test\r\n${fields}${rest}`);

type Mutation = (bytes: Buffer<ArrayBuffer>) => Buffer<ArrayBuffer>;

const mutation: Arbitrary<Mutation> = oneof(
  tuple(nat(), nat(255)).map(([at, byte]): Mutation => (bytes) => {
    if (bytes.length > 0) bytes[at % bytes.length] = byte;
    return bytes;
  }),
  tuple(nat(), constantFrom('\r', '\n', '\0', ':', ' ', '\t', ',', ';', '\r\n', '\r\n\r\n', '0', '\xff')).map(
    ([at, text]): Mutation =>
      (bytes) => {
        const place = at % (bytes.length + 1);
        return Buffer.concat([bytes.subarray(0, place), Buffer.from(text, 'latin1'), bytes.subarray(place)]);
      },
  ),
  tuple(nat(), integer({ min: 1, max: 20 })).map(([at, length]): Mutation => (bytes) => {
    const place = at % (bytes.length + 1);
    return Buffer.concat([bytes.subarray(0, place), bytes.subarray(place + length)]);
  }),
  tuple(nat(), nat(), integer({ min: 1, max: 40 })).map(([from, to, length]): Mutation => (bytes) => {
    const start = from % (bytes.length + 1);
    const place = to % (bytes.length + 1);
    return Buffer.concat([
      bytes.subarray(0, place),
      bytes.subarray(start, start + length),
      bytes.subarray(place),
    ]);
  }),
);

/** What a client sends on one connection: a few requests, plain and odd, some bytes changed, cut into pieces. */
export const requestBytes: Arbitrary<Buffer[]> = tuple(
  array(oneof({ weight: 3, arbitrary: plain }, { weight: 2, arbitrary: odd }, string({ maxLength: 8 })), {
    minLength: 1,
    maxLength: 4,
  }),
  array(mutation, { maxLength: 2 }),
  array(nat(), { maxLength: 4 }),
).map(([texts, mutations, cuts]) => {
  const bytes = mutations.reduce((all, mutate) => mutate(all), Buffer.from(texts.join(''), 'latin1'));
  return cut(bytes, cuts);
});

export function cut(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const edges = [...cuts.map((at) => at % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length];
  const pieces: Buffer[] = [];
  let from = 0;
  for (const edge of edges) {
    if (edge > from) pieces.push(bytes.subarray(from, edge));
    from = edge;
  }
  return pieces;
}

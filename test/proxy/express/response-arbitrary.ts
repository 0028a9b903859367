import { array, constantFrom, nat, oneof, string, tuple, type Arbitrary } from 'fast-check';
import { cut } from './request-arbitrary.ts';

const fragment = constantFrom(
  'HTTP/1.1 200 OK\r\n',
  'HTTP/1.1 200 OK\r\n',
  'HTTP/1.1 200\r\n',
  'HTTP/1.0 200 OK\r\n',
  'HTTP/1.1 100 Continue\r\n\r\n',
  'HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n',
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n',
  'HTTP/1.1 204 No Content\r\n',
  'HTTP/1.1 304 Not Modified\r\n',
  'HTTP/1.1 999 Odd\r\n',
  'Content-Length: 0\r\n',
  'Content-Length: 5\r\n',
  'Content-Length: 5, 5\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding: gzip, chunked\r\n',
  'Connection: close\r\n',
  'Connection: X\r\nX: y\r\n',
  'Keep-Alive: timeout=5\r\n',
  'Date: Tue, 24 Nov 2026 00:00:00 GMT\r\n',
  'Set-Cookie: a=b\r\n',
  'X-Latin: \xe4\r\n',
  ' folded\r\n',
  'X : y\r\n',
  '\r\n',
  '\r\n',
  '\n',
  '5\r\nhello\r\n',
  '5;x=y\r\nhello\r\n',
  '0\r\n\r\n',
  '0\r\nX: y\r\n\r\n',
  'ffffffffffffffff\r\n',
  'hello',
  'hello',
  'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
);

/** What an upstream answers a request with, in pieces, before it closes the connection. */
export const responseBytes: Arbitrary<Buffer[]> = tuple(
  array(oneof({ weight: 12, arbitrary: fragment }, string({ maxLength: 10 })), { maxLength: 8 }),
  array(nat(), { maxLength: 3 }),
).map(([texts, cuts]) => cut(Buffer.from(texts.join(''), 'latin1'), cuts));

import * as fc from 'fast-check';
import t from 'tap';
import { planResponseHeaders } from '../../src/proxy/headers/response.ts';

void t.test('end-to-end headers go on as they are and in their order', async (t) => {
  const headers = [
    'Content-Type',
    'text/plain',
    'Set-Cookie',
    'a=1',
    'set-cookie',
    'b=2',
    'X_Under',
    'x',
    'X-8',
    '\xe9',
  ];
  t.strictSame(planResponseHeaders(headers), headers);
});

void t.test('hop-by-hop headers and framing stay behind, in any case', async (t) => {
  for (const name of [
    'Connection',
    'Keep-Alive',
    'Proxy-Connection',
    'Proxy-Authenticate',
    'Proxy-Authentication-Info',
    'TE',
    'Trailer',
    'Transfer-Encoding',
    'Upgrade',
    'Content-Length',
  ]) {
    for (const spelling of [name, name.toLowerCase(), name.toUpperCase()]) {
      t.strictSame(planResponseHeaders([spelling, 'x', 'A', 'b']), ['A', 'b'], spelling);
    }
  }
});

void t.test('headers that Connection names stay behind', async (t) => {
  t.strictSame(
    planResponseHeaders([
      'X-Hop',
      '1',
      'Connection',
      'close, x-HOP',
      'X-Other',
      '2',
      'connection',
      '\tX-OTHER ,,',
      'A',
      'b',
    ]),
    ['A', 'b'],
  );
});

void t.test('RFC 9440 fields never leave towards the client', async (t) => {
  t.strictSame(planResponseHeaders(['Client-Cert', ':YQ==:', 'CLIENT-CERT-CHAIN', ':YQ==:', 'A', 'b']), [
    'A',
    'b',
  ]);
});

void t.test('what is no header is not passed on', async (t) => {
  t.strictSame(
    planResponseHeaders([
      'X',
      'a\r\nSet-Cookie: b',
      'X',
      'a\0',
      'X y',
      'z',
      '',
      'z',
      'X\n',
      'z',
      'Y',
      '\u0100',
      'A',
      'b',
    ]),
    ['A', 'b'],
  );
});

void t.test('whatever comes, only sendable end-to-end headers go on', async () => {
  const text = fc.string({ unit: 'binary', maxLength: 6 });
  const name = fc.oneof(
    text,
    fc.constantFrom('Connection', 'upgrade', 'Client-Cert', 'content-length', 'a', 'A'),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(name, fc.oneof(text, fc.constant('a'))), { maxLength: 6 }), (fields) => {
      const planned = planResponseHeaders(fields.flat());
      return planned.every((text, index) =>
        index % 2 === 0
          ? /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(text) &&
            !/^(?:connection|upgrade|client-cert|content-length)$/i.test(text)
          : !/[\0\r\n]/.test(text),
      );
    }),
  );
});

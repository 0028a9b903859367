import * as fc from 'fast-check';
import t from 'tap';
import { readRequestHead, type RequestHeadInput } from '../../src/proxy/request-head.ts';

const input = (changes: Partial<RequestHeadInput> = {}): RequestHeadInput => ({
  method: 'GET',
  target: '/',
  httpVersion: '1.1',
  rawHeaders: ['Host', 'a.test'],
  ...changes,
});
const withHeaders = (...headers: string[]): RequestHeadInput =>
  input({ rawHeaders: ['Host', 'a.test', ...headers] });

/** `ok`, or the reason for the refusal. */
const verdict = (given: RequestHeadInput): string => {
  const result = readRequestHead(given);
  return result.ok ? 'ok' : result.reason;
};

void t.test('a plain head is read', async (t) => {
  t.strictSame(
    readRequestHead(
      input({
        method: 'PROPFIND',
        target: '/a%2fb/../c?x=1?y',
        rawHeaders: ['hOST', 'A.Test.:8443', 'X-A', 'caf\xe9\tb', 'X-A', ''],
      }),
    ),
    {
      ok: true,
      head: {
        method: 'PROPFIND',
        path: '/a%2fb/../c',
        query: '?x=1?y',
        host: 'a.test',
        authority: 'A.Test.:8443',
      },
      framing: { kind: 'none' },
    },
  );
});

void t.test('versions other than 1.0 and 1.1 are refused', async (t) => {
  t.equal(verdict(input({ httpVersion: '1.0' })), 'ok');
  for (const httpVersion of ['0.9', '2.0', '1.2', '3.0', '1.10', '', '1']) {
    t.equal(verdict(input({ httpVersion })), 'bad_version', httpVersion);
  }
});

void t.test('CONNECT and TRACE are refused in any case, other methods are not', async (t) => {
  for (const method of ['CONNECT', 'TRACE', 'trace', 'Connect']) {
    t.equal(verdict(input({ method, target: 'a.test:443' })), 'method_refused', method);
  }
  for (const method of [
    'GET',
    'HEAD',
    'POST',
    'PUT',
    'DELETE',
    'OPTIONS',
    'PATCH',
    'QUERY',
    'M-SEARCH',
    'x',
  ]) {
    t.equal(verdict(input({ method })), 'ok', method);
  }
  for (const method of ['', 'G T', 'GET\r\n', 'GET\0', 'G(T', 'GÉT']) {
    t.equal(verdict(input({ method })), 'bad_request', JSON.stringify(method));
  }
});

void t.test('one Host header, with one host in it', async (t) => {
  t.equal(verdict(input({ rawHeaders: [] })), 'bad_host', 'absent');
  t.equal(verdict(input({ httpVersion: '1.0', rawHeaders: [] })), 'bad_host', 'absent in HTTP/1.0');
  t.equal(verdict(withHeaders('Host', 'b.test')), 'bad_host', 'two');
  t.equal(verdict(withHeaders('HOST', 'a.test')), 'bad_host', 'two of the same');
  for (const host of [
    '',
    ' ',
    'a.test,b.test',
    'u@a.test',
    'a.test:0',
    'a.test:99999',
    'a.test:x',
    'a test',
    'a/b',
  ]) {
    t.equal(verdict(input({ rawHeaders: ['Host', host] })), 'bad_host', JSON.stringify(host));
  }
  for (const host of [
    'a..test',
    '-a.test',
    'a\xe9.test',
    '[::1',
    '::1',
    'a.test#',
    'a.test?',
    'http://a.test',
    '127.1',
  ]) {
    t.equal(verdict(input({ rawHeaders: ['Host', host] })), 'bad_host', JSON.stringify(host));
  }
});

void t.test('framing has one reading', async (t) => {
  const framing = (...headers: string[]): unknown => {
    const result = readRequestHead(withHeaders(...headers));
    return result.ok ? result.framing : result.reason;
  };
  t.strictSame(framing('content-length', '0'), { kind: 'length', length: 0 });
  t.strictSame(framing('Content-Length', '9007199254740991'), {
    kind: 'length',
    length: Number.MAX_SAFE_INTEGER,
  });
  t.strictSame(framing('Transfer-Encoding', 'CHUNKED'), { kind: 'chunked' });
  for (const value of [
    '',
    '+5',
    '-1',
    '5,5',
    '5, 5',
    '0x5',
    '5 5',
    '5.0',
    '1e3',
    '٥',
    '9007199254740992',
    '9'.repeat(40),
  ]) {
    t.equal(
      verdict(withHeaders('Content-Length', value)).replace('bad_request', 'bad_framing'),
      'bad_framing',
      value,
    );
  }
  for (const value of [
    '',
    'gzip',
    'gzip, chunked',
    'chunked, gzip',
    'chunked, chunked',
    'identity',
    'chunked;a=b',
    'xchunked',
    '"chunked"',
    'chunked,',
    'chunked\v',
  ]) {
    t.match(
      verdict(withHeaders('Transfer-Encoding', value)),
      /^bad_(?:framing|request)$/,
      JSON.stringify(value),
    );
  }
  t.equal(framing('Content-Length', '5', 'content-length', '5'), 'bad_framing', 'two lengths that agree');
  t.equal(framing('Transfer-Encoding', 'chunked', 'TRANSFER-ENCODING', 'chunked'), 'bad_framing');
  t.equal(framing('Transfer-Encoding', 'chunked', 'Content-Length', '5'), 'bad_framing', 'TE.CL');
  t.equal(framing('Content-Length', '5', 'Transfer-Encoding', 'chunked'), 'bad_framing', 'CL.TE');
  t.equal(framing('Content-Length', '0', 'Transfer-Encoding', ''), 'bad_framing');
});

void t.test('HTTP/1.0 knows no Transfer-Encoding', async (t) => {
  t.equal(verdict({ ...withHeaders('Transfer-Encoding', 'chunked'), httpVersion: '1.0' }), 'bad_framing');
  t.equal(verdict({ ...withHeaders('Content-Length', '1'), httpVersion: '1.0' }), 'ok');
});

void t.test('an absolute-form target that agrees with Host becomes a path', async (t) => {
  const read = (target: string, host: string): unknown => {
    const result = readRequestHead(input({ target, rawHeaders: ['Host', host] }));
    return result.ok ? [result.head.path, result.head.query, result.head.authority] : result.reason;
  };
  t.strictSame(read('http://a.test/x?y', 'a.test'), ['/x', '?y', 'a.test']);
  t.strictSame(read('HTTPS://A.test.:443/x', 'a.TEST'), ['/x', '', 'a.TEST']);
  t.strictSame(read('http://a.test', 'a.test:80'), ['/', '', 'a.test:80']);
  t.strictSame(read('https://a.test?q', 'a.test'), ['/', '?q', 'a.test']);
  t.strictSame(read('https://[::1]:8443/', '[0:0::1]:8443'), ['/', '', '[0:0::1]:8443']);
  t.strictSame(read('http://a.test//b.test/', 'a.test'), ['//b.test/', '', 'a.test']);
  for (const [target, host] of [
    ['http://b.test/', 'a.test'],
    ['http://a.test:81/', 'a.test'],
    ['https://a.test/', 'a.test:80'],
    ['http://a.test@b.test/', 'a.test'],
    ['http://b.test@a.test/', 'a.test'],
    ['http://a.test:80@b.test/', 'a.test'],
    ['http://a.test\\@b.test/', 'a.test'],
    ['http:///x', 'a.test'],
    ['http://', 'a.test'],
    ['http://?a.test', 'a.test'],
  ] as const) {
    t.equal(read(target, host), 'bad_host', target);
  }
  for (const target of [
    'ftp://a.test/',
    'ws://a.test/',
    'http:/a.test/',
    'http:a.test',
    'httpss://a.test/',
    'javascript:x',
  ]) {
    t.equal(read(target, 'a.test'), 'bad_request', target);
  }
});

void t.test('authority-form and asterisk-form are refused, as nginx does', async (t) => {
  t.equal(verdict(input({ target: 'a.test:443' })), 'bad_request');
  t.equal(verdict(input({ target: 'a.test' })), 'bad_request');
  t.equal(verdict(input({ method: 'OPTIONS', target: '*' })), 'bad_request');
  t.equal(verdict(input({ target: '*' })), 'bad_request');
  t.equal(verdict(input({ target: '?x' })), 'bad_request');
});

void t.test('a target holds no fragment, space, control or 8-bit byte', async (t) => {
  for (const target of [
    '',
    '/a#b',
    '/#',
    '/a b',
    ' /',
    '/a\tb',
    '/a\r\nX: y',
    '/\0',
    '/\x7f',
    '/\xf1',
    '/?\x80',
    'http://a.test/#',
  ]) {
    t.equal(verdict(input({ target })), 'bad_path', JSON.stringify(target));
  }
});

void t.test('header names are tokens and values hold no control bytes', async (t) => {
  for (const name of [
    '',
    ' X',
    'X ',
    'X y',
    'X\t',
    'X:',
    'X(',
    'X\r',
    'X\0',
    'X\xe9',
    'Content-Length ',
    '"X"',
    'X,Y',
    'X/Y',
  ]) {
    t.equal(verdict(withHeaders(name, '1')), 'bad_request', JSON.stringify(name));
  }
  for (const value of ['a\rb', 'a\nb', 'a\r\nHost: b', '\0', 'a\x01', '\x1f', 'a\x7f', '\u0100', '\u560a']) {
    t.equal(verdict(withHeaders('X', value)), 'bad_request', JSON.stringify(value));
  }
  t.equal(verdict(withHeaders("!#$%&'*+-.^_`|~09Az", 'a\tb \xff')), 'ok');
  t.equal(verdict(withHeaders('__proto__', 'x', 'constructor', 'y', 'hasOwnProperty', 'z')), 'ok');
  t.equal(verdict(input({ rawHeaders: ['Host', 'a.test', 'X'] })), 'bad_request', 'a name without a value');
});

void t.test('more headers than the limit are too large a head', async (t) => {
  const rawHeaders = ['Host', 'a.test', ...Array.from({ length: 9 }, () => ['X', 'y']).flat()];
  t.equal(verdict(input({ rawHeaders, limits: { headerCount: 10 } })), 'ok');
  t.equal(verdict(input({ rawHeaders, limits: { headerCount: 9 } })), 'head_too_large');
});

void t.test('details are one bounded line, whatever was sent', async (t) => {
  const nasty = '\x1b[2J\r\nlevel=info "\u2028'.repeat(1000);
  for (const given of [
    input({ method: nasty }),
    input({ httpVersion: nasty }),
    input({ target: nasty }),
    input({ rawHeaders: ['Host', `${'a'.repeat(5000)}@`] }),
    withHeaders(nasty, 'x'),
    withHeaders('Transfer-Encoding', 'x'.repeat(100_000)),
    withHeaders('Content-Length', '9'.repeat(100_000)),
  ]) {
    const result = readRequestHead(given);
    t.ok(!result.ok && result.detail.length < 800 && !/[\x00-\x1f]/.test(result.detail));
  }
});

void t.test('whatever passes has one host, one framing, and a target that was looked at', async () => {
  const name = fc.oneof(
    fc.constantFrom(
      'Host',
      'host',
      'Content-Length',
      'Transfer-Encoding',
      'transfer-encoding',
      'X',
      'Connection',
      'X ',
    ),
    fc.string({ unit: 'binary-ascii', maxLength: 4 }),
  );
  const value = fc.oneof(
    fc.constantFrom(
      'a.test',
      'b.test',
      'A.TEST:443',
      '5',
      '5 ',
      'chunked',
      'gzip, chunked',
      '',
      '\t',
      'a\nb',
    ),
    fc.string({ unit: 'binary-ascii', maxLength: 4 }),
  );
  const target = fc.oneof(
    fc.constantFrom(
      '/',
      '*',
      'http://a.test/',
      'http://b.test/',
      'https://a.test:443/x?y',
      '/a#b',
      '//b.test',
    ),
    fc.string({ unit: 'binary-ascii', maxLength: 6 }).map((text) => `/${text}`),
  );
  fc.assert(
    fc.property(
      fc.array(fc.tuple(name, value), { maxLength: 5 }),
      target,
      fc.constantFrom('1.0', '1.1', '1.1', '2.0'),
      (fields, target, httpVersion) => {
        const rawHeaders = fields.flat();
        const result = readRequestHead(input({ rawHeaders, target, httpVersion }));
        if (!result.ok) return true;
        const count = (wanted: string): number =>
          fields.filter(([name]) => name.toLowerCase() === wanted).length;
        return (
          count('host') === 1 &&
          count('content-length') + count('transfer-encoding') <= 1 &&
          (count('transfer-encoding') === 1) === (result.framing.kind === 'chunked') &&
          (count('content-length') === 1) === (result.framing.kind === 'length') &&
          !rawHeaders.some((text) => /[\0\r\n]/.test(text)) &&
          /^\/[!"$->@-~]*$/.test(result.head.path) &&
          /^(?:\?[!"$-~]*)?$/.test(result.head.query) &&
          (target.startsWith('/')
            ? result.head.path + result.head.query === target
            : new URL(target).hostname === result.head.host)
        );
      },
    ),
    { numRuns: 3000 },
  );
});

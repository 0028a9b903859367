import t from 'tap';
import { createAuthority } from '../support/pki.ts';
import { needs } from '../support/program.ts';
import { judge, playAll, type Difference } from './difference.ts';
import type { HostSpec } from './hosts.ts';
import type { Case } from './observe.ts';
import { startSides } from './sides.ts';

// Requests of every kind on a verified connection: odd heads, paths, methods, bodies, headers of one hop.

const forwarded = /^forwarded 200$/;
const badRequest = /^400 Bad Request$/;

/** nginx passes it on, or answers in its own way; we refuse. */
const strict = (cases: RegExp, nginx: RegExp, reason: string): Difference => ({
  cases,
  fact: 'outcome',
  nginx,
  ours: badRequest,
  reason,
});

/** A header that is passed on by nginx and not by us. */
const dropped = (cases: RegExp, header: string, nginx: RegExp, reason: string): Difference => ({
  cases,
  fact: `header ${header}`,
  nginx,
  ours: null,
  reason,
});

const onePath =
  'routes, policies and the upstream read one normalised path; nginx matches by one reading and sends the other';
const streamed = 'bodies stream through; nginx keeps them until it knows their length';
const foreignIdentity =
  'only we tell a backend who the client is: names of all dialects are removed on every host (rule 4)';
const ofOneHop = 'a header of one hop, or one that Connection names, goes no further (RFC 9110 §7.6.1)';

const differences: readonly Difference[] = [
  strict(
    /^host: missing, HTTP\/1\.0$/,
    /^404 Not Found$/,
    'nothing says which host is meant; no guess is made',
  ),
  strict(/^host: with a user$/, /^404 Not Found$/, 'a Host is a name and perhaps a port (RFC 9110 §7.2)'),
  strict(
    /^host: with a (?:bad port|port too high)$/,
    forwarded,
    'nginx ignores what stands behind the colon; the backend would get it in Host',
  ),
  strict(
    /^target: absolute, other host$/,
    forwarded,
    'a target that contradicts Host is served by whichever the next reader believes',
  ),
  strict(
    /^target: absolute, other mTLS host$/,
    /^421 Misdirected Request$/,
    'a target that contradicts Host is refused before it is asked which host was meant',
  ),
  strict(/^target: with a fragment$/, forwarded, 'no target has a fragment (RFC 9112 §3.2)'),
  strict(
    /^target: with 8-bit bytes$/,
    /^400$/,
    'nginx passes it on, and the backend refuses it: that empty 400 is the backend’s',
  ),
  {
    cases: /^target: too long$/,
    fact: 'outcome',
    nginx: /^414 Request-URI Too Large$/,
    ours: forwarded,
    reason: 'the head is bounded as a whole, at the 32k of nginx’s four buffers; a line may take all of it',
  },
  {
    cases: /^path, spelled otherwise: /,
    fact: 'request',
    outcome: forwarded,
    nginx: /^GET /,
    ours: /^GET /,
    reason: onePath,
  },
  {
    cases: /^method: (?:POST|PUT|PATCH|PROPFIND|QUERY)$/,
    fact: 'header content-length',
    nginx: null,
    ours: /^0$/,
    reason: 'a method that takes a body says that it has none (RFC 9110 §8.6)',
  },
  strict(
    /^method: (?:FOO|G-T)$/,
    /^400$/,
    'methods that the parser does not know; nginx passes them on, and the backend answers that empty 400',
  ),
  strict(/^version: HTTP\/1\.2$/, forwarded, 'there is no HTTP/1.2'),
  {
    cases: /^version: HTTP\/0\.9$/,
    fact: 'outcome',
    nginx: /^0/,
    ours: /^505 HTTP Version Not Supported$/,
    reason: 'nginx still speaks HTTP/0.9, whose answer has no status',
  },
  strict(
    /^version: bare line feeds$/,
    forwarded,
    'a line ends with CR LF; two opinions about where a head ends are a smuggled request',
  ),
  strict(
    /^field: no colon$/,
    forwarded,
    'nginx skips a line that is no header; we believe nothing behind it',
  ),
  strict(
    /^field: control in the value$/,
    /^400$/,
    'nginx passes it on, and the backend refuses it: that empty 400 is the backend’s',
  ),
  {
    cases: /^field: one too large$/,
    fact: 'outcome',
    nginx: /^400 Request Header Or Cookie Too Large$/,
    ours: forwarded,
    reason: 'the head is bounded as a whole; nginx bounds each line at 8k, too',
  },
  {
    cases: /^field: all too large$/,
    fact: 'outcome',
    nginx: /^400 Request Header Or Cookie Too Large$/,
    ours: /^431 Request Header Fields Too Large$/,
    reason: 'RFC 6585 has a status for it; nginx’s internal 494 becomes a 400',
  },
  {
    cases: /^field: very many$/,
    fact: 'outcome',
    nginx: forwarded,
    ours: /^431 Request Header Fields Too Large$/,
    reason: 'headers are bounded by number, too: 100',
  },
  {
    cases: /^forged, public: (?!identity)/,
    fact: 'header ssl-client-verify',
    nginx: null,
    ours: /^NONE$/,
    reason: 'a host without auth-tls says so to its backend',
  },
  {
    cases: /^forged, public: identity/,
    fact: 'header ssl-client-verify',
    nginx: /^(?:SUCCESS|X)$/,
    ours: /^NONE$/,
    reason: 'on a host without auth-tls nginx passes on what the client forged',
  },
  dropped(/^forged, public: identity$/, 'ssl-client-subject-dn', /^CN=admin$/, foreignIdentity),
  dropped(/^forged, public: identity$/, 'ssl-client-issuer-dn', /^CN=x$/, foreignIdentity),
  dropped(/^forged, public: identity$/, 'ssl-client-cert', /^x$/, foreignIdentity),
  dropped(/^forged(?:, public)?: other dialects$/, 'x-forwarded-client-cert', /^Subject=/, foreignIdentity),
  dropped(/^forged(?:, public)?: other dialects$/, 'client-cert', /^:AAAA:$/, foreignIdentity),
  dropped(/^forged(?:, public)?: other dialects$/, 'x-ssl-client-dn', /^\/CN=admin$/, foreignIdentity),
  {
    cases: /^forged(?:, public)?: request id, odd$/,
    fact: 'header x-request-id',
    nginx: /^<script>/,
    ours: /^generated$/,
    reason: 'an id goes to logs, headers and pages: only what is safe in all of them is kept',
  },
  dropped(/^hop: named in Connection$/, 'x-hop', /^1$/, ofOneHop),
  dropped(/^hop: Proxy-\*$/, 'proxy-connection', /^keep-alive$/, ofOneHop),
  dropped(/^hop: Proxy-\*$/, 'proxy-authorization', /^Basic /, ofOneHop),
  dropped(/^hop: Trailer$/, 'trailer', /^X-A$/, 'trailers are dropped, so nothing announces them'),
  dropped(/^hop: Upgrade/, 'upgrade', /^(?:h2c|foo)$/, 'only protocols that the route names are tunnelled'),
  dropped(/^hop: Upgrade: h2c$/, 'http2-settings', /^AAAA$/, ofOneHop),
  {
    cases: /^hop: Upgrade: /,
    fact: 'connection',
    nginx: /^open$/,
    ours: /^close$/,
    reason: 'what came behind a declined Upgrade may be in the other protocol already',
  },
  {
    cases: /^body: chunked(?:$|, (?:ext|in cap|as large))/,
    outcome: forwarded,
    fact: 'header transfer-encoding',
    nginx: null,
    ours: /^chunked$/,
    reason: streamed,
  },
  dropped(/^body: chunked(?:$|, (?:ext|in cap|as large))/, 'content-length', /^(?:5|1048576)$/, streamed),
  strict(
    /^body: (?:unknown coding|gzip and chunked|identity)$/,
    /^501 Not Implemented$/,
    'a coding that we do not read leaves no one sure where the body ends; 400 and the end, as RFC 9112 §6.3 has it',
  ),
  {
    cases: /^body: expects something$/,
    fact: 'outcome',
    nginx: forwarded,
    ours: /^417 Expectation Failed$/,
    reason: 'RFC 9110 §10.1.1 has a status for an expectation that cannot be met',
  },
  {
    cases: /^without TLS: (?:without Host|a bad path)$/,
    fact: 'outcome',
    nginx: badRequest,
    ours: /^400 The plain HTTP request was sent to HTTPS port$/,
    reason: 'without TLS no head is parsed: the first bytes say enough',
  },
];

const host = 'Host: a.test';
/** A request with the usual Host line. */
const plain = (method: string, target: string, lines: readonly string[] = [], body = ''): string =>
  `${[`${method} ${target} HTTP/1.1`, host, ...lines].join('\r\n')}\r\n\r\n${body}`;
const get = (target: string): string => plain('GET', target);
const withLines = (...lines: string[]): string => plain('GET', '/', lines);
const post = (lines: readonly string[], body: string): string => plain('POST', '/', lines, body);
const raw = (...lines: string[]): string => `${lines.join('\r\n')}\r\n\r\n`;

/** By group and name; the title of a case is `group: name`. */
const requests: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  host: {
    missing: raw('GET / HTTP/1.1'),
    'missing, HTTP/1.0': raw('GET / HTTP/1.0'),
    'HTTP/1.0': raw('GET / HTTP/1.0', host),
    empty: raw('GET / HTTP/1.1', 'Host:'),
    twice: raw('GET / HTTP/1.1', host, host),
    'two of them': raw('GET / HTTP/1.1', host, 'Host: b.test'),
    'with a path': raw('GET / HTTP/1.1', 'Host: a.test/x'),
    'with a user': raw('GET / HTTP/1.1', 'Host: b.test@a.test'),
    'with a space': raw('GET / HTTP/1.1', 'Host: a.test b.test'),
    'with a bad port': raw('GET / HTTP/1.1', 'Host: a.test:x'),
    'with a port too high': raw('GET / HTTP/1.1', 'Host: a.test:99999'),
    'with two dots': raw('GET / HTTP/1.1', 'Host: a..test'),
    'with a NUL': raw('GET / HTTP/1.1', 'Host: a.test\0b'),
    'in capitals': raw('GET / HTTP/1.1', 'HOST: A.TEST'),
  },
  target: {
    absolute: get('https://a.test/x?y'),
    'absolute, http': get('http://a.test/x'),
    'absolute, other host': get('https://public.test/x'),
    'absolute, other mTLS host': get('https://b.test/x'),
    'absolute, without a path': get('https://a.test'),
    'absolute, with a user': get('https://x@a.test/'),
    asterisk: get('*'),
    'asterisk, OPTIONS': plain('OPTIONS', '*'),
    authority: get('a.test:443'),
    'without a slash': get('x'),
    'with a fragment': get('/x#y'),
    'with a space': get('/x y'),
    'with 8-bit bytes': get('/\u00e9'),
    'with a tab': get('/x\ty'),
    'with a query of everything': get('/?a=/../%2e%2e//&b=<>"[]{}|'),
    'with an empty query': get('/x?'),
    long: get(`/${'x'.repeat(7000)}`),
    'too long': get(`/${'x'.repeat(9000)}`),
  },
  path: Object.fromEntries(
    [
      '/',
      '/x',
      '/x/',
      '/x/y.html',
      '/..',
      '/x/../../y',
      '/../x',
      '/%2e%2e/y',
      '/x%20y',
      '/x%',
      '/x%zz',
      '/x%1',
      '/x%00y',
      '/%252e%252e/y',
      '/x;y=1/z',
      '/..;/y',
      '/x/..;/y',
      '/%C3%A9',
      '/a+b',
      "/!$&'()*,:@=",
      '/~x',
      '/x%23y',
      '/x%3By',
    ].map((path) => [path, get(path)]),
  ),
  // Other spellings of a path: forwarded by both, but by us in its one spelling.
  'path, spelled otherwise': Object.fromEntries(
    [
      '//',
      '//x',
      '/x//y',
      '/x///',
      '/.',
      '/x/.',
      '/x/./y',
      '/x/..',
      '/x/../y',
      '/x/%2e%2e/y',
      '/x/%2E/y',
      '/x%2fy',
      '/x/..%2fy',
      '/x%2f..%2fy',
      '/%2f',
      '/x%5cy',
      '/x\\y',
      '/x/..\\y',
      '/%78',
      '/%41%7e',
      '/x%0ay',
      '/x;/../y',
      '/%c3%a9',
      '/%c0%ae/x',
      '/<>',
      '/"',
      '/{}|^`',
      '/[x]',
      '/x%3fy',
      '/%3a',
    ].map((path) => [path, get(path)]),
  ),
  method: Object.fromEntries(
    [
      'HEAD',
      'POST',
      'PUT',
      'PATCH',
      'DELETE',
      'OPTIONS',
      'PROPFIND',
      'QUERY',
      'TRACE',
      'CONNECT',
      'get',
      'FOO',
      'GE T',
      'G@T',
      'G-T',
    ].map((method) => [method, plain(method, '/')]),
  ),
  version: {
    'HTTP/1.2': raw('GET / HTTP/1.2', host),
    'HTTP/2.0': raw('GET / HTTP/2.0', host),
    'HTTP/0.9': raw('GET /'),
    'HTTP/1': raw('GET / HTTP/1', host),
    'http/1.1': raw('GET / http/1.1', host),
    'two spaces': raw('GET  / HTTP/1.1', host),
    'empty line first': `\r\n${get('/')}`,
    'bare line feeds': `GET / HTTP/1.1\n${host}\n\n`,
    nonsense: '\x01\x02\x03\r\n\r\n',
  },
  field: {
    underscore: withLines('ssl_client_verify: SUCCESS', 'X_Y: z'),
    'dot and others': withLines('x.y: z', 'x!y: z', 'x~: z'),
    'space before the colon': withLines('X-A : b'),
    'no colon': withLines('nonsense'),
    'empty name': withLines(': b'),
    folded: withLines('X-A: b', ' c'),
    'NUL in the value': withLines('X-A: b\0c'),
    'control in the value': withLines('X-A: b\x01c'),
    '8-bit value': withLines('X-A: \u00e9\u00ff'),
    'tab in the value': withLines('X-A: b\tc'),
    'bare CR in the value': withLines('X-A: b\rc'),
    'empty value': withLines('X-A:'),
    repeated: withLines('X-A: 1', 'x-a: 2'),
    'cookies, repeated': withLines('Cookie: a=1', 'Cookie: b=2'),
    'user agent and accept': withLines('User-Agent: x', 'Accept: */*', 'Authorization: Basic eDp5'),
    'one too large': withLines(`X-A: ${'x'.repeat(9000)}`),
    'all too large': withLines(...Array.from({ length: 6 }, (_, index) => `X-${index}: ${'x'.repeat(7500)}`)),
    'very many': withLines(...Array.from({ length: 150 }, (_, index) => `X-${index}: x`)),
  },
  forged: {
    identity: withLines(
      'ssl-client-verify: SUCCESS',
      'SSL-Client-Subject-DN: CN=admin',
      'ssl-client-issuer-dn: CN=x',
      'ssl-client-cert: x',
    ),
    'identity, named in Connection': withLines(
      'ssl-client-verify: X',
      'Connection: ssl-client-verify, ssl-client-subject-dn',
    ),
    'other dialects': withLines(
      'X-Forwarded-Client-Cert: Subject="CN=admin"',
      'Client-Cert: :AAAA:',
      'X-SSL-Client-DN: /CN=admin',
    ),
    forwarded: withLines(
      'X-Forwarded-For: 1.2.3.4',
      'X-Forwarded-Host: evil',
      'X-Forwarded-Proto: http',
      'X-Forwarded-Port: 1',
      'X-Real-IP: 1.2.3.4',
      'X-Scheme: http',
      'X-Forwarded-Scheme: http',
    ),
    'forwarded, repeated': withLines('X-Forwarded-For: 1.2.3.4', 'X-Forwarded-For: 5.6.7.8, 9.9.9.9'),
    'forwarded, RFC 7239': withLines('Forwarded: for=1.2.3.4;host=evil'),
    original: withLines('X-Original-Forwarded-For: 1.2.3.4', 'X-Original-Forwarded-Host: evil'),
    'request id': withLines('X-Request-ID: abc-1.2'),
    'request id, odd': withLines('X-Request-ID: <script> "x"'),
    'request id, empty': withLines('X-Request-ID:'),
    proxy: withLines('Proxy: http://evil'),
  },
  hop: {
    'named in Connection': withLines('Connection: x-hop', 'X-Hop: 1', 'X-Stay: 1'),
    close: withLines('Connection: close'),
    'Keep-Alive': withLines('Keep-Alive: timeout=5', 'Connection: keep-alive'),
    'Proxy-*': withLines('Proxy-Connection: keep-alive', 'Proxy-Authorization: Basic eDp5'),
    TE: withLines('TE: trailers', 'Connection: TE'),
    Trailer: withLines('Trailer: X-A'),
    'Upgrade: h2c': withLines('Upgrade: h2c', 'Connection: Upgrade, HTTP2-Settings', 'HTTP2-Settings: AAAA'),
    'Upgrade: other': withLines('Upgrade: foo', 'Connection: Upgrade'),
    'Upgrade without Connection': withLines('Upgrade: foo'),
  },
  body: {
    length: post(['Content-Length: 5'], 'hello'),
    'length zero': post(['Content-Length: 0'], ''),
    'GET with a body': plain('GET', '/', ['Content-Length: 5'], 'hello'),
    chunked: post(['Transfer-Encoding: chunked'], '5\r\nhello\r\n0\r\n\r\n'),
    'chunked, extensions and trailers': post(
      ['Transfer-Encoding: chunked'],
      '5;a=b\r\nhello\r\n0\r\nX-T: 1\r\n\r\n',
    ),
    'chunked, in capitals': post(['Transfer-Encoding: Chunked'], '5\r\nhello\r\n0\r\n\r\n'),
    'chunked and length': post(['Transfer-Encoding: chunked', 'Content-Length: 5'], '0\r\n\r\n'),
    'chunked twice': post(['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], '0\r\n\r\n'),
    'chunked, HTTP/1.0': `${raw('POST / HTTP/1.0', host, 'Transfer-Encoding: chunked')}0\r\n\r\n`,
    'unknown coding': post(['Transfer-Encoding: xchunked'], '0\r\n\r\n'),
    'gzip and chunked': post(['Transfer-Encoding: gzip, chunked'], '0\r\n\r\n'),
    identity: post(['Transfer-Encoding: identity'], ''),
    'two lengths': post(['Content-Length: 5', 'Content-Length: 5'], 'hello'),
    'two different lengths': post(['Content-Length: 5', 'Content-Length: 6'], 'hello1'),
    'length list': post(['Content-Length: 5, 5'], 'hello'),
    'length with a sign': post(['Content-Length: +5'], 'hello'),
    'negative length': post(['Content-Length: -5'], 'hello'),
    'length in hex': post(['Content-Length: 0x5'], 'hello'),
    'length beyond numbers': post(['Content-Length: 99999999999999999999'], ''),
    'bad chunk size': post(['Transfer-Encoding: chunked'], 'zz\r\nhello\r\n0\r\n\r\n'),
    'negative chunk size': post(['Transfer-Encoding: chunked'], '-5\r\nhello\r\n0\r\n\r\n'),
    'chunk size beyond numbers': post(
      ['Transfer-Encoding: chunked'],
      'fffffffffffffffffff\r\nhello\r\n0\r\n\r\n',
    ),
    'chunk longer than said': post(['Transfer-Encoding: chunked'], '5\r\nhello!\r\n0\r\n\r\n'),
    'as large as may be': post(['Content-Length: 1048576'], 'x'.repeat(1_048_576)),
    'one byte larger': post(['Content-Length: 1048577'], 'x'.repeat(1_048_577)),
    'said to be larger': post(['Content-Length: 2000000000'], ''),
    'chunked, as large as may be': post(
      ['Transfer-Encoding: chunked'],
      `100000\r\n${'x'.repeat(1_048_576)}\r\n0\r\n\r\n`,
    ),
    'chunked, one byte larger': post(
      ['Transfer-Encoding: chunked'],
      `100001\r\n${'x'.repeat(1_048_577)}\r\n0\r\n\r\n`,
    ),
    'expects 100': post(['Content-Length: 5', 'Expect: 100-continue'], 'hello'),
    'expects something': post(['Content-Length: 5', 'Expect: nonsense'], 'hello'),
  },
};

/** On hosts without auth-tls nginx passes on what clients forge. */
const onPublicHost: ReadonlySet<string> = new Set(['forged']);

/** The TLS port, spoken to without TLS. */
const withoutTls: Readonly<Record<string, string>> = {
  GET: get('/'),
  'POST with a body': post(['Content-Length: 5'], 'hello'),
  'without Host': raw('GET / HTTP/1.1'),
  'HTTP/1.0': raw('GET / HTTP/1.0'),
  'a bad path': get('/../x'),
};

await t.test('every request ends as at nginx, but for those listed', needs('nginx', '-v'), async (t) => {
  const ca = await createAuthority({ cn: 'CA A' });
  const certificate = await ca.issue({ cn: 'a' });
  const hosts: HostSpec[] = [
    { name: 'a.test', clientAuth: { verify: 'on', ca: 'a.pem' }, passCertificate: true },
    { name: 'b.test', clientAuth: { verify: 'optional', ca: 'a.pem' } },
    { name: 'public.test' },
  ];
  const server = await ca.issue({ cn: 'server', hosts: ['a.test'], usage: 'server' });
  const sides = await startSides(t, hosts, {
    'server.pem': server.bundle,
    'server.key': server.key,
    'a.pem': ca.cert,
  });
  const cases: Case[] = [];
  for (const [group, named] of Object.entries(requests)) {
    for (const [name, bytes] of Object.entries(named)) {
      cases.push({ title: `${group}: ${name}`, serverName: 'a.test', certificate, bytes });
      if (!onPublicHost.has(group)) continue;
      cases.push({
        title: `${group}, public: ${name}`,
        serverName: 'public.test',
        bytes: bytes.replace(host, 'Host: public.test'),
      });
    }
  }
  for (const [name, bytes] of Object.entries(withoutTls)) {
    cases.push({ title: `without TLS: ${name}`, plain: true, bytes });
  }
  const compared = await playAll(cases, sides);
  judge(t, compared, differences);
  // A smuggled request would be one that the backend saw and no client asked for.
  const answered = compared
    .flatMap(({ nginx, ours }) => [nginx, ours])
    .filter(({ outcome }) => outcome?.startsWith('forwarded'));
  t.equal(sides.served(), answered.length, 'the backend served a request for each that was forwarded');
});

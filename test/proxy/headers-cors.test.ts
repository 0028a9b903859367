import * as fc from 'fast-check';
import t from 'tap';
import type { CorsConfig } from '../../src/config/schema/cors.ts';
import { compileCors } from '../../src/snapshot/compile/cors.ts';
import type { Cors } from '../../src/snapshot/cors.ts';
import { allowedOrigin, preflightHeaders, withCors } from '../../src/proxy/headers/cors.ts';
import { readPreflight } from '../../src/proxy/headers/preflight.ts';

const cors = (config: CorsConfig): Cors => compileCors(config)!;
const some = cors({
  origins: ['https://a.example', 'https://*.b.example', 'http://*.c.example:8080', 'https://D.Example:8443'],
});
const any = cors({});

void t.test('an origin may only where it is one of those configured, whole', (t) => {
  const allowed = [
    'https://a.example',
    'https://x.b.example',
    'https://x-1.b.example',
    'http://x.c.example:8080',
    'https://d.example:8443',
  ];
  for (const origin of allowed) t.equal(allowedOrigin(some, origin), origin, origin);
  const refused = [
    '',
    'null',
    '*',
    'a.example',
    'http://a.example',
    'https://a.example:443',
    'https://a.example:8443',
    'https://a.example/',
    'https://a.example.evil',
    'https://a.example.evil.example',
    'https://evila.example',
    'https://x.a.example',
    'https://a.example https://evil.example',
    'https://evil.example https://a.example',
    'https://evil.example,https://a.example',
    'evil://https://a.example',
    'https://aXexample',
    'https://b.example',
    'https://.b.example',
    'https://evilb.example',
    'https://x.y.b.example',
    'https://x.b.example.evil',
    'https://evil.example/x.b.example',
    'https://evil.example?x.b.example',
    'https://evil.example#x.b.example',
    'https://evil.example:1.b.example',
    'https://user@x.b.example',
    'https://evil.example\\.b.example',
    'https://*.b.example',
    'https://x.b.example:443',
    'http://x.b.example',
    'http://x.c.example',
    'https://x.b.example\r\nSet-Cookie: a=b',
    'https://\r\nSet-Cookie: a=b\r\n.b.example',
    'https://x\0.b.example',
    'https://é.b.example',
  ];
  for (const origin of refused) t.equal(allowedOrigin(some, origin), null, JSON.stringify(origin));
  t.equal(allowedOrigin(some, null), null);
  t.end();
});

void t.test('whatever an Origin holds, it is never echoed unless it is an origin of the list', (t) => {
  const parts = fc.constantFrom(
    'https://',
    'http://',
    'a.example',
    '.b.example',
    'x',
    '.',
    ':8443',
    '/',
    '@',
    '\r\n',
    'null',
  );
  const origins = fc.oneof(
    fc.string(),
    fc.array(parts).map((list) => list.join('')),
  );
  fc.assert(
    fc.property(origins, (origin) => {
      const echoed = allowedOrigin(some, origin);
      return (
        echoed === null || /^https:\/\/(?:a\.example|[a-z0-9-]+\.b\.example|d\.example:8443)$/i.test(echoed)
      );
    }),
  );
  t.end();
});

void t.test('everyone is `*`, with no origin echoed and no credentials, also beside others', (t) => {
  for (const policy of [any, cors({ origins: ['https://a.example', '*'], credentials: true })]) {
    const headers = preflightHeaders(policy, 'https://evil.example');
    t.equal(headers[headers.indexOf('Access-Control-Allow-Origin') + 1], '*');
    t.notOk(headers.includes('Access-Control-Allow-Credentials'));
    t.notOk(headers.includes('Vary'));
    t.notMatch(headers.join(), /evil/);
  }
  t.end();
});

void t.test("a preflight's answer says what ingress-nginx's says", (t) => {
  t.strictSame(preflightHeaders(some, 'https://a.example'), [
    'Access-Control-Allow-Origin',
    'https://a.example',
    'Access-Control-Allow-Credentials',
    'true',
    'Access-Control-Allow-Methods',
    'GET, PUT, POST, DELETE, PATCH, OPTIONS',
    'Access-Control-Allow-Headers',
    'DNT,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,Cache-Control,Content-Type,Range,Authorization',
    'Access-Control-Max-Age',
    '1728000',
    'Vary',
    'Origin',
  ]);
  t.strictSame(preflightHeaders(some, 'https://evil.example'), ['Vary', 'Origin']);
  const narrow = cors({
    origins: ['https://a.example'],
    methods: ['GET'],
    headers: ['X-One', 'X-Two'],
    exposeHeaders: ['X-Three'],
    credentials: false,
    maxAge: '1500ms',
  });
  t.strictSame(preflightHeaders(narrow, 'https://a.example'), [
    'Access-Control-Allow-Origin',
    'https://a.example',
    'Access-Control-Expose-Headers',
    'X-Three',
    'Access-Control-Allow-Methods',
    'GET',
    'Access-Control-Allow-Headers',
    'X-One,X-Two',
    'Access-Control-Max-Age',
    '1',
    'Vary',
    'Origin',
  ]);
  t.end();
});

void t.test('what an upstream says about CORS is replaced, in any letter case', (t) => {
  const upstream = [
    'access-control-allow-origin',
    '*',
    'ACCESS-CONTROL-ALLOW-CREDENTIALS',
    'true',
    'Access-Control-Allow-Private-Network',
    'true',
    'Access-Control-Max-Age',
    '1',
    'Access-Control-Expose-Headers',
    'X-Own',
    'X',
    'y',
  ];
  const kept = ['Access-Control-Expose-Headers', 'X-Own', 'X', 'y'];
  t.strictSame(withCors(upstream, some, 'https://a.example'), [
    ...kept,
    'Access-Control-Allow-Origin',
    'https://a.example',
    'Access-Control-Allow-Credentials',
    'true',
    'Vary',
    'Origin',
  ]);
  for (const origin of ['https://evil.example', 'null', null]) {
    t.strictSame(withCors(upstream, some, origin), [...kept, 'Vary', 'Origin']);
  }
  t.strictSame(withCors(upstream, any, null), [...kept, 'Access-Control-Allow-Origin', '*']);
  const exposing = cors({ exposeHeaders: ['X-Ours'] });
  t.strictSame(withCors(upstream, exposing, null), [
    'X',
    'y',
    'Access-Control-Allow-Origin',
    '*',
    'Access-Control-Expose-Headers',
    'X-Ours',
  ]);
  t.end();
});

void t.test('Vary names Origin once', (t) => {
  for (const value of ['Origin', 'Accept, origin', '*', 'origin ,Accept']) {
    t.strictSame(withCors(['vary', value], some, null), ['vary', value], value);
  }
  for (const value of ['Accept', 'X-Origin', 'Origin-X']) {
    t.strictSame(withCors(['vary', value], some, null), ['vary', value, 'Vary', 'Origin'], value);
  }
  t.end();
});

void t.test('a preflight is OPTIONS with one Origin and one Access-Control-Request-Method', (t) => {
  const origin = ['oRIGIN', ' https://a.example '];
  const method = ['Access-Control-Request-Method', 'PUT'];
  t.strictSame(readPreflight('OPTIONS', [...origin, ...method]), { origin: 'https://a.example' });
  t.equal(readPreflight('GET', [...origin, ...method]), null);
  t.equal(readPreflight('options', [...origin, ...method]), null);
  t.equal(readPreflight('OPTIONS', origin), null);
  t.equal(readPreflight('OPTIONS', method), null);
  t.equal(readPreflight('OPTIONS', [...origin, ...origin, ...method]), null);
  t.equal(readPreflight('OPTIONS', [...origin, ...method, ...method]), null);
  t.end();
});

import { isDeepStrictEqual } from 'node:util';
import * as fc from 'fast-check';
import t from 'tap';
import { hasHazard, normalisePath, type PathHazard } from '../../src/snapshot/path.ts';

// The right column is nginx 1.22.1's $uri for the same request, with what may not stand raw encoded again.
const readings = [
  ['/', '/'],
  ['/a/b', '/a/b'],
  ['/a/b/', '/a/b/'],
  ['/.well-known/x', '/.well-known/x'],
  ['/a.b/..c/d..', '/a.b/..c/d..'],
  ['//', '/'],
  ['///a//b///', '/a/b/'],
  ['/a/./b', '/a/b'],
  ['/a/.', '/a/'],
  ['/.', '/'],
  ['/a/..', '/'],
  ['/a/../', '/'],
  ['/a/b/../c', '/a/c'],
  ['/a/b/..', '/a/'],
  ['/a//../b', '/b'],
  ['/a/%2e%2E/b', '/b'],
  ['/a/%2E/b', '/a/b'],
  ['/a/.%2e/b', '/b'],
  ['/%61dmin', '/admin'],
  ['/%7Euser/%2D%5F', '/~user/-_'],
  ['/a%2fb', '/a%2Fb'],
  ['/a%3ab', '/a%3Ab'],
  ['/%c3%b1', '/%C3%B1'],
  ['/a b'.replace(' ', '%20'), '/a%20b'],
  ["/!$&'()*+,;=:@", "/!$&'()*+,;=:@"],
  ['/"<>`{}|^[]\\', '/%22%3C%3E%60%7B%7D%7C%5E%5B%5D%5C'],
  ['/%2541', '/%2541'],
  ['/a/..;/b', '/a/..;/b'],
  ['/a%09b', '/a%09b'],
] as const;

void t.test('a path has one reading', async (t) => {
  for (const [raw, path] of readings) t.equal(normalisePath(raw)?.path, path, raw);
});

void t.test('what nginx answers 400 has no reading', async (t) => {
  for (const raw of ['/..', '/../a', '/a/../..', '/a/%2e%2e/%2e%2e/b', '/a/..//..', '/%00', '/a%00b']) {
    t.equal(normalisePath(raw), null, raw);
  }
  for (const raw of ['/%', '/%2', '/%zz', '/%2g', '/a%', '/%%32e', '/%u002e', '/%-1']) {
    t.equal(normalisePath(raw), null, raw);
  }
});

void t.test('what is no path has no reading', async (t) => {
  for (const raw of [
    '',
    'a',
    '*',
    '?',
    '/a?b',
    '/a#b',
    '/a b',
    '/a\tb',
    '/a\r\nb',
    '/\0',
    '/\x7f',
    '/\xf1',
    '/ñ',
  ]) {
    t.equal(normalisePath(raw), null, JSON.stringify(raw));
  }
});

void t.test('hazards are named', async (t) => {
  const cases: readonly (readonly [string, readonly PathHazard[]])[] = [
    ['/a/b', []],
    ['/a%20b/%C3%B1/%22', []],
    ['/users/a%40b.test', []],
    ['/100%25', []],
    ['/100%25%20cotton', []],
    ['/a%2520b', []],
    ['/%C3%A9/%E2%82%AC/%F0%9F%98%80', []],
    ['/public%2f..%2fadmin', ['encoded_slash']],
    ['/public\\..\\admin', ['backslash']],
    ['/public%5c..%5Cadmin', ['backslash']],
    ['/admin%01', ['control']],
    ['/admin%0d%0aX', ['control']],
    ['/admin%7f', ['control']],
    ['/%252e%252e/admin', ['double_encoding']],
    ['/%252E', ['double_encoding']],
    ['/public%252fadmin', ['double_encoding']],
    ['/%25%32%66admin', ['double_encoding']],
    ['/%2561dmin', ['double_encoding']],
    ['/%25252e', ['double_encoding']],
    ['/a%2500', ['double_encoding']],
    ['/%25u002e', ['double_encoding']],
    ['/%c0%ae%c0%ae/admin', ['overlong_utf8']],
    ['/%C1%9C', ['overlong_utf8']],
    ['/%e0%80%af', ['overlong_utf8']],
    ['/%f0%80%80%af', ['overlong_utf8']],
    ['/public/..;/admin', ['dot_parameter', 'parameter']],
    ['/public/..;a=b/admin', ['dot_parameter', 'parameter']],
    ['/public/%2e%2e%3B/admin', ['dot_parameter', 'parameter']],
    ['/.;/admin', ['dot_parameter', 'parameter']],
    ['/admin;x=y', ['parameter']],
    ['/admin%3bx', ['parameter']],
  ];
  for (const [raw, hazards] of cases) t.strictSame(normalisePath(raw)?.hazards, hazards, raw);
});

void t.test(
  'the alternative reading is that of a server which drops parameters and decodes delimiters',
  async (t) => {
    for (const [raw, alternative] of [
      ['/a/b', null],
      ['/a%20b', null],
      ['/a:b@c', null],
      ['/admin;x', '/admin'],
      ['/admin;x=y/users;z', '/admin/users'],
      ['/admin%3Bx/y', '/admin/y'],
      ['/;x/admin', '/admin'],
      ['/;x', '/'],
      ['/a%3Ab', '/a:b'],
      ['/%21%24%26%27%28%29%2A%2B%2C%3D%40', "/!$&'()*+,=@"],
    ] as const) {
      t.equal(normalisePath(raw)?.alternative, alternative, raw);
    }
  },
);

void t.test('a parameter is a hazard only where the other reading leads elsewhere', async (t) => {
  const admin = {} as never;
  const rest = {} as never;
  const routes = { find: (path: string) => (path === '/admin' || path === '/a:b' ? admin : rest) };
  const hazardous = (raw: string, given?: typeof routes): boolean => {
    const path = normalisePath(raw);
    if (path === null) throw new Error(`${raw} has no reading`);
    return hasHazard(path, given);
  };
  t.equal(hazardous('/admin;x', routes), true);
  t.equal(hazardous('/a%3Ab', routes), true);
  t.equal(hazardous('/shop;jsessionid=1', routes), false);
  t.equal(hazardous('/users/a%40b', routes), false);
  t.equal(hazardous('/shop;jsessionid=1'), true, 'without routes to compare, any parameter counts');
  t.equal(hazardous('/shop/..;/x', routes), true, 'a dot segment with a parameter always counts');
  t.equal(hazardous('/shop%2fx', routes), true);
  t.equal(hazardous('/shop', routes), false);
});

const rawPath = fc
  .string({
    unit: fc.oneof(
      fc.constantFrom(
        '/',
        '/',
        '.',
        '..',
        '%2e',
        '%2E',
        '%2f',
        '%25',
        '%252e',
        '%5c',
        ';',
        '%3b',
        'a',
        '%61',
        '%00',
      ),
      fc.constantFrom('%', '%4', '%C0%AE', '"', '\\', '[', '%C3%B1', '%0A', '~', ':', '%3A'),
      fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 1 }),
    ),
    maxLength: 30,
  })
  .map((text) => `/${text}`);

void t.test('normalising twice is normalising once, hazards included', async () => {
  fc.assert(
    fc.property(rawPath, (raw) => {
      const once = normalisePath(raw);
      return once === null || isDeepStrictEqual(normalisePath(once.path), once);
    }),
    { numRuns: 1000 },
  );
});

void t.test('no normalised path climbs, hides a dot, or holds a character that a path may not', async () => {
  fc.assert(
    fc.property(rawPath, (raw) => {
      const path = normalisePath(raw)?.path;
      return (
        path === undefined ||
        (/^\/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-F]{2})*$/.test(path) &&
          !/\/\/|\/\.\.?(?:\/|$)|%(?:2E|2D|5F|7E|00|3[0-9]|[46][1-9A-F]|[57][0-9A])/.test(path))
      );
    }),
    { numRuns: 1000 },
  );
});

void t.test('what a hazard-free path decodes to has the segments that were matched', async () => {
  fc.assert(
    fc.property(rawPath, (raw) => {
      const normal = normalisePath(raw);
      if (normal === null || normal.hazards.length > 0) return true;
      // A backend that decodes first and resolves afterwards, once or twice, sees the same segments.
      const decode = (text: string): string =>
        text.replaceAll(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
          String.fromCharCode(Number.parseInt(hex, 16)),
        );
      const segments = (text: string): number => text.split(/[/\\]/).length;
      for (const read of [decode(normal.path), decode(decode(normal.path))]) {
        if (/(?:^|[/\\])\.\.?(?:[/\\;]|$)/.test(read)) return false;
        if (segments(read) !== segments(normal.path)) return false;
      }
      return true;
    }),
    { numRuns: 1000 },
  );
});

void t.test('a hostile path costs linear time', async (t) => {
  const started = process.hrtime.bigint();
  for (const unit of ['/', '/..', '/a/..', '%2e', '/%2e%2e;', '%', ';', '/;', '%25', '.']) {
    normalisePath(`/a${unit.repeat(100_000)}`);
  }
  t.ok(process.hrtime.bigint() - started < 3_000_000_000n);
});

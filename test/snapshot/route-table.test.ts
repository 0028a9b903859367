import * as fc from 'fast-check';
import t from 'tap';
import type { PathType } from '../../src/config/schema.ts';
import { compilePathPattern } from '../../src/snapshot/path-pattern.ts';
import { createRouteTable } from '../../src/snapshot/route-table.ts';
import type { Route } from '../../src/snapshot/snapshot.ts';
import { testRoute } from '../support/route.ts';

function route(pathType: PathType, path: string): Route {
  const pattern = pathType === 'Regex' ? compilePathPattern(path) : null;
  if (pattern !== null && 'problem' in pattern) throw new Error(pattern.problem);
  return testRoute('a.test', path, { id: `${pathType} ${path}`, pathType, pattern });
}

await t.test('Exact beats Prefix, the longest prefix wins, and prefixes end at segments', async (t) => {
  const table = createRouteTable([
    route('Prefix', '/'),
    route('Prefix', '/api'),
    route('Prefix', '/api/v2/'),
    route('Exact', '/api'),
    route('Exact', '/only/'),
  ]);
  const cases: Record<string, string> = {
    '/': 'Prefix /',
    '/apis': 'Prefix /',
    '/api': 'Exact /api',
    '/api/': 'Prefix /api',
    '/api/v1': 'Prefix /api',
    '/api/v2': 'Prefix /api/v2/',
    '/api/v2/': 'Prefix /api/v2/',
    '/api/v2/x/y': 'Prefix /api/v2/',
    '/api/v22': 'Prefix /api',
    '/only': 'Prefix /',
    '/only/': 'Exact /only/',
    '/API': 'Prefix /',
  };
  for (const [path, id] of Object.entries(cases)) t.equal(table.find(path)?.id, id, path);
});

await t.test('without a route for / an unknown path finds none', async (t) => {
  const table = createRouteTable([route('Prefix', '/api'), route('Exact', '/x')]);
  for (const path of ['/', '/ap', '/x/', '/x/y', '/y']) t.equal(table.find(path), null, path);
});

const segment = fc.constantFrom('a', 'b', 'ab', '');
const path = fc.array(segment, { maxLength: 5 }).map((segments) => `/${segments.join('/')}`);

/** The rule as Kubernetes words it, the slow way: every route looked at, the best one kept. */
function findSlowly(routes: readonly Route[], wanted: string): string | null {
  const exact = routes.find((one) => one.pathType === 'Exact' && one.path === wanted);
  if (exact !== undefined) return exact.id;
  const bare = (text: string): string => text.replace(/\/$/, '');
  const covers = (one: Route): boolean =>
    one.pathType === 'Prefix' &&
    (bare(wanted) === bare(one.path) || bare(wanted).startsWith(`${bare(one.path)}/`));
  const best = routes
    .filter(covers)
    .reduce<Route | null>(
      (b, one) => (b === null || bare(one.path).length > bare(b.path).length ? one : b),
      null,
    );
  return best?.id ?? null;
}

await t.test('finds what looking at every route would find', async (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom<PathType>('Exact', 'Prefix'), path), { maxLength: 8 }),
      path,
      (routes, wanted) => {
        const all = routes.map(([type, text]) => route(type, text));
        return (createRouteTable(all).find(wanted)?.id ?? null) === findSlowly(all, wanted);
      },
    ),
    { numRuns: 2000 },
  );
  t.pass('2000 tables');
});

await t.test(
  'RawPrefix covers by character, and the longest of both kinds of prefix wins as in nginx',
  async (t) => {
    const table = createRouteTable([
      route('RawPrefix', '/'),
      route('RawPrefix', '/foo'),
      route('RawPrefix', '/foo/b'),
      route('Prefix', '/foo'),
      route('RawPrefix', '/x/'),
      route('Prefix', '/raw/deep'),
      route('RawPrefix', '/raw/deep/er'),
    ]);
    const cases: Record<string, string> = {
      '/': 'RawPrefix /',
      '/foobar': 'RawPrefix /foo',
      '/foo': 'Prefix /foo',
      '/foo/': 'Prefix /foo',
      '/foo/a': 'Prefix /foo',
      '/foo/bar': 'RawPrefix /foo/b',
      '/x': 'RawPrefix /',
      '/x/y': 'RawPrefix /x/',
      '/raw/deep/x': 'Prefix /raw/deep',
      '/raw/deep/erer': 'RawPrefix /raw/deep/er',
    };
    for (const [path, id] of Object.entries(cases)) t.equal(table.find(path)?.id, id, path);
  },
);

await t.test(
  'Regex is tried behind Exact and before prefixes, first written first, in any letter case',
  async (t) => {
    const table = createRouteTable([
      route('Prefix', '/api'),
      route('Regex', '/api/v[0-9]+/users'),
      route('Regex', '/API/v1'),
      route('Regex', '/(a|b)/x'),
      route('Regex', '/end$'),
      route('Exact', '/api/v1/users'),
      route('Regex', '/a.c'),
      route('Regex', '/one|/two'),
    ]);
    const cases: Record<string, string | undefined> = {
      '/api/v1/users': 'Exact /api/v1/users',
      '/api/v1/users/7': 'Regex /api/v[0-9]+/users',
      '/API/V2/USERS': 'Regex /api/v[0-9]+/users',
      '/api/v1': 'Regex /API/v1',
      '/api/v2': 'Prefix /api',
      '/B/xy': 'Regex /(a|b)/x',
      '/end': 'Regex /end$',
      '/ends': undefined,
      '/abc': 'Regex /a.c',
      // nginx puts its `^` before the whole text, so that the second branch is not held to the start.
      '/zero/two': 'Regex /one|/two',
      '/x/end': undefined,
    };
    for (const [path, id] of Object.entries(cases)) t.equal(table.find(path)?.id, id, path);
  },
);

await t.test('what a pattern must begin with never hides a match', async () => {
  const piece = fc.constantFrom(
    'a',
    'B',
    '/',
    '\\.',
    '.',
    '(a|b)',
    'b?',
    'a*',
    'B+',
    '[ab]',
    '(?:ab)?',
    '|',
    'a{2}',
    '$',
  );
  const pattern = fc.array(piece, { maxLength: 6 }).map((pieces) => `/${pieces.join('')}`);
  const text = fc.array(fc.constantFrom('a', 'b', 'A', 'B', '/', '.'), { maxLength: 6 });
  fc.assert(
    fc.property(pattern, text, (written, characters) => {
      const compiled = compilePathPattern(written);
      if ('problem' in compiled) return;
      const wanted = `/${characters.join('')}`;
      const found = createRouteTable([route('Regex', written)]).find(wanted) !== null;
      if (found !== compiled.test(wanted)) throw new Error(`${written} on ${wanted}`);
    }),
    { numRuns: 2000 },
  );
});

await t.test('a path too long for patterns is refused, on hosts that have some', async (t) => {
  const long = `/${'a'.repeat(5000)}`;
  t.equal(createRouteTable([route('Regex', '/a+')]).refusesLength(long), true);
  t.equal(createRouteTable([route('Regex', '/a+')]).refusesLength('/aaa'), false);
  t.equal(createRouteTable([route('Prefix', '/')]).refusesLength(long), false);
});

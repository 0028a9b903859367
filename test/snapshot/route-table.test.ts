import * as fc from 'fast-check';
import t from 'tap';
import { createRouteTable } from '../../src/snapshot/route-table.ts';
import type { Route } from '../../src/snapshot/snapshot.ts';

type PathType = 'Exact' | 'Prefix';

function route(pathType: PathType, path: string): Route {
  return {
    id: `${pathType} ${path}`,
    hostId: 'a.test',
    path,
    pathType,
    policy: null,
    upstream: 'u',
    identityHeaders: { dialects: [], certificate: false, templates: new Map() },
    timeouts: { connectMs: 1, sendMs: 1, readMs: 1 },
    bodyLimit: 1,
    upgrade: [],
  };
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

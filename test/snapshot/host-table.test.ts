import t from 'tap';
import { createHostTable } from '../../src/snapshot/host-table.ts';
import { createRouteTable } from '../../src/snapshot/route-table.ts';
import { testHostAuth } from '../support/client-auth.ts';
import { enforced } from '../../src/snapshot/report.ts';
import type { Host } from '../../src/snapshot/snapshot.ts';

function host(...names: string[]): Host {
  return {
    id: names[0]!,
    names,
    certificate: { cert: '', key: '' },
    stapling: null,
    clientAuth: testHostAuth('off', ''),
    policy: null,
    reports: enforced,
    routes: createRouteTable([]),
    judgesPaths: false,
  };
}

await t.test('an exact name beats a wildcard, and a wildcard stands for exactly one label', async (t) => {
  const table = createHostTable([host('*.a.test'), host('b.a.test', 'c.test'), host('127.0.0.1', '::1')]);
  const cases: Record<string, string | undefined> = {
    'x.a.test': '*.a.test',
    'b.a.test': 'b.a.test',
    'c.test': 'b.a.test',
    'a.test': undefined,
    'y.x.a.test': undefined,
    '*.a.test': '*.a.test',
    test: undefined,
    '': undefined,
    '127.0.0.1': '127.0.0.1',
    '::1': '127.0.0.1',
    '128.0.0.1': undefined,
  };
  for (const [name, id] of Object.entries(cases)) t.equal(table.find(name)?.id, id, JSON.stringify(name));
});

await t.test('names of Object.prototype are no hosts', async (t) => {
  const table = createHostTable([host('a.test')]);
  for (const name of ['__proto__', 'constructor', 'hasOwnProperty']) t.equal(table.find(name), null);
});

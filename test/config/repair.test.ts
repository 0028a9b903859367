import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as fc from 'fast-check';
import t, { type Test } from 'tap';
import { parse, stringify } from 'yaml';
import { loadConfig } from '../../src/config/load.ts';
import { Places } from '../../src/config/places.ts';
import { formatProblem, pointer, type Problem } from '../../src/config/problem.ts';
import { checkShape } from '../../src/config/shape.ts';
import { repair } from '../../src/config/repair.ts';
import { changed, folder, material, valid } from './fixture.ts';

const files = await material();

async function problemsIn(t: Test, text: string): Promise<string[]> {
  const path = folder(t, { ...files, 'c.yaml': text });
  const { problems } = await loadConfig(join(path, 'c.yaml'));
  return problems.map((problem) => formatProblem({ ...problem, file: 'c.yaml' }).replace('c.yaml:', ''));
}

void t.test('every problem of a file is told at once, whatever kinds there are', async (t) => {
  const text = `listeners: { https: { port: 8443 } }
hots: [{ names: [a] }]
hosts:
  - names: ["*.*.x", a.test]
    certificate: { cert: nope.pem, key: nope.key }
    clientAuth: { mode: requires, ca: missing.pem }
    policy: { ou: { regex: "(" }, cnn: x }
    routes: [{ path: /, upstream: ap, timeouts: { read: 5 } }]
upstreams: { app: { endpoints: ["127.0.0.1"] } }
`;
  t.match(await problemsIn(t, text), [
    /^2:1 \/hots unknown key `hots`, did you mean `hosts`\?$/,
    /^4:13 \/hosts\/0\/names\/0 `\*\.\*\.x`: a wildcard/,
    /^5:26 \/hosts\/0\/certificate\/cert `nope.pem` is not there$/,
    /^5:41 \/hosts\/0\/certificate\/key `nope.key` is not there$/,
    /^6:25 \/hosts\/0\/clientAuth\/mode must be .* did you mean `require`\?$/,
    /^6:39 \/hosts\/0\/clientAuth\/ca `missing.pem` is not there$/,
    /^7:19 \/hosts\/0\/policy\/ou not a regular expression/,
    /^7:35 \/hosts\/0\/policy\/cnn unknown key `cnn`, did you mean `cn`\?$/,
    /^8:35 \/hosts\/0\/routes\/0\/upstream there is no upstream `ap`, did you mean `app`\?$/,
    /^8:57 \/hosts\/0\/routes\/0\/timeouts\/read must be a length of time/,
    /^9:14 \/upstreams\/app warning: no route leads to this upstream$/,
    /^9:33 \/upstreams\/app\/endpoints\/0 must be address:port/,
  ]);
});

void t.test('nothing is concluded from what does not fit', async (t) => {
  const alone: [piece: string, by: string, path: string][] = [
    ['mode: require\n', 'mode: x\n', '/hosts/0/clientAuth/mode'],
    ['      ca: ca.pem\n', '      ca: 5\n', '/hosts/0/clientAuth/ca'],
    ['[a.example.com,', '[5,', '/hosts/0/names/0'],
    ['upstream: tls', 'upstream: [tls]', '/hosts/0/routes/1/upstream'],
    ["endpoints: ['backend.internal:443']", 'endpoints: x', '/upstreams/tls/endpoints'],
    ['cert: client.pem', 'cert: []', '/upstreams/tls/tls/cert'],
    ['tls: { ca: ca.pem, serverName', 'tls: { ca: {}, serverName', '/upstreams/tls/tls/ca'],
    [
      'admin: { address: 127.0.0.1, port: 9090 }',
      'admin: { address: 5, port: 8443 }',
      '/listeners/admin/address',
    ],
    ['port: 8443', 'port: x', '/listeners/https/port'],
    ['  - names: [public.example.com]\n', '  - names: []\n', '/hosts/1/names'],
    ['interval: 5s', 'interval: 5', '/upstreams/app/health/interval'],
    ['maxDuration: 1m', 'maxDuration: 1', '/upstreams/app/ejection/maxDuration'],
    ['policy: { ou: ITOps }', 'policy: {}', '/hosts/0/routes/0/policy'],
    ['- subject: { L: Kathmandu }', '- subject: { "1-": Kathmandu }', '/hosts/0/policy/any/2/subject'],
  ];
  for (const [piece, by, path] of alone) {
    const told = await problemsIn(t, changed([piece, by]));
    t.equal(told.length, 1, told.join('\n'));
    t.equal(told[0]?.split(' ')[1], path);
  }
});

void t.test('an upstream whose name does not fit is judged, and routes may mean it', async (t) => {
  const text = changed(
    ['  tls:\n', '  t/s:\n'],
    ['upstream: tls', 'upstream: t/s'],
    ['.internal:443', '.internal:0'],
  );
  t.match(await problemsIn(t, text), [
    /^39:3 \/upstreams\/t~1s `t\/s` is not a name of letters/,
    /^40:17 \/upstreams\/t~1s\/endpoints\/0 .* a port is 1 to 65535$/,
  ]);
});

void t.test('a misspelt key is read as the one that was meant, and told of as it is written', async (t) => {
  const text = changed(
    ['  - names: [a.ex', '  - nmaes: [a..ex'],
    ['hosts:', 'host:'],
    ['ca: ca.pem', 'ca: x.pem'],
  );
  t.match(await problemsIn(t, text), [
    /^1:1 \/ lacks `hosts`/,
    /^5:1 \/host unknown key `host`, did you mean `hosts`\?$/,
    /^6:5 \/host\/0 lacks `names`/,
    /^6:5 \/host\/0\/nmaes unknown key `nmaes`, did you mean `names`\?$/,
    /^6:13 \/host\/0\/nmaes\/0 /,
    /^11:11 \/host\/0\/clientAuth\/ca `x.pem` is not there$/,
  ]);
});

void t.test('what belongs elsewhere is not missed there', async (t) => {
  const text = changed(
    ['      ca: ca.pem\n', ''],
    ['    policy:\n      o', '    ca: ca.pem\n    policy:\n      o'],
  );
  t.match(await problemsIn(t, text), [/\/hosts\/0\/ca unknown key `ca` here: it belongs into `clientAuth`$/]);
});

void t.test('repaired data fits the schema, and what it stands for is known', async (t) => {
  const repaired = (text: string): ReturnType<typeof repair> => {
    const data: unknown = parse(text);
    return repair(data, checkShape(data));
  };
  t.same(repaired(valid)?.config, parse(valid));
  t.same(repaired(valid.replace('accessLog:', 'acessLog:'))?.config, parse(valid));
  const other = repaired(valid.replace('[a.example.com,', '[5,'));
  t.same(checkShape(other?.config), []);
  t.equal(other?.config.hosts[0]?.names.length, 3, 'no item moves');
  t.equal(other?.isWritten('/hosts/0/names/0'), false);
  t.equal(other?.isWritten('/hosts/0/names/1'), true);
  for (const text of ['[]', '5', '{}', 'hosts: 1', 'hosts: [{}]', 'hosts: [[]]']) {
    t.same(checkShape(repaired(text)?.config), [], text);
  }
});

void t.test('places cover what is in them, and touch what they are in', async (t) => {
  const places = new Places();
  places.add('/hosts/3/routes');
  t.ok(places.cover('/hosts/3/routes'));
  t.ok(places.cover('/hosts/3/routes/0/path'));
  t.notOk(places.cover('/hosts/3'));
  t.notOk(places.cover('/hosts/3/routesque'));
  t.ok(places.touch('/hosts'));
  t.ok(places.touch(''));
  t.ok(places.touch('/hosts/*/routes/*/upstream'));
  t.notOk(places.touch('/hosts/*/names'));
  t.notOk(places.touch('/hosts/2/routes'));
  t.notOk(new Places().touch(''));
});

/** Every place of the data below the root. */
function placesOf(value: unknown, path = ''): string[] {
  if (typeof value !== 'object' || value === null) return [path];
  const below = Object.entries(value).flatMap(([key, part]) => placesOf(part, path + pointer(key)));
  return path === '' ? below : [path, ...below];
}

interface Mutation {
  readonly path: string;
  readonly by: unknown;
}

/** The valid configuration with other values at these places. */
function mutated(mutations: readonly Mutation[]): string {
  const data = parse(valid) as unknown;
  for (const { path, by } of mutations) {
    const keys = path
      .split('/')
      .slice(1)
      .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
    const last = keys.pop()!;
    let parent = data as Record<string, unknown>;
    for (const key of keys) parent = parent[key] as Record<string, unknown>;
    parent[last] = by;
  }
  return stringify(data);
}

const touches = (a: string, b: string): boolean => a === b || a.startsWith(`${b}/`);

/** What is judged together: a mutation of one may change what is said of the other. */
const together = [
  /^\/listeners\//,
  /^\/hosts\/0\/(clientAuth|policy|routes\/0\/policy|routes\/0$|routes$)/,
  /^\/hosts\/\d+\/(names|certificate)/,
  /^\/hosts\/\d+\/routes(\/\d+(\/path|\/pathType)?)?$/,
  /^\/(hosts\/\d+(\/routes(\/\d+(\/upstream)?)?)?|upstreams(\/[^/]+)?)$/,
  /^\/upstreams\/app\/endpoints/,
  /^\/upstreams\/tls\/tls/,
  /^\/upstreams\/app\/health/,
  /^\/upstreams\/app\/ejection/,
];

void t.test('two mistakes in unrelated places are both told, and nothing else is', async (t) => {
  const path = folder(t, files);
  const load = async (text: string): Promise<readonly Problem[]> => {
    await writeFile(join(path, 'c.yaml'), text);
    return (await loadConfig(join(path, 'c.yaml'))).problems;
  };
  const keysOf = (problems: readonly Problem[]): string[] =>
    problems.map(({ path: place, message }) => `${place} ${message}`);
  const mutation = fc.record({
    path: fc.constantFrom(...placesOf(parse(valid))),
    by: fc.constantFrom<unknown>(5, 0, -1, '', 'x', '/', 'off', true, null, [], ['x'], {}, { zz: 1 }, [5]),
  });
  await fc.assert(
    fc.asyncProperty(mutation, mutation, async (one, two) => {
      fc.pre(!touches(one.path, two.path) && !touches(two.path, one.path));
      fc.pre(!together.some((pattern) => pattern.test(one.path) && pattern.test(two.path)));
      const [first, second] = [keysOf(await load(mutated([one]))), keysOf(await load(mutated([two])))];
      const both = keysOf(await load(mutated([one, two])));
      t.same([...new Set(both)].sort(), [...new Set([...first, ...second])].sort());
    }),
    { numRuns: 150 },
  );
});

import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { policyTestsSchemaText } from '../../src/policy-tests/json-schema.ts';
import { loadTests } from '../../src/policy-tests/load.ts';
import { runTests } from '../../src/policy-tests/run.ts';
import { cleanNode } from '../support/program.ts';

const project = join(import.meta.dirname, '..', '..');
const folder = join(project, 'config');
const examples = readdirSync(folder).filter(
  (name) => name.endsWith('.yaml') && !name.endsWith('.tests.yaml'),
);

t.ok(examples.length >= 4);

await t.test('the committed JSON Schema is fresh', async (t) => {
  const committed = readFileSync(join(folder, 'policy-tests.schema.json'), 'utf8');
  t.equal(committed, policyTestsSchemaText(), '`npm run schema` writes it');
});

for (const example of examples) {
  await t.test(`config/${example} lets in whom its tests say, and nobody else`, async (t) => {
    const tests = await loadTests(join(folder, example.replace('.yaml', '.tests.yaml')));
    if ('problems' in tests) throw new Error(tests.problems.join('\n'));
    t.equal(tests.config, join(folder, example));
    const { cases } = await runTests(tests, tests.config!);
    for (const { name, miss, expected } of cases) t.equal(miss, null, `${name}: ${expected}`);
    t.ok(
      cases.some(({ expected }) => !expected.startsWith('allow')),
      'somebody is kept out',
    );
  });
}

await t.test('a policy that is taken out of an example fails its tests', async (t) => {
  const tests = await loadTests(join(folder, 'edge.tests.yaml'));
  if ('problems' in tests) throw new Error(tests.problems.join('\n'));
  const text = readFileSync(join(folder, 'edge.yaml'), 'utf8');
  const dir = t.testdir({ 'edge.yaml': text.replace("          not: { cn: '*-trainee' }\n", '') });
  const { cases } = await runTests(tests, join(dir, 'edge.yaml'));
  t.match(
    cases.filter(({ miss }) => miss !== null),
    [{ name: 'trainees do not', expected: 'deny: policy_not', miss: { text: 'allow (portal)' } }],
  );
});

await t.test('the command runs where it may write no file at all', async (t) => {
  // Node's permission model: any write ends the program with ERR_ACCESS_DENIED.
  const args = [
    '--permission',
    '--allow-fs-read=*',
    join(project, 'src/main.ts'),
    'test',
    'config/edge.tests.yaml',
  ];
  const { status, stdout, stderr } = spawnSync(...cleanNode(...args), { cwd: project, encoding: 'utf8' });
  t.equal(stderr, '');
  t.equal(status, 0);
  t.match(stdout, /\n(\d+) of \1 as expected\n$/);
  t.notMatch(stdout, /PRIVATE KEY/);
});

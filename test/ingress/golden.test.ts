import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { checkRules } from '../../src/config/rules.ts';
import { checkFit } from '../../src/config/fit.ts';
import { checkShape } from '../../src/config/shape.ts';
import { formatIngressProblem } from '../../src/ingress/problem.ts';
import { translate } from '../../src/ingress/translate.ts';
import type { TranslateOptions } from '../../src/ingress/options.ts';
import { compile } from '../../src/snapshot/compile.ts';
import { listeners, makePem, objectsOf, options } from './fixture.ts';

/**
 * Golden fixtures: `NAME.yaml` in, `NAME.routes.json` and `NAME.problems.txt` out. A new case is a manifest, and
 * `UPDATE_FIXTURES=1 node test/ingress/golden.test.ts` to write what comes out of it: read that before committing it.
 * Options stand in comments: `# option: allowCrossNamespaceSecrets` (true or as JSON behind a =).
 */
const folder = join(import.meta.dirname, 'fixtures');
const update = process.env['UPDATE_FIXTURES'] === '1';
const pem = await makePem();

function optionsIn(text: string): Partial<TranslateOptions> {
  const entries = Array.from(text.matchAll(/^# option: (\w+)(?:=(.*))?$/gm), ([, name, json]) => {
    const value: unknown = json === undefined ? true : JSON.parse(json);
    return [name, name === 'resolve' ? new Map(Object.entries(value as object)) : value] as const;
  });
  return Object.fromEntries(entries) as Partial<TranslateOptions>;
}

const names = readdirSync(folder)
  .filter((name) => name.endsWith('.yaml'))
  .map((name) => name.slice(0, -'.yaml'.length));

for (const name of names) {
  void t.test(name.replaceAll('-', ' '), async (t) => {
    const text = readFileSync(join(folder, `${name}.yaml`), 'utf8');
    const { config, material, problems } = translate(
      objectsOf(`${name}.yaml`, text, pem),
      options(pem, optionsIn(text)),
    );
    // Whatever comes in, what comes out can be served.
    t.same(checkShape(config), [], 'fits the schema');
    t.same(
      checkRules(config).filter(({ severity }) => severity === 'error'),
      [],
      'keeps the rules',
    );
    t.same(checkFit(config, material), [], 'has material that fits');
    const compiled = compile(config, material);
    t.same(compiled.ok ? [] : compiled.problems, [], 'compiles');
    const { listeners: given, ...rest } = config;
    const shown = given === listeners ? rest : { listeners: given, ...rest };
    const routes = `${JSON.stringify(shown, null, 2)}\n`;
    const lines = problems.map((problem) => `${formatIngressProblem(problem)}\n`).join('');
    const [routesFile, problemsFile] = [
      join(folder, `${name}.routes.json`),
      join(folder, `${name}.problems.txt`),
    ];
    if (update) {
      writeFileSync(routesFile, routes);
      writeFileSync(problemsFile, lines);
    }
    t.equal(routes, readFileSync(routesFile, 'utf8'));
    t.equal(lines, readFileSync(problemsFile, 'utf8'));
  });
}

void t.test('every output has its input', async (t) => {
  const outputs = readdirSync(folder).filter((name) => !name.endsWith('.yaml'));
  t.same(
    outputs.filter((name) => !names.includes(name.replace(/\.(?:routes\.json|problems\.txt)$/, ''))),
    [],
  );
});

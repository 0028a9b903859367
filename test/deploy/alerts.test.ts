import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parse } from 'yaml';
import { endpointsOf, type AdminParts } from '../../src/admin/endpoints.ts';
import { answers, handshakeReasons } from '../../src/snapshot/reason.ts';
import { sampleNames, strangersIn } from '../support/metric-names.ts';
import { cleanNode, needs } from '../support/program.ts';

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly description: string; readonly command: string };
}

const root = join(import.meta.dirname, '..', '..');
const file = join(root, 'deploy', 'prometheus', 'alerts.yaml');
const tests = join(import.meta.dirname, 'alerts.test.yaml');
const { groups } = parse(readFileSync(file, 'utf8')) as { groups: readonly { rules: readonly Rule[] }[] };
const rules = groups.flatMap((group) => group.rules);

function promtool(...args: readonly string[]): { readonly status: number | null; readonly said: string } {
  const { status, stdout, stderr } = spawnSync('promtool', args, { encoding: 'utf8' });
  return { status, said: stdout + stderr };
}

void t.test('promtool accepts the alerts', needs('promtool'), (t) => {
  const { status, said } = promtool('check', 'rules', '--lint-fatal', file);
  t.equal(status, 0, said);
  t.end();
});

void t.test('each alert fires when it has to, and not otherwise', needs('promtool'), (t) => {
  const { status, said } = promtool('test', 'rules', tests);
  t.equal(status, 0, said);
  const tested = readFileSync(tests, 'utf8');
  for (const { alert } of rules) t.match(tested, `alertname="${alert}"`, `${alert} has a test`);
  t.end();
});

void t.test('every metric and label that an alert names is one of the catalogue', async (t) => {
  const names = await sampleNames();
  for (const { alert, expr, annotations } of rules) {
    const shown = [
      ...Object.values(annotations)
        .join(' ')
        .matchAll(/\$labels\.(\w+)/g),
    ].map(([, label]) => label!);
    t.same(strangersIn(expr, names, shown), [], alert);
  }
});

void t.test('every reason that an alert names is one that there is', (t) => {
  const reasons: readonly string[] = [...Object.keys(answers), ...handshakeReasons, 'back_pressure', 'error'];
  let checked = 0;
  for (const { alert, expr } of rules) {
    for (const [, operator, value] of expr.matchAll(/reason(=~?)"([^"]*)"/g)) {
      for (const one of operator === '=' ? [value!] : value!.split('|')) {
        const pattern = new RegExp(`^(?:${one})$`);
        t.ok(
          reasons.some((reason) => pattern.test(reason)),
          `${alert}: ${one}`,
        );
        checked++;
      }
    }
  }
  t.ok(checked > 10);
  t.end();
});

void t.test(
  'each alert says in words what is wrong and which command to run next, and there is such a command',
  (t) => {
    const endpoints = new Set(endpointsOf({} as AdminParts).map(({ path }) => path));
    const help = (...args: readonly string[]): string =>
      spawnSync(...cleanNode(join(root, 'bin', 'mtls-ingress'), ...args, '--help'), { encoding: 'utf8' })
        .stdout;
    const ours = help();
    const ofPki = help('pki');
    for (const { alert, labels, annotations } of rules) {
      t.match(labels.severity, /^(?:warning|critical)$/, alert);
      t.match(annotations.summary, /^.+[.]$/s, alert);
      t.match(annotations.description, /^.+[.]$/s, alert);
      const [, command = '', sub = ''] = /^mtls-ingress (\w+) ?(\w*)/.exec(annotations.command) ?? [];
      const [, path] = /^curl .*127\.0\.0\.1:9090(\/\S*)$/.exec(annotations.command) ?? [];
      if (path !== undefined) t.ok(endpoints.has(path), `${alert}: ${path}`);
      else if (command === 'pki') t.match(ofPki, ` ${sub} `, `${alert}: pki ${sub}`);
      else if (command !== '') t.match(ours, `mtls-ingress ${command} `, `${alert}: ${command}`);
      else t.match(annotations.command, /^(?:openssl|dmesg|kubectl) /, alert);
    }
    t.end();
  },
);

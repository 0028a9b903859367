import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { has } from '../program.ts';
import { objectsOf, type Rendered } from '../rendered.ts';

/** Values that differ from those of the chart; objects are merged, as Helm does. */
export type Values = Readonly<Record<string, unknown>>;

/** The `skip` option of tests that render a chart: with Helm, or with Go in its place. */
export function needsHelm(): { readonly skip: string | false } {
  const missing = process.env['CI'] !== 'true' && !has('helm', 'version') && !has('go', 'version');
  return { skip: missing ? 'needs helm or go' : false };
}

/** What a chart makes of values, in the namespace `mtls-ingress`. By Helm, or where there is none by main.go beside this. */
export function renderChart(chart: string, values: Values = {}): Rendered[] {
  return has('helm', 'version') ? byHelm(chart, values) : byGo(chart, values);
}

function byHelm(chart: string, values: Values): Rendered[] {
  const args = ['template', 'mtls-ingress', chart, '--namespace', 'mtls-ingress', '--values', '-'];
  return objectsOf(run('helm', args, JSON.stringify(values)));
}

function byGo(chart: string, values: Values): Rendered[] {
  const folder = join(chart, 'templates');
  const templates = Object.fromEntries(
    readdirSync(folder).map((file) => [file, readFileSync(join(folder, file), 'utf8')]),
  );
  const defaults = parse(readFileSync(join(chart, 'values.yaml'), 'utf8')) as Values;
  const input = { values: merge(defaults, values), namespace: 'mtls-ingress', templates };
  const rendered = JSON.parse(
    run('go', ['run', join(import.meta.dirname, 'main.go')], JSON.stringify(input)),
  ) as Readonly<Record<string, string>>;
  return Object.entries(rendered)
    .filter(([name]) => name.endsWith('.yaml'))
    .flatMap(([, text]) => objectsOf(text));
}

function merge(defaults: Values, values: Values): Values {
  const merged: Record<string, unknown> = { ...defaults };
  for (const [name, value] of Object.entries(values)) {
    const there = defaults[name];
    merged[name] = isObject(there) && isObject(value) ? merge(there, value) : value;
  }
  return merged;
}

function isObject(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function run(program: string, args: readonly string[], input: string): string {
  // No module is wanted, and none fetched.
  const env = { ...process.env, GO111MODULE: 'off', GOFLAGS: '' };
  const { status, stdout, stderr, error } = spawnSync(program, args, { input, env, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}${String(error ?? '')}`);
  return stdout;
}

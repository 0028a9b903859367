import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parse } from 'yaml';
import { checkFit } from '../../src/config/fit.ts';
import { loadConfig } from '../../src/config/load.ts';
import { checkRules } from '../../src/config/rules.ts';
import type { Config } from '../../src/config/schema.ts';
import { checkShape } from '../../src/config/shape.ts';
import { runMigrate } from '../../src/ingress/migrate/command.ts';
import { nativeFiles, nativeYaml } from '../../src/ingress/migrate/native.ts';
import { formats, render } from '../../src/ingress/migrate/render.ts';
import { type MigrationReport, reportMigration } from '../../src/ingress/migrate/report.ts';
import { compile } from '../../src/snapshot/compile.ts';
import { makePem, manifestsOf, options } from './fixture.ts';

/**
 * Golden reports: `NAME.yaml` in, `NAME.text`, `.json` and `.markdown` out. `UPDATE_FIXTURES=1 node test/ingress/migrate.test.ts`
 * writes what comes out: read it before committing it.
 */
const folder = join(import.meta.dirname, 'migrations');
const fixtures = join(import.meta.dirname, 'fixtures');
const update = process.env['UPDATE_FIXTURES'] === '1';
const pem = await makePem();

function reportOf(name: string, text: string): MigrationReport {
  const changes = { watchWithoutClass: !text.includes('ingressClassName') };
  return reportMigration(manifestsOf(name, text, pem), options(pem, changes));
}

/** Every change of a route would change them all; it has a test of its own below. */
function withoutNative(text: string): string {
  return text.replace(/(?:^# Native configuration for|^## Native configuration$|^  "native": )[^]*/m, '');
}

const golden: Readonly<Record<string, boolean>> = {
  'all-the-same': false,
  dangers: true,
  surprises: true,
};

for (const [name, needsAttention] of Object.entries(golden)) {
  void t.test(name.replaceAll('-', ' '), async (t) => {
    const report = reportOf(`${name}.yaml`, readFileSync(join(folder, `${name}.yaml`), 'utf8'));
    t.equal(report.needsAttention, needsAttention);
    for (const format of formats) {
      const file = join(folder, `${name}.${format}`);
      const text = withoutNative(render(report, format));
      if (update) writeFileSync(file, text);
      t.equal(text, readFileSync(file, 'utf8'), format);
    }
  });
}

void t.test('the native configuration of every fixture is one, and the same', async (t) => {
  const names = readdirSync(fixtures).filter((name) => name.endsWith('.yaml'));
  t.ok(names.length > 50);
  for (const name of names) {
    const { translation } = reportOf(name, readFileSync(join(fixtures, name), 'utf8'));
    const { config, material } = translation;
    const read = parse(nativeYaml(config, material)) as Config;
    t.same(read, config, name);
    t.same(checkShape(read), [], name);
    t.same(
      checkRules(read).filter(({ severity }) => severity === 'error'),
      [],
      name,
    );
    t.same(checkFit(read, material), [], name);
    const compiled = compile(read, material);
    t.same(compiled.ok ? [] : compiled.problems, [], name);
    t.doesNotThrow(() => nativeFiles(config, material), name);
  }
});

void t.test('an unanchored match-cn comes with the policy to write instead', async (t) => {
  const report = reportOf('dangers.yaml', readFileSync(join(folder, 'dangers.yaml'), 'utf8'));
  const topics = report.notices.map(({ topic, object }) => `${topic}: ${object.name}`);
  t.same(topics.sort(), [
    'cross-namespace secret: crossing',
    'missing ca.crt: without-ca',
    'plain-HTTP bypass: crossing',
    'plain-HTTP bypass: unanchored',
    'unanchored match-cn: unanchored',
  ]);
  t.match(
    report.notices.find(({ topic }) => topic === 'unanchored match-cn')?.says,
    '{cn: roshankhatri, ou: ITOps}',
  );
});

void t.test('nothing in a manifest gets out of a line, a table or a block', async (t) => {
  const evil = JSON.stringify('x\u001b[2J\r\nnginx | <b> ``` \u202e');
  const text = `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: a, annotations: { nginx.ingress.kubernetes.io/app-root: ${evil}, "nginx.ingress.kubernetes.io/<b>": ${evil} } }
spec: { rules: [{ host: ${evil}, http: { paths: [{ path: ${JSON.stringify('/```\n# x/../')}, pathType: Exact, backend: { service: { name: w, port: { number: 80 } } } }] } }] }
`;
  for (const format of ['text', 'markdown'] as const) {
    const out = render(reportOf('evil.yaml', text), format);
    t.notMatch(out, /[\u001b\r\u202e]/, format);
    if (format !== 'markdown') continue;
    t.notMatch(out, /(?<!\\)<b>/);
    t.equal(out.split('\n').filter((line) => line === '# x').length, 0);
  }
});

void t.test('a file name out of a Secret never leads out of the folder', async (t) => {
  const { config } = reportOf('a.yaml', '').translation;
  for (const name of [
    '../x',
    '/etc/x',
    'secret/../../x',
    'secret/./x',
    'a//b',
    '',
    'secret/a/..',
    'a\0b',
    '.ssh',
  ]) {
    t.throws(() => nativeFiles(config, new Map([[name, 'x']])), /leads astray/, name);
  }
});

interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(...args: string[]): Promise<Run> {
  let [stdout, stderr] = ['', ''];
  const code = await runMigrate(args, {
    stdin: process.stdin,
    stdout: { write: (text: string) => void (stdout += text) },
    stderr: { write: (text: string) => void (stderr += text) },
    env: {},
  } as never);
  return { code, stdout, stderr };
}

function filled(name: string): string {
  const text = readFileSync(join(folder, `${name}.yaml`), 'utf8');
  return text.replaceAll(/\$\{([A-Z_]+)\}/g, (_, value: string) =>
    Buffer.from(pem.values[value]!).toString('base64'),
  );
}

void t.test('--out writes a configuration that loads, and what is there stays', async (t) => {
  const dir = t.testdir({ 'a.yaml': filled('all-the-same') });
  const out = join(dir, 'native');
  const first = await run(join(dir, 'a.yaml'), '--out', out);
  t.equal(first.code, 0, first.stdout + first.stderr);
  const file = join(out, 'mtls-ingress.yaml');
  const loaded = await loadConfig(file);
  t.same(
    loaded.problems.filter(({ severity }) => severity === 'error'),
    [],
  );
  t.equal(loaded.config?.hosts[0]?.clientAuth?.mode, 'require');
  for (const key of ['secret/default/pki/tls.key', 'default/tls.key', 'secret/default/pki/ca.crt']) {
    t.equal(statSync(join(out, key)).mode & 0o777, 0o600, key);
  }
  writeFileSync(file, 'mine');
  const second = await run(join(dir, 'a.yaml'), '--out', out);
  t.equal(second.code, 1);
  t.match(second.stderr, 'already there');
  t.equal(readFileSync(file, 'utf8'), 'mine');
});

void t.test('the exit code tells: 0 the same, 1 something to do, 2 the command line', async (t) => {
  const dir = t.testdir({ same: { 'a.yaml': filled('all-the-same') }, bad: { 'a.yaml': 'kind: [' } });
  t.equal((await run(join(dir, 'same'))).code, 0);
  const user = join(import.meta.dirname, '..', '..', 'config', 'ingress', 'httpbin.yaml');
  const found = await run(user, '--watch-ingress-without-class', '--format', 'json');
  t.equal(found.code, 1);
  const { needsAttention, notices } = JSON.parse(found.stdout) as {
    needsAttention: boolean;
    notices: { topic: string }[];
  };
  t.ok(needsAttention);
  t.same(
    notices.map(({ topic }) => topic),
    ['cross-namespace secret', 'plain-HTTP bypass'],
  );
  t.equal((await run(join(dir, 'bad'))).code, 1);
  for (const args of [
    [],
    ['a', 'b'],
    ['a', '--format', 'xml'],
    ['a', '--nonsense'],
    ['a', '--resolve', 'x'],
  ]) {
    t.equal((await run(...args)).code, 2, args.join(' '));
  }
  t.match((await run('--help')).stdout, '--format');
  t.notOk(existsSync(join(dir, 'native')));
});

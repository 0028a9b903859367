import { parseArgs } from 'node:util';
import type { CommandIo } from '../command-io.ts';
import { compile } from '../snapshot/compile.ts';
import { checkMaterial } from './check.ts';
import { loadConfig, type LoadedConfig } from './load.ts';
import { error, formatProblem, hasErrors, type Problem } from './problem.ts';

const usage = `mtls-ingress check FILE

Says everything that is wrong with a configuration and the files it names, a line each:
FILE:LINE:COLUMN /path/in/file what is wrong, and what to write instead

  --json   one JSON object instead of lines

Exit code: 0 when it can be served (there may be warnings), 1 when not, 2 for a wrong command line.
`;

interface Report {
  readonly problems: readonly Problem[];
  /** What it configures; null where it cannot be served. */
  readonly summary: Summary | null;
}

interface Summary {
  readonly hosts: number;
  readonly routes: number;
  readonly upstreams: number;
  readonly files: number;
}

/** The command `check`. Resolves with the exit code. */
export async function runCheck(args: readonly string[], io: CommandIo): Promise<number> {
  const options = { json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } as const;
  let values: { readonly json?: boolean; readonly help?: boolean };
  let positionals: string[];
  try {
    ({ values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true }));
  } catch (fault) {
    io.stderr.write(`mtls-ingress check: ${(fault as Error).message}\n\n${usage}`);
    return 2;
  }
  if (values.help === true) {
    io.stdout.write(usage);
    return 0;
  }
  const [file, ...more] = positionals;
  if (file === undefined || more.length > 0) {
    io.stderr.write(`mtls-ingress check: ${file === undefined ? 'which' : 'one'} FILE?\n\n${usage}`);
    return 2;
  }
  const report = await checkFile(file, Date.now());
  const ok = report.summary !== null;
  io.stdout.write(values.json === true ? `${JSON.stringify({ file, ok, ...report })}\n` : inWords(report));
  return ok ? 0 : 1;
}

/** Everything there is to say about a configuration file; `now` in milliseconds since 1970. */
export async function checkFile(file: string, now: number): Promise<Report> {
  const loaded = await loadConfig(file, (config, material) => checkMaterial(config, material, now));
  if (loaded.config === undefined) return { problems: loaded.problems, summary: null };
  const problems = [...loaded.problems, ...compileProblems(loaded)];
  return { problems, summary: hasErrors(problems) ? null : summarise(loaded) };
}

/** Serving compiles what was loaded. It should find nothing more; if it did, `check` must not say ok. */
function compileProblems({ config, material, place }: LoadedConfig): Problem[] {
  const compiled = compile(config, material);
  return compiled.ok ? [] : compiled.problems.map(({ path, message }) => place(error(path, message)));
}

function summarise({ config, files }: LoadedConfig): Summary {
  return {
    hosts: config.hosts.length,
    routes: config.hosts.reduce((sum, host) => sum + host.routes.length, 0),
    upstreams: Object.keys(config.upstreams).length,
    files: files.length,
  };
}

function inWords({ problems, summary }: Report): string {
  const errors = problems.filter(({ severity }) => severity === 'error').length;
  const warnings = problems.length - errors;
  const counts = [count(errors, 'error'), count(warnings, 'warning')].filter(
    (text) => !text.startsWith('0 '),
  );
  const parts =
    summary === null ? [] : Object.entries(summary).map(([noun, number]) => count(number, noun.slice(0, -1)));
  const last = summary === null ? counts.join(', ') : `ok: ${[...parts, ...counts].join(', ')}`;
  return `${[...problems.map(formatProblem), last].join('\n')}\n`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

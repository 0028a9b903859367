import { relative } from 'node:path';
import { parseArgs } from 'node:util';
import type { CommandIo } from '../command-io.ts';
import { printable } from '../config/text.ts';
import { junitOf } from './junit.ts';
import { loadTests } from './load.ts';
import { runTests, type SuiteResult, UnusableTests } from './run.ts';
import { tapOf } from './tap.ts';
import { textOf } from './text.ts';

const usage = `mtls-ingress test POLICY_TESTS.yaml … [--config FILE] [--format text|tap|junit]

Asks a configuration about requests, and holds the answers to what was expected: who is let in, who is turned away, and for
which reason. Client certificates are made in memory from the fields that a test gives. The CAs of the configuration are
stood in for by throw-away CAs of the same names, so no key is needed, and none of its files but a deny list; no key
is ever written. A test that names a \`file\` has that certificate judged by the real trust stores.

  --config FILE     the configuration, in place of the one that the file of tests names
  --format FORMAT   text (for people), tap or junit (text)

Exit code: 0 when all is as expected, 1 when not, 2 when the tests or the configuration cannot be used.
`;

const formats: Readonly<Record<string, (suites: readonly SuiteResult[]) => string>> = {
  text: textOf,
  tap: tapOf,
  junit: junitOf,
};

/** The command `test`. Resolves with the exit code. */
export async function runPolicyTests(args: readonly string[], io: CommandIo): Promise<number> {
  const options = {
    config: { type: 'string' },
    format: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  } as const;
  let values: { readonly config?: string; readonly format?: string; readonly help?: boolean };
  let files: readonly string[];
  try {
    ({ values, positionals: files } = parseArgs({ args: [...args], options, allowPositionals: true }));
  } catch (fault) {
    return wrong(io, (fault as Error).message);
  }
  if (values.help === true) {
    io.stdout.write(usage);
    return 0;
  }
  const { format = 'text' } = values;
  const write = Object.hasOwn(formats, format) ? formats[format] : undefined;
  if (write === undefined) return wrong(io, `--format is ${Object.keys(formats).join(', ')}`);
  if (files.length === 0) return wrong(io, 'which file of policy tests?');
  const suites: SuiteResult[] = [];
  try {
    for (const file of files) suites.push(await suiteOf(file, values.config));
  } catch (fault) {
    if (!(fault instanceof UnusableTests)) throw fault;
    for (const problem of fault.problems) io.stderr.write(`${printable(problem)}\n`);
    return 2;
  }
  io.stdout.write(write(suites));
  return suites.some(({ cases }) => cases.some(({ miss }) => miss !== null)) ? 1 : 0;
}

function wrong(io: CommandIo, message: string): number {
  io.stderr.write(`mtls-ingress test: ${printable(message)}\n\n${usage}`);
  return 2;
}

async function suiteOf(file: string, given: string | undefined): Promise<SuiteResult> {
  const tests = await loadTests(file);
  if ('problems' in tests) throw new UnusableTests(tests.problems);
  const config = given ?? tests.config;
  if (config === null) {
    throw new UnusableTests([
      tests.place('', 'which configuration? Write `config: FILE`, or give --config FILE'),
    ]);
  }
  return runTests(tests, given ?? (relative(process.cwd(), config) || config));
}

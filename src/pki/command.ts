import { parseArgs } from 'node:util';
import { crl } from './commands/crl.ts';
import { init } from './commands/init.ts';
import { inspect } from './commands/inspect.ts';
import { intermediate, issue } from './commands/issue.ts';
import { list } from './commands/list.ts';
import { p12 } from './commands/p12.ts';
import { renew } from './commands/renew.ts';
import { revoke } from './commands/revoke.ts';
import { sign } from './commands/sign.ts';
import type { Context, PkiIo, Subcommand, Values } from './commands/subcommand.ts';
import { verify } from './commands/verify.ts';
import { messageOf, PkiError } from './error.ts';

const subcommands: Readonly<Record<string, Subcommand>> = {
  init,
  intermediate,
  issue,
  sign,
  renew,
  revoke,
  crl,
  list,
  p12,
  inspect,
  verify,
};

/** The command line is not one that can be understood; exit code 2. */
class UsageError extends Error {}

function overview(): string {
  const width = Math.max(...Object.keys(subcommands).map((name) => name.length));
  const lines = Object.entries(subcommands).map(
    ([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`,
  );
  return `mtls-ingress pki: certificates, from the first key to the browser

${lines.join('\n')}

"mtls-ingress pki COMMAND --help" tells more; certs/README.md walks through all of it.
`;
}

const helpOf = (name: string, { usage, summary, help }: Subcommand): string =>
  `mtls-ingress pki ${name} ${usage}\n\n${summary[0]!.toUpperCase()}${summary.slice(1)}.\n${help}\n`;

function parse(
  name: string,
  subcommand: Subcommand,
  args: readonly string[],
): { positionals: string[]; values: Values } {
  const { min, max } = subcommand.positionals;
  let parsed: { positionals: string[]; values: Values };
  try {
    parsed = parseArgs({
      args: [...args],
      options: { ...subcommand.options, help: { type: 'boolean', short: 'h' } },
      allowPositionals: true,
      strict: true,
    });
  } catch (error) {
    throw new UsageError(messageOf(error));
  }
  if (parsed.values['help'] === true) return parsed;
  const count = parsed.positionals.length;
  if (count < min || count > max) {
    throw new UsageError(`"pki ${name}" takes ${subcommand.usage}`);
  }
  return parsed;
}

/**
 * Runs one `mtls-ingress pki …` command line (without `pki`). Returns the exit code: 0 done, 1 a clear error or "no"
 * as the answer, 2 a command line that cannot be understood.
 */
export async function runPki(args: readonly string[], io: PkiIo): Promise<number> {
  const [name = '', ...rest] = args;
  if (name === '' || name === 'help' || name === '--help' || name === '-h') {
    (name === '' ? io.stderr : io.stdout).write(overview());
    return name === '' ? 2 : 0;
  }
  const subcommand = Object.hasOwn(subcommands, name) ? subcommands[name] : undefined;
  const context: Context = {
    io,
    now: Date.now(),
    say: (line) => void io.stdout.write(`${line}\n`),
    warn: (line) => void io.stderr.write(`warning: ${line}\n`),
  };
  try {
    if (subcommand === undefined) throw new UsageError(`there is no command "pki ${name}"`);
    const { positionals, values } = parse(name, subcommand, rest);
    if (values['help'] === true) {
      io.stdout.write(helpOf(name, subcommand));
      return 0;
    }
    return await subcommand.run(positionals, values, context);
  } catch (error) {
    if (error instanceof UsageError) {
      io.stderr.write(
        `mtls-ingress: ${error.message}; see "mtls-ingress pki${subcommand === undefined ? '' : ` ${name}`} --help"\n`,
      );
      return 2;
    }
    if (!(error instanceof PkiError)) throw error;
    io.stderr.write(`mtls-ingress: ${error.message}\n`);
    return 1;
  }
}

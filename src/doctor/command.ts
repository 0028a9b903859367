import { parseArgs } from 'node:util';
import type { CommandIo } from '../command-io.ts';
import { printable } from '../config/text.ts';
import { sourceFlags, sourceOf, sourceUsage } from '../source-options.ts';
import { examine } from './examine.ts';
import type { Finding } from './finding.ts';

const usage = `mtls-ingress doctor --config FILE
mtls-ingress doctor --manifests PATH …

Says what is wrong, or soon will be, with the runtime, a configuration, its certificates, its upstreams and the system.

  --config FILE   the configuration
${sourceUsage}  --offline       connect to no upstream
  --json          one JSON object instead of lines

Exit code: 0 without errors and warnings, 1 with an error, 3 with warnings alone, 2 for a wrong command line.
`;

const options = {
  ...sourceFlags,
  offline: { type: 'boolean' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

const parse = (args: readonly string[]) => parseArgs({ args: [...args], options }).values;

/** The command `doctor`. Resolves with the exit code. */
export async function runDoctor(args: readonly string[], io: CommandIo): Promise<number> {
  const wrong = (message: string): number => {
    io.stderr.write(`mtls-ingress doctor: ${printable(message)}\n\n${usage}`);
    return 2;
  };
  let values: ReturnType<typeof parse>;
  try {
    values = parse(args);
  } catch (error) {
    return wrong((error as Error).message);
  }
  if (values.help === true) {
    io.stdout.write(usage);
    return 0;
  }
  const source = sourceOf(values);
  if (typeof source === 'string') return wrong(source);
  const findings = await examine(source, Date.now(), values.offline === true);
  await source.close?.();
  const has = (severity: Finding['severity']): boolean => findings.some((one) => one.severity === severity);
  const code = has('error') ? 1 : has('warning') ? 3 : 0;
  if (values.json === true) io.stdout.write(`${JSON.stringify({ ok: code === 0, findings }, null, 2)}\n`);
  else io.stdout.write(findings.length === 0 ? 'nothing is wrong\n' : findings.map(lines).join(''));
  return code;
}

function lines({ severity, about, place, message, fix }: Finding): string {
  const where = place === null ? '' : `\n    at ${printable(place)}`;
  const what = fix === '' ? '' : `\n    fix: ${printable(fix)}`;
  return `${severity} (${about}): ${printable(message)}${where}${what}\n`;
}

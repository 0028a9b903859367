import { printable } from '../config/text.ts';
import type { SuiteResult } from './run.ts';

/** TAP 14 of all files: one plan, a line for each test, what went wrong as YAML below it. */
export function tapOf(suites: readonly SuiteResult[]): string {
  const cases = suites.flatMap((suite) => suite.cases);
  const lines = ['TAP version 14', `1..${cases.length}`];
  let number = 0;
  for (const { file, config, standIns, cases: own } of suites) {
    lines.push(`# ${printable(file)} against ${printable(config)}, with throw-away CAs in place of its own`);
    for (const line of standIns) lines.push(`# ${printable(line)}`);
    for (const { name, at, expected, miss } of own) {
      number++;
      lines.push(`${miss === null ? 'ok' : 'not ok'} ${number} - ${descriptionOf(name)}`);
      if (miss === null) continue;
      const diagnostics = { message: miss.detail, expected, actual: miss.text, at };
      // JSON is YAML.
      lines.push('  ---');
      for (const [key, value] of Object.entries(diagnostics)) lines.push(`  ${key}: ${yamlOf(value)}`);
      lines.push('  ...');
    }
  }
  return `${lines.join('\n')}\n`;
}

/** A `#` would begin a directive: `# SKIP` turns a failure into nothing. */
function descriptionOf(name: string): string {
  return printable(name).replaceAll('\\', '\\\\').replaceAll('#', '\\#');
}

const yamlOf = (value: string | null): string => JSON.stringify(value === null ? null : printable(value));

import { printable } from '../config/text.ts';
import type { SuiteResult } from './run.ts';

/** Results for people. */
export function textOf(suites: readonly SuiteResult[]): string {
  const lines: string[] = [];
  for (const { file, config, standIns, cases } of suites) {
    lines.push(`${file}, against ${config}`);
    if (standIns.length > 0) lines.push('  with throw-away CAs in place of its own:');
    for (const line of standIns) lines.push(`    ${line}`);
    for (const { name, at, expected, miss } of cases) {
      if (miss === null) {
        lines.push(`  ok      ${name}`);
        continue;
      }
      lines.push(`  not ok  ${name}`, `          expected ${expected}, got ${miss.text}, at ${at}`);
      if (miss.detail !== null) lines.push(`          ${miss.detail}`);
    }
    const failed = cases.filter(({ miss }) => miss !== null).length;
    lines.push(`${cases.length - failed} of ${cases.length} as expected`);
  }
  return `${lines.map(printable).join('\n')}\n`;
}

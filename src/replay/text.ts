import { printable } from '../config/text.ts';
import type { Change, ReplayReport } from './replay.ts';

/** A report for people, a line each. */
export function reportText(report: ReplayReport): string[] {
  const { lines, replayed, same, different, changes, otherChanges, skipped, assumed } = report;
  return [
    `${count(replayed, 'request')} of ${count(lines, 'line')} replayed: ${same} as before, ${different} different`,
    ...changes.flatMap(changeText),
    ...(otherChanges === 0 ? [] : ['', `and ${count(otherChanges, 'request')} in further ways`]),
    ...section(
      'not replayed',
      skipped.map(({ reason, lines }) => `${count(lines, 'line')}: ${reason}`),
    ),
    ...section(
      'supposed',
      assumed.map(({ assumption, requests }) => `${count(requests, 'request')}: ${assumption}`),
    ),
  ];
}

function changeText(change: Change): string[] {
  const { host, was, now, requests, identities, moreIdentities, examples, detail } = change;
  return [
    '',
    printable(`${host}: was ${was}, would be ${now}: ${count(requests, 'request')}`),
    ...(detail === null ? [] : [`  ${printable(detail)}`]),
    ...identities.map(({ subject, requests }) =>
      printable(`  ${subject ?? 'no certificate'} (${count(requests, 'request')})`),
    ),
    ...(moreIdentities ? ['  and others'] : []),
    printable(`  such as ${examples.join(', ')}`),
  ];
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', `${title}:`, ...lines.map((line) => `  ${line}`)];
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

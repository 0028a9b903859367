import { printable } from '../config/text.ts';
import type { CaseResult, SuiteResult } from './run.ts';

/** JUnit's XML, as CI systems read it: a suite for each file. */
export function junitOf(suites: readonly SuiteResult[]): string {
  const all = suites.flatMap(({ cases }) => cases);
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites ${counts(all)}>`,
    ...suites.flatMap(({ file, config, standIns, cases }) => [
      `  <testsuite name="${escape(file)}" ${counts(cases)}>`,
      '    <properties>',
      `      <property name="config" value="${escape(config)}"/>`,
      ...standIns.map((line) => `      <property name="stand-in" value="${escape(line)}"/>`),
      '    </properties>',
      ...cases.flatMap((one) => caseLines(one, file)),
      '  </testsuite>',
    ]),
    '</testsuites>',
    '',
  ].join('\n');
}

function caseLines({ name, at, expected, miss }: CaseResult, file: string): readonly string[] {
  const head = `    <testcase classname="${escape(file)}" name="${escape(name)}"`;
  if (miss === null) return [`${head}/>`];
  const message = `expected ${expected}, got ${miss.text}`;
  return [
    `${head}>`,
    `      <failure type="decision" message="${escape(message)}">${escape(`${miss.detail ?? message} (${at})`)}</failure>`,
    '    </testcase>',
  ];
}

const counts = (cases: readonly CaseResult[]): string =>
  `tests="${cases.length}" failures="${cases.filter(({ miss }) => miss !== null).length}" errors="0" skipped="0"`;

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

/** Without the characters that XML 1.0 has no way to write. */
function escape(text: string): string {
  return printable(text)
    .replaceAll(/[\uFFFE\uFFFF]/g, '\uFFFD')
    .replaceAll(/[&<>"']/g, (character) => entities[character] ?? character);
}

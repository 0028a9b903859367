import { printable, quote } from '../../config/text.ts';
import { keyOf } from '../object.ts';
import { nativeYaml } from './native.ts';
import type { Notice } from './notices.ts';
import { type MigrationReport, outcomes, type ReportedObject, type ReportedProblem } from './report.ts';
import { surpriseTitles } from './surprises.ts';

/** The forms a report can have. */
export const formats = ['text', 'json', 'markdown'] as const;
export type Format = (typeof formats)[number];

/** A report as text, in one of its forms. Whatever the manifests hold, no line of it does anything to a terminal. */
export function render(report: MigrationReport, format: Format): string {
  switch (format) {
    case 'text':
      return asText(report);
    case 'json':
      return asJson(report);
    case 'markdown':
      return asMarkdown(report);
  }
}

function asText(report: MigrationReport): string {
  const { translation } = report;
  const lines: string[] = [];
  for (const object of report.objects) {
    lines.push(printable(`${object.outcome.padEnd(9)} ${titleOf(object)}`));
    if (object.note !== null) lines.push(`          ${object.note}`);
    for (const { key, value, outcome, note, problems } of object.items) {
      lines.push(printable(`  ${outcome.padEnd(9)} ${key}: ${quote(value)}`));
      if (note !== null) lines.push(printable(`            ${note}`));
      lines.push(...problems.map((problem) => `            ${problemLine(problem)}`));
    }
    lines.push(...object.problems.map((problem) => `  ${problemLine(problem)}`));
  }
  lines.push(...report.faults.map((fault) => printable(`refused   ${fault}`)), ...passedOverLines(report));
  for (const [topic, notices] of byTopic(report)) {
    lines.push('', `${headingOf(topic)}:`, ...notices.map((notice) => `  ${noticeLine(notice)}`));
  }
  lines.push('', summary(report), '', nativeYaml(translation.config, translation.material));
  return lines.join('\n');
}

function asMarkdown(report: MigrationReport): string {
  const { translation } = report;
  const lines = ['# Migration from ingress-nginx', '', summary(report), '', '## Objects'];
  for (const object of report.objects) {
    lines.push(
      '',
      `### ${markdown(titleOf(object))}`,
      '',
      `**${object.outcome}**${object.note === null ? '' : `: ${object.note}`}`,
    );
    if (object.items.length > 0) {
      lines.push('', '| Name | Value | Outcome | |', '| --- | --- | --- | --- |');
      for (const { key, value, outcome, note, problems } of object.items) {
        const more = [...(note === null ? [] : [note]), ...problems.map(problemLine)]
          .map(markdown)
          .join('<br>');
        lines.push(`| ${markdown(key)} | ${markdown(quote(value).slice(1, -1))} | ${outcome} | ${more} |`);
      }
    }
    if (object.problems.length > 0)
      lines.push('', ...object.problems.map((problem) => `- ${markdown(problemLine(problem))}`));
  }
  const others = [...report.faults.map((fault) => `refused: ${fault}`), ...passedOverLines(report)];
  if (others.length > 0) lines.push('', ...others.map((line) => `- ${markdown(line)}`));
  for (const [topic, notices] of byTopic(report)) {
    lines.push(
      '',
      `## ${markdown(headingOf(topic))}`,
      '',
      ...notices.map((notice) => `- ${markdown(noticeLine(notice))}`),
    );
  }
  const yaml = nativeYaml(translation.config, translation.material);
  // Longer than any run of them within: nothing in a manifest ends the block.
  const fence = '`'.repeat(Math.max(3, ...Array.from(yaml.matchAll(/`+/g), ([run]) => run.length + 1)));
  lines.push('', '## Native configuration', '', `${fence}yaml`, yaml.trimEnd(), fence, '');
  return lines.join('\n');
}

function asJson(report: MigrationReport): string {
  const { objects, notices, faults, passedOver, translation, needsAttention } = report;
  const value = {
    needsAttention,
    objects,
    notices: notices.map(({ object, place, ...notice }) => ({
      ...notice,
      object: keyOf(object),
      place: object.origin.at(place),
    })),
    faults,
    passedOver: Object.fromEntries(passedOver),
    native: { config: translation.config, files: [...translation.material.keys()].sort() },
  };
  return `${JSON.stringify(value, null, 2)}\n`;
}

function titleOf(object: ReportedObject): string {
  return `${object.kind} ${keyOf(object)} (${object.place})`;
}

function problemLine({ place, severity, message }: ReportedProblem): string {
  return printable(`${severity} at ${place}: ${message}`);
}

function noticeLine({ object, place, says }: Notice): string {
  return printable(`${object.kind} ${keyOf(object)} (${object.origin.at(place)}): ${says}`);
}

function passedOverLines({ passedOver }: MigrationReport): string[] {
  return Array.from(passedOver, ([kind, count]) => printable(`passed over: ${kind}, ${count} of them`));
}

/** Topics in the order of their first notice. */
function byTopic({ notices }: MigrationReport): ReadonlyMap<string, readonly Notice[]> {
  return Map.groupBy(notices, ({ topic }) => topic);
}

function headingOf(topic: string): string {
  const number = /^surprise (\d)$/.exec(topic)?.[1];
  return number === undefined
    ? capitalised(topic)
    : `Surprise ${number}: ${surpriseTitles[Number(number) - 1]}`;
}

function capitalised(text: string): string {
  return text[0]!.toUpperCase() + text.slice(1);
}

function summary({ objects, notices, needsAttention }: MigrationReport): string {
  const items = objects.flatMap((object) => object.items);
  const counts = outcomes.map(
    (outcome) => `${items.filter((one) => one.outcome === outcome).length} ${outcome}`,
  );
  const decisions = notices.filter((notice) => notice.needsAttention).length;
  const end = needsAttention ? 'This needs attention.' : 'Nothing needs attention.';
  return `${objects.length} objects; annotations and keys: ${counts.join(', ')}; to be decided on: ${decisions}. ${end}`;
}

/** Text out of a manifest that stays text in Markdown, in a table too. */
function markdown(text: string): string {
  return printable(text).replaceAll(/[\\`*_{}[\]<>#|&~]/g, String.raw`\$&`);
}

import { type Annotation, annotationKey, nginxPrefix, type State } from './annotations/annotation.ts';
import type { Family } from './annotations/family.ts';
import type { SettingGroup } from './settings/registry.ts';

/** What a table of the documentation says of an annotation, or of a key of the ConfigMap: both are declared alike. */
export type Documented = Pick<Annotation, 'name' | 'default' | 'restricts' | 'state' | 'doc'> & {
  readonly type: { readonly name: string };
};

/** How ours compares with ingress-nginx's, in words: for tables and reports. */
export function stateInWords(state: State): string {
  switch (state.is) {
    case 'same':
      return 'same';
    case 'different':
      return `different: ${lowerFirst(state.how)}`;
    case 'refused':
      return `refused: ${lowerFirst(state.why)}`;
    case 'ours':
      return 'ours alone';
  }
}

/** The text of docs/annotations.md, which `npm run docs` writes. Pure: it says what the declarations say. */
export function annotationsMarkdown(families: readonly Family[], groups: readonly SettingGroup[]): string {
  const all = families.flatMap(({ annotations }) => annotations);
  const keys = groups.flatMap(({ settings }) => settings);
  const sections = [
    ...families.map(({ title, annotations }) => section(title, 'Annotation', annotations, label)),
    `## The ConfigMap

Its keys say what holds for every Ingress. Of ${keys.length}: ${summary(keys)}. One marked 🔒 that is refused, or whose value
cannot be understood, serves nothing.
`,
    ...groups.map(({ title, settings }) =>
      section(`Keys: ${title}`, 'Key', settings, ({ name }) => `\`${name}\``),
    ),
  ];
  return `# Annotations

Written by \`npm run docs\` from the declarations in [src/ingress](../src/ingress); do not edit it by hand.

What \`mtls-ingress serve --manifests\` makes of every annotation of ingress-nginx, of our own, and of the
[ConfigMap](#the-configmap). Names without a prefix are \`${nginxPrefix}…\`. Of ${all.length}: ${summary(all)}.

- **same**: real nginx, set up as ingress-nginx sets it up, does the same.
- **different**: it has its effect, but for what is said.
- **refused**: set to anything but its default it is reported as an error, and has no effect. One marked 🔒 keeps someone
  out: where it is refused, or its value cannot be understood, the paths of its Ingress answer 503. Nothing is served with
  a check left out.
- **ours alone**: ingress-nginx has no such thing.

\`mtls-ingress migrate DIR\` tells which of them your manifests have.

${sections.join('\n')}`;
}

/** `120 same, 14 different, …`. */
function summary(all: readonly Documented[]): string {
  const counts = (['same', 'different', 'refused', 'ours'] as const).map((is) => {
    const count = all.filter(({ state }) => state.is === is).length;
    return `${count} ${is === 'ours' ? 'ours alone' : is}`;
  });
  return counts.filter((text) => !text.startsWith('0 ')).join(', ');
}

function label(one: Annotation): string {
  const name = one.prefix === nginxPrefix ? one.name : annotationKey(one);
  const aliases = one.aliases.map((alias) => `\`${alias}\``).join(', ');
  return `\`${name}\`${aliases === '' ? '' : `, once ${aliases}`}`;
}

function section<One extends Documented>(
  title: string,
  head: string,
  all: readonly One[],
  labelOf: (one: One) => string,
): string {
  const rows = table(
    head,
    all.map((one) => ({ ...one, label: labelOf(one) })),
  );
  return [`## ${title}`, '', ...rows, ''].join('\n');
}

function table(head: string, rows: readonly (Documented & { readonly label: string })[]): string[] {
  return [
    `| ${head} | Type | Default | State | What it does |`,
    '| --- | --- | --- | --- | --- |',
    ...rows.map(({ label, type, default: standard, state, restricts, doc }) => {
      const lock = restricts ? ' 🔒' : '';
      const shown = standard === null ? '' : `\`${cell(standard)}\``;
      return `| ${label}${lock} | ${cell(type.name)} | ${shown} | ${cell(stateInWords(state))} | ${cell(doc)} |`;
    }),
  ];
}

/** A `|` would begin the next cell, in code too. */
function cell(text: string): string {
  return text.replaceAll('\n', ' ').replaceAll('|', '\\|');
}

/** Not of names such as RE2. */
function lowerFirst(text: string): string {
  return /^[A-Z][a-z]/.test(text) ? text[0]!.toLowerCase() + text.slice(1) : text;
}

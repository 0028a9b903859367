/**
 * The typed policy that says what a match-cn pattern most likely means, as the annotation to write instead:
 * `mtls-ingress.io/policy: '{cn: x, ou: ITOps}'`. Patterns that are more than that come back as regular expressions
 * of the CN alone.
 */
export function suggestPolicy(pattern: string): string {
  const parts = splitOutside(pattern.replace(/^\^/, '').replace(/\$$/, ''), ',');
  const rules: string[] = [];
  for (const part of parts) {
    const match = /^(CN|OU|O)=(.+)$/s.exec(part);
    if (match === null) return policyOf([`cn: ${valueOf(pattern.slice(3))}`]);
    rules.push(`${match[1]!.toLowerCase()}: ${valueOf(match[2]!)}`);
  }
  // One key twice would not be the same rule.
  const keys = new Set(rules.map((rule) => rule.slice(0, rule.indexOf(':'))));
  return policyOf(keys.size === rules.length ? rules : [`cn: ${valueOf(pattern.slice(3))}`]);
}

function policyOf(rules: readonly string[]): string {
  return `mtls-ingress.io/policy: ${JSON.stringify(`{${rules.join(', ')}}`)}`;
}

/** A literal, a list of literals, or else a regular expression. */
function valueOf(pattern: string): string {
  const single = literal(pattern);
  if (single !== null) return single;
  const group = /^\((?:\?:)?(.*)\)$/s.exec(pattern)?.[1] ?? pattern;
  const choices = splitOutside(group, '|').map(literal);
  if (choices.every((choice) => choice !== null) && choices.length > 1) return `[${choices.join(', ')}]`;
  return `{regex: ${yamlText(pattern)}}`;
}

/** The text that a pattern without any meta character stands for; dots count as themselves. */
function literal(pattern: string): string | null {
  const text = pattern.replaceAll(/\\([.*+?()[\]{}|^$\\-])/g, '$1');
  const bare = pattern.replaceAll(/\\[.*+?()[\]{}|^$\\-]/g, '');
  return pattern !== '' && !/[*+?()[\]{}|^$\\]/.test(bare) ? yamlText(text) : null;
}

/** As YAML reads it in a flow map. */
function yamlText(text: string): string {
  return /^[A-Za-z][A-Za-z0-9 ._-]*$/.test(text) && !/^(?:true|false|null)$/i.test(text)
    ? text
    : `'${text.replaceAll("'", "''")}'`;
}

/** Splits where no bracket is open and no backslash stands before. */
function splitOutside(pattern: string, separator: string): string[] {
  const parts: string[] = [''];
  let depth = 0;
  for (let index = 0; index < pattern.length; index++) {
    const character = pattern[index]!;
    if (character === '\\') {
      parts[parts.length - 1] += character + (pattern[++index] ?? '');
      continue;
    }
    if ('([{'.includes(character)) depth++;
    else if (')]}'.includes(character)) depth--;
    if (character === separator && depth === 0) parts.push('');
    else parts[parts.length - 1] += character;
  }
  return parts;
}

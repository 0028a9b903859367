import { didYouMean, quote } from './text.ts';

/** A piece of a template: text as it stands, or the name of what is put in its place. */
export type TemplatePart = { readonly text: string } | { readonly placeholder: string };

export interface TemplateProblem {
  readonly problem: string;
}

/**
 * Finds text and placeholders of a one-line template: `{name}`, with `{{` and `}}` for braces of the text. Gives the
 * message of a problem for braces that do not pair and for names that are not among `names`.
 */
export function parseTemplate(
  template: string,
  names: readonly string[],
): readonly TemplatePart[] | TemplateProblem {
  if (!/^[ -~]+$/.test(template)) return { problem: 'a template is one line of printable ASCII, not empty' };
  if (template !== template.trim()) return { problem: 'a template cannot begin or end with a space' };
  const parts: TemplatePart[] = [];
  let text = '';
  for (const match of template.matchAll(/\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+/g)) {
    const [piece, placeholder] = match;
    if (placeholder === undefined) {
      if (piece === '{')
        return { problem: '`{` opens a placeholder that is not closed; write `{{` for a brace' };
      if (piece === '}') return { problem: '`}` closes nothing; write `}}` for a brace' };
      text += piece === '{{' ? '{' : piece === '}}' ? '}' : piece;
      continue;
    }
    if (!names.includes(placeholder)) {
      return { problem: `there is no ${quote(`{${placeholder}}`)}${didYouMean(placeholder, names)}` };
    }
    if (text !== '') parts.push({ text });
    parts.push({ placeholder });
    text = '';
  }
  if (text !== '') parts.push({ text });
  return parts;
}

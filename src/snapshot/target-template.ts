import { parseTemplate, type TemplateProblem } from '../config/placeholders.ts';

/** What a template for a redirect's Location or a rewritten path may be filled with. */
export interface TargetFacts {
  readonly scheme: 'https' | 'http';
  /** Lower case, no port. */
  readonly host: string;
  /** The Host header as sent. */
  readonly authority: string;
  /** Normalised. */
  readonly path: string;
  /** From `?` on, or empty. */
  readonly query: string;
  /** Of the route's path, where that is a regular expression: the match and its groups. */
  readonly captures: readonly string[];
}

/** A redirect's Location or a rewritten path, with placeholders for what the request holds. */
export interface TargetTemplate {
  readonly text: string;
  render(facts: TargetFacts): string;
}

const fixed = {
  scheme: ({ scheme }: TargetFacts) => scheme,
  host: ({ host }: TargetFacts) => host,
  authority: ({ authority }: TargetFacts) => authority,
  path: ({ path }: TargetFacts) => path,
  query: ({ query }: TargetFacts) => query,
  args: ({ query }: TargetFacts) => query.slice(1),
  uri: ({ path, query }: TargetFacts) => path + query,
} as const;

/** `{0}` is the whole match, `{1}` … `{9}` its groups; one that took no part is empty, as in nginx. */
const groups = Object.freeze(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);

const names: readonly string[] = Object.freeze([...Object.keys(fixed), ...groups]);

/**
 * Reads a template once. `{scheme}`, `{host}`, `{authority}`, `{path}`, `{query}` (with its `?`), `{args}`
 * (without), `{uri}` (path and query) and the
 * groups of the route's regular expression. All of them come from a head that was checked: none holds a space, a line
 * break or a control character.
 */
export function compileTarget(text: string): TargetTemplate | TemplateProblem {
  const parts = parseTemplate(text, names);
  if ('problem' in parts) return parts;
  return Object.freeze({
    text,
    render(facts: TargetFacts): string {
      let filled = '';
      for (const part of parts) {
        if ('text' in part) filled += part.text;
        else if (part.placeholder in fixed) filled += fixed[part.placeholder as keyof typeof fixed](facts);
        else filled += facts.captures[Number(part.placeholder)] ?? '';
      }
      return filled;
    },
  });
}

import { readRegex } from '../policy/regex.ts';

/** A path as a regular expression, as nginx matches it in `location ~* "^…"`. */
export interface PathPattern {
  /** What every matching path starts with, lower case; may be empty. */
  readonly literal: string;
  test(path: string): boolean;
  /** The whole match and its groups, `''` where a group took no part; null where the path does not match. */
  captures(path: string): readonly string[] | null;
}

/** Instructions of a path's pattern: with `longestPath` it bounds one match to some 10 ms at the worst. */
const maximumProgramSize = 500;

/** Characters of a path that patterns are tried on. nginx's own bound is the request line's 8k. */
export const longestPath = 4096;

/**
 * A regular expression over normalised paths: not case-sensitive, held to the path's start and open at its end, as
 * ingress-nginx writes its locations (surprises 1 and 2 of its list). RE2's syntax; the groups are for rewrites.
 */
export function compilePathPattern(pattern: string): PathPattern | { readonly problem: string } {
  const regex = readRegex(`^${pattern}`, true, maximumProgramSize);
  if ('problem' in regex) return regex;
  return Object.freeze({
    literal: literalPrefix(pattern).toLowerCase(),
    test: (path: string) => regex.matcher(path).find(),
    captures(path: string): readonly string[] | null {
      const matcher = regex.matcher(path);
      if (!matcher.find()) return null;
      return Array.from({ length: matcher.groupCount() + 1 }, (_, group) => matcher.group(group) ?? '');
    },
  });
}

/** The characters that a match must begin with. Cautious: what it does not know ends it. */
function literalPrefix(pattern: string): string {
  // A `|` outside of groups is another beginning.
  if (
    pattern
      .replaceAll(/\\./g, '')
      .replaceAll(/\([^()]*\)/g, '')
      .includes('|')
  )
    return '';
  let literal = '';
  for (let at = 0; at < pattern.length;) {
    const escaped = pattern[at] === '\\';
    const character = pattern[at + (escaped ? 1 : 0)] ?? '';
    if (!(escaped ? /[^A-Za-z0-9]/ : /[A-Za-z0-9/_~!@%&=:,;'"<> -]/).test(character)) break;
    const next = pattern[at + (escaped ? 2 : 1)] ?? '';
    if (/[*?{]/.test(next)) break;
    literal += character;
    at += escaped ? 2 : 1;
  }
  return literal;
}

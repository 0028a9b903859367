import { RE2JS } from 're2js';
import { printable } from '../config/text.ts';
import type { ValueTest } from './policy.ts';
import { estimateRegexSize } from './regex-size.ts';

/** UTF-16 code units of a pattern. */
const maximumPatternLength = 1000;

/**
 * Instructions of a compiled pattern. Together with the length of the values it bounds the time of one match:
 * the worst pattern found took 0.1 s on a value of 2,048 characters, ordinary ones take a microsecond.
 */
const maximumProgramSize = 2000;

/** UTF-16 code units of a value that a pattern is tried on; a certificate's names are rarely past 64. */
export const maximumValueLength = 2048;

const tooLarge = Object.freeze({
  problem: 'a regular expression that is too large: use smaller counts in { }, or write several',
});

/**
 * Reads a user's regular expression for RE2's algorithm, which takes time linear in the text: no look-around, no
 * back-references. Gives back the message of a problem for a pattern that is none or is too large.
 *
 * @param programSize Instructions at most.
 */
export function readRegex(
  pattern: string,
  ignoreCase: boolean,
  programSize: number = maximumProgramSize,
): RE2JS | { readonly problem: string } {
  if (pattern.length > maximumPatternLength) {
    return { problem: `a regular expression of more than ${maximumPatternLength} characters: write several` };
  }
  if (estimateRegexSize(pattern) > 2 * programSize) return tooLarge;
  let regex: RE2JS;
  try {
    regex = RE2JS.compile(pattern, ignoreCase ? RE2JS.CASE_INSENSITIVE : 0);
  } catch (error) {
    const what = printable(
      String(error)
        .replace(/^.*error parsing regexp: /s, '')
        .slice(0, 200),
    );
    return { problem: `not a regular expression (RE2 syntax, so without look-around and \\1): ${what}` };
  }
  return regex.programSize() > programSize ? tooLarge : regex;
}

/** A user's regular expression, anchored at both ends. `.` is any character but a line break unless it says `(?s)`. */
export function compileRegex(pattern: string, ignoreCase = false): ValueTest | { readonly problem: string } {
  const regex = readRegex(pattern, ignoreCase);
  if ('problem' in regex) return regex;
  return Object.freeze({
    text: `/${pattern}/`,
    test: (value: string) => regex.testExact(value),
    maxLength: maximumValueLength,
  });
}

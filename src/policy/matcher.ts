import type { Matcher, ValueMatcher } from '../config/schema.ts';
import type { Fact } from './fact.ts';
import type { ValueTest } from './policy.ts';
import { compileRegex } from './regex.ts';
import type { Complaint } from './value-syntax.ts';
import { compileWildcard } from './wildcard.ts';

/** UTF-16 code units of a matcher's text. */
const maximumTextLength = 4096;

/** From this many literals on, a rule asks one set instead of each in turn. */
const literalsInSet = 8;

export interface CompiledMatchers {
  readonly tests: readonly ValueTest[];
  /** Problems by the JSON pointer from the matcher down: empty for itself. */
  readonly problems: readonly { readonly path: string; readonly message: string }[];
}

/** A single value that stands for itself. */
interface Literal {
  readonly text: string;
  readonly literal: string;
}

const isComplaint = (value: object): value is Complaint => 'problem' in value;

const literalTest = ({ text, literal }: Literal): ValueTest =>
  Object.freeze({ text, test: (value: string) => value === literal });

function setTest(literals: readonly Literal[]): ValueTest {
  const set = new Set(literals.map(({ literal }) => literal));
  const text = `${literals[0]!.text} or one of ${literals.length - 1} others`;
  return Object.freeze({ text, test: (value: string) => set.has(value) });
}

function compileText(text: string, exact: boolean, { syntax }: Fact): ValueTest | Literal | Complaint {
  if (text.length > maximumTextLength) return { problem: `longer than ${maximumTextLength} characters` };
  if (!text.isWellFormed()) return { problem: 'half of a surrogate pair, which no value can hold' };
  if (!exact && text.includes('*')) {
    const pattern = syntax.wildcard(text);
    if (typeof pattern !== 'string') return pattern;
    const { atoms } = syntax;
    if (atoms === undefined) return Object.freeze({ text, test: compileWildcard(pattern) });
    const test = compileWildcard(atoms(pattern));
    return Object.freeze({ text, test: (value: string) => test(atoms(value)) });
  }
  const special = syntax.special?.(text) ?? null;
  if (special !== null) return special;
  const literal = syntax.literal(text);
  if (typeof literal !== 'string') return literal;
  return { text: text.includes('*') ? `${text} (exactly)` : text, literal };
}

function compileValue(matcher: ValueMatcher, fact: Fact): ValueTest | Literal | Complaint {
  if (typeof matcher === 'string') return compileText(matcher, false, fact);
  const keys = typeof matcher === 'object' && matcher !== null ? Object.keys(matcher) : [];
  const text: unknown = Object.values(matcher ?? {})[0];
  if (keys.length !== 1 || typeof text !== 'string' || (keys[0] !== 'exact' && keys[0] !== 'regex')) {
    return {
      problem: 'no matcher: write a text, `{ exact: … }` or `{ regex: … }` with one text each, or a list',
    };
  }
  if (keys[0] === 'exact') return compileText(text, true, fact);
  const { regex } = fact.syntax;
  return isComplaint(regex) ? regex : compileRegex(text, regex.ignoreCase);
}

/** True for what stands for values, and not for a map of attributes. */
export function isMatcher(value: unknown): value is Matcher {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return true;
  const keys = Object.keys(value);
  return keys.length === 1 && (keys[0] === 'exact' || keys[0] === 'regex');
}

const isRegex = (matcher: ValueMatcher): boolean =>
  typeof matcher === 'object' && matcher !== null && 'regex' in matcher;

/** How many values a matcher names, and how many of them are regular expressions. */
export function countMatchers(matcher: Matcher): { readonly values: number; readonly regexes: number } {
  const list = Array.isArray(matcher) ? matcher : [matcher];
  return { values: list.length, regexes: list.filter(isRegex).length };
}

/** Compiles a matcher, or a list of which any may match, for the values of a fact. */
export function compileMatchers(matcher: Matcher, fact: Fact): CompiledMatchers {
  const tests: ValueTest[] = [];
  const literals: Literal[] = [];
  const problems: { path: string; message: string }[] = [];
  const list = Array.isArray(matcher) ? matcher : [matcher];
  for (const [index, each] of list.entries()) {
    const compiled = compileValue(each, fact);
    if (isComplaint(compiled)) {
      problems.push({ path: Array.isArray(matcher) ? `/${index}` : '', message: compiled.problem });
    } else if ('literal' in compiled) literals.push(compiled);
    else tests.push(compiled);
  }
  // Literals first: they cost the least.
  if (literals.length < literalsInSet) tests.unshift(...literals.map(literalTest));
  else tests.unshift(setTest(literals));
  return { tests: Object.freeze(tests), problems };
}

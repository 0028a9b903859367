import type { Matcher, PolicyConfig } from '../config/schema.ts';
import { pointer } from '../config/problem.ts';
import { didYouMean, quote } from '../config/text.ts';
import { attributeType, attributeTypeNames } from '../tls/attribute-type.ts';
import { attributeFact, type Fact, factKeys, facts } from './fact.ts';
import { compileMatchers, countMatchers, isMatcher } from './matcher.ts';
import type { Policy } from './policy.ts';

/** Something wrong with a policy as written: where (a JSON pointer), what, and what to write instead. */
export interface PolicyProblem {
  readonly path: string;
  readonly message: string;
}

export type PolicyCompilation = { readonly policy: Policy } | { readonly problems: readonly PolicyProblem[] };

/** Levels of `all`, `any` and `not` within each other. */
const maximumDepth = 16;
/** In one policy. Each request may ask every rule; literals in a long list count, yet cost next to nothing. */
const maximumRules = 1000;
const maximumMatchers = 10_000;
/** Each may keep some megabytes of states that it has met. */
const maximumRegexes = 100;

const groupKeys = ['all', 'any', 'not'] as const;
const knownKeys: readonly string[] = [...factKeys, ...groupKeys];

const isGroup = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

class Compiler {
  readonly problems: PolicyProblem[] = [];
  #rules = 0;
  #matchers = 0;
  #regexes = 0;

  #problem(path: string, message: string): void {
    this.problems.push(Object.freeze({ path, message }));
  }

  /** Says once, where it happened, that a bound was passed. */
  #count(path: string, before: number, added: number, maximum: number, what: string): number {
    if (before <= maximum && before + added > maximum) {
      this.#problem(path, `more than ${maximum} ${what} in one policy: put the common part into the CA`);
    }
    return before + added;
  }

  #countRules(path: string, added: number): void {
    this.#rules = this.#count(path, this.#rules, added, maximumRules, 'rules');
  }

  #rule(matcher: Matcher, fact: Fact, path: string): Policy {
    this.#countRules(path, 1);
    const { values: count, regexes } = countMatchers(matcher);
    this.#matchers = this.#count(path, this.#matchers, count, maximumMatchers, 'values');
    this.#regexes = this.#count(path, this.#regexes, regexes, maximumRegexes, 'regular expressions');
    const tooMany =
      this.#rules > maximumRules || this.#matchers > maximumMatchers || this.#regexes > maximumRegexes;
    if (tooMany) return denying;
    const { tests, problems } = compileMatchers(matcher, fact);
    for (const problem of problems) this.#problem(path + problem.path, problem.message);
    const { name, reason, values } = fact;
    return Object.freeze({ kind: 'rule', fact: name, reason, values, matchers: tests });
  }

  #attributes(map: object, of: 'subject' | 'issuer', path: string): Policy[] {
    const rules: Policy[] = [];
    for (const [name, matcher] of Object.entries(map)) {
      const place = path + pointer(name);
      const oid = attributeType(name);
      if (oid === null) {
        const meant =
          didYouMean(name, attributeTypeNames) || ': write a short name such as OU, or a dotted OID';
        this.#problem(place, `unknown attribute ${quote(name)}${meant}`);
      } else {
        rules.push(this.#rule(matcher as Matcher, attributeFact(of, oid), place));
      }
    }
    return rules;
  }

  #parts(value: unknown, path: string, depth: number): Policy[] {
    if (Array.isArray(value)) {
      this.#countRules(path, value.length);
      // YAML's aliases let a short file stand for a tree without end: past the bound nothing is walked.
      if (this.#rules > maximumRules) return [];
      return value.map((part, index) => this.group(part, `${path}/${index}`, depth + 1));
    }
    this.#problem(path, 'no list: write the rules one below the other, each behind a `-`');
    return [];
  }

  group(config: unknown, path: string, depth = 0): Policy {
    if (depth > maximumDepth) {
      this.#problem(path, `rules nested more than ${maximumDepth} deep: write them flatter`);
      return denying;
    }
    if (!isGroup(config)) {
      this.#problem(path, 'no rules: write one or more keys, such as `ou: ITOps`');
      return denying;
    }
    const parts: Policy[] = [];
    // In a fixed order, so that the same rules give the same answer however a file orders them.
    for (const key of factKeys) {
      const value = (config as PolicyConfig)[key];
      if (value === undefined) continue;
      const place = path + pointer(key);
      if ((key === 'subject' || key === 'issuer') && !isMatcher(value)) {
        parts.push(all(this.#attributes(value, key, place)));
      } else {
        parts.push(this.#rule(value as Matcher, facts[key], place));
      }
    }
    const { all: every, any, not } = config as PolicyConfig;
    if (every !== undefined) parts.push(all(this.#parts(every, `${path}/all`, depth)));
    if (any !== undefined) {
      const choices = this.#parts(any, `${path}/any`, depth);
      parts.push(Object.freeze({ kind: 'any', parts: Object.freeze(choices) }));
    }
    if (not !== undefined) {
      parts.push(Object.freeze({ kind: 'not', part: this.group(not, `${path}/not`, depth + 1) }));
    }
    for (const key of Object.keys(config)) {
      if (!knownKeys.includes(key)) {
        const meant = didYouMean(key, knownKeys) || `: write one of ${knownKeys.join(', ')}`;
        this.#problem(path + pointer(key), `unknown rule ${quote(key)}${meant}`);
      }
    }
    return all(parts);
  }
}

/** One part is itself; none denies. */
function all(parts: readonly Policy[]): Policy {
  return parts.length === 1 ? parts[0]! : Object.freeze({ kind: 'all', parts: Object.freeze(parts) });
}

/** Stands for what did not compile, in a policy that is never handed out. */
const denying: Policy = all([]);

/**
 * Compiles the rules of a policy: every key of an object must hold, a list means any of its values. `path` is
 * the JSON pointer of the policy in its file; problems carry theirs, all of them at once. What could make a
 * rule mean something else than it says (an unknown key, a value that no certificate can have) is a problem,
 * and a policy with a problem is none at all (rule 1).
 */
export function compilePolicy(config: PolicyConfig, path: string): PolicyCompilation {
  const compiler = new Compiler();
  const policy = compiler.group(config, path);
  return compiler.problems.length === 0 ? { policy } : { problems: Object.freeze(compiler.problems) };
}

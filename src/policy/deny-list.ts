import { readDocument } from '../config/document.ts';
import { quote } from '../config/text.ts';
import type { Identity } from '../tls/identity.ts';
import { compilePolicy } from './compile.ts';
import { evaluate } from './evaluate.ts';
import { facts, factKeys } from './fact.ts';
import type { Policy } from './policy.ts';

/** Who is refused whatever certificate and policies say. Frozen; asked through `deniedBy`. */
export interface DenyList {
  readonly entries: number;
  /** By the form in which values are compared: SHA-256 or SHA-1, public key hash, serial number; the entry's number. */
  readonly byFingerprint: ReadonlyMap<string, number>;
  readonly bySpki: ReadonlyMap<string, number>;
  readonly bySerial: ReadonlyMap<string, readonly DeniedSerial[]>;
  readonly rest: readonly DeniedBy[];
}

/** An entry for a serial number, of one issuer or (null) of any. */
interface DeniedSerial {
  readonly entry: number;
  readonly unless: Policy | null;
}

interface DeniedBy {
  readonly entry: number;
  /** Holds for whom the entry certainly does not mean. */
  readonly unless: Policy;
}

export type DenyListCompilation =
  | { readonly list: DenyList }
  /** Each on one line: where in the file, and what. */
  | { readonly problems: readonly string[] };

/** Entries in all, and those that are looked through one by one at every request. */
const maximumEntries = 100_000;
const maximumSearched = 1000;

/** Problems told of one file. */
const maximumProblems = 20;

const comparedWhole = ['fingerprint', 'spki', 'serial'] as const;

/**
 * Compiles a deny list: YAML, a list of entries, each of the keys that a policy has (`serial`, `issuer`, `spki`,
 * `fingerprint`, `subject`, `cn` …), all of which must hold for one to be meant. Pure. A file with any problem is
 * none at all, and so is one that holds no list: an empty one is written `[]`.
 *
 * @param file Names it in problems.
 */
export function compileDenyList(file: string, text: string): DenyListCompilation {
  const { data, problems, place } = readDocument(file, text);
  if (problems.length > 0) return { problems: problems.map((problem) => problem.message) };
  if (!Array.isArray(data)) {
    return {
      problems: [`${quote(file)} holds no list of entries: begin each with \`-\`, or write \`[]\` for none`],
    };
  }
  if (data.length > maximumEntries)
    return { problems: [`${quote(file)} has more than ${maximumEntries} entries`] };
  const compiler = new Compiler();
  for (const [index, entry] of data.entries()) compiler.add(entry, index);
  if (compiler.problems.length === 0) return { list: compiler.list(data.length) };
  return {
    problems: compiler.problems.slice(0, maximumProblems).map(({ path, message }) => {
      const { line } = place({ path, message, severity: 'error' });
      return `${quote(file)} line ${line}: ${message}`;
    }),
  };
}

class Compiler {
  readonly problems: { readonly path: string; readonly message: string }[] = [];
  readonly #byFingerprint = new Map<string, number>();
  readonly #bySpki = new Map<string, number>();
  readonly #bySerial = new Map<string, DeniedSerial[]>();
  readonly #rest: DeniedBy[] = [];

  add(config: unknown, index: number): void {
    const path = `/${index}`;
    const entry = index + 1;
    const keys = typeof config === 'object' && config !== null ? Object.keys(config) : [];
    const other = keys.find((key) => !(factKeys as readonly string[]).includes(key));
    if (keys.length === 0 || Array.isArray(config) || other !== undefined) {
      this.#problem(
        path,
        `an entry is one or more of ${factKeys.join(', ')}${other === undefined ? '' : `: ${quote(other)} is none of them`}`,
      );
      return;
    }
    const values = config as Record<string, unknown>;
    if (Object.values(values).some((value) => Array.isArray(value) && value.length === 0)) {
      this.#problem(path, 'an empty list means nobody: take the entry out');
      return;
    }
    const simple = comparedWhole.find((key) => typeof values[key] === 'string');
    if (simple !== undefined && (keys.length === 1 || simple === 'serial')) {
      this.#index(simple, values, path, entry);
      return;
    }
    const unless = this.#unless(values, path);
    if (unless !== null) this.#rest.push(Object.freeze({ entry, unless }));
    if (this.#rest.length === maximumSearched + 1) {
      this.#problem(
        path,
        `more than ${maximumSearched} entries without a single serial, fingerprint or spki`,
      );
    }
  }

  list(entries: number): DenyList {
    return Object.freeze({
      entries,
      byFingerprint: this.#byFingerprint,
      bySpki: this.#bySpki,
      bySerial: this.#bySerial,
      rest: Object.freeze(this.#rest),
    });
  }

  #index(
    key: (typeof comparedWhole)[number],
    values: Record<string, unknown>,
    path: string,
    entry: number,
  ): void {
    const literal = facts[key].syntax.literal(values[key] as string);
    if (typeof literal !== 'string') {
      this.#problem(`${path}/${key}`, literal.problem);
      return;
    }
    if (key === 'fingerprint') this.#byFingerprint.set(literal, entry);
    else if (key === 'spki') this.#bySpki.set(literal, entry);
    else {
      const { serial: _, ...others } = values;
      const unless = Object.keys(others).length === 0 ? null : this.#unless(others, path);
      const known = this.#bySerial.get(literal);
      const denied = Object.freeze({ entry, unless });
      if (known === undefined) this.#bySerial.set(literal, [denied]);
      else known.push(denied);
    }
  }

  /** The entry turned round: a policy lets through only whom it is certain of, so whoever is in doubt is denied. */
  #unless(values: object, path: string): Policy | null {
    const compiled = compilePolicy({ not: values }, path);
    if ('policy' in compiled) return compiled.policy;
    for (const problem of compiled.problems) this.#problem(problem.path.replace('/not', ''), problem.message);
    return null;
  }

  #problem(path: string, message: string): void {
    this.problems.push({ path, message });
  }
}

/**
 * Which entry of the list denies an identity, for the operator; null: none. Verified or only claimed: whoever says
 * to be somebody that is denied gets no further either way.
 */
export function deniedBy(list: DenyList | null, identity: Identity | null): string | null {
  if (list === null || identity === null) return null;
  const entry =
    list.byFingerprint.get(identity.sha256) ??
    list.byFingerprint.get(identity.sha1) ??
    list.bySpki.get(identity.spki) ??
    list.bySerial
      .get(facts.serial.syntax.value(identity.serial))
      ?.find(({ unless }) => unless === null || !evaluate(unless, identity).allowed)?.entry ??
    list.rest.find(({ unless }) => !evaluate(unless, identity).allowed)?.entry;
  return entry === undefined ? null : `entry ${entry} of the deny list`;
}

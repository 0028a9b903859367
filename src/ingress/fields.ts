import { error, type Finding, pointer, warning } from '../config/problem.ts';
import { quote } from '../config/text.ts';

/** Findings of one object; more than these are not kept: one wrong indentation makes a thousand. */
const maxFindings = 100;

/** What is wrong with one object, as it is read. */
export class Findings {
  readonly list: Finding[] = [];
  #hasErrors = false;

  get hasErrors(): boolean {
    return this.#hasErrors;
  }

  error(path: string, message: string): void {
    this.#hasErrors = true;
    if (this.list.length < maxFindings) this.list.push(error(path, message));
  }

  warning(path: string, message: string): void {
    if (this.list.length < maxFindings) this.list.push(warning(path, message));
  }
}

/**
 * A map of a manifest, whatever it really is. A field of the wrong type is a finding and reads as if it were absent;
 * nothing throws. Only own keys count: `constructor` is no field.
 */
export class Fields {
  readonly path: string;
  readonly findings: Findings;
  readonly #value: Readonly<Record<string, unknown>>;

  /** @param value Absent (undefined or null) reads as an empty map. */
  constructor(value: unknown, path: string, findings: Findings) {
    this.path = path;
    this.findings = findings;
    const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
    if (!isMap && value !== undefined && value !== null) findings.error(path, expected('a map', value));
    this.#value = isMap ? (value as Record<string, unknown>) : {};
  }

  at(key: string): string {
    return this.path + pointer(key);
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  /** Undefined where absent or null. */
  get(key: string): unknown {
    return Object.hasOwn(this.#value, key) ? (this.#value[key] ?? undefined) : undefined;
  }

  map(key: string): Fields {
    return new Fields(this.get(key), this.at(key), this.findings);
  }

  /** The maps of a list; what is none of them reads as an empty one. */
  maps(key: string): Fields[] {
    return this.#list(key).map(
      (item, index) => new Fields(item ?? undefined, `${this.at(key)}/${index}`, this.findings),
    );
  }

  texts(key: string): string[] {
    return this.#list(key).flatMap((item, index) => {
      if (typeof item === 'string') return [item];
      this.findings.error(`${this.at(key)}/${index}`, expected('a text', item));
      return [];
    });
  }

  text(key: string): string | null {
    const value = this.get(key);
    if (value === undefined || typeof value === 'string') return value ?? null;
    this.findings.error(this.at(key), expected('a text', value));
    return null;
  }

  boolean(key: string): boolean | null {
    const value = this.get(key);
    if (value === undefined || typeof value === 'boolean') return value ?? null;
    this.findings.error(this.at(key), expected('true or false', value));
    return null;
  }

  /** 1 to 65535. */
  port(key: string): number | null {
    const value = this.get(key);
    if (value === undefined) return null;
    if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65535) return value;
    this.findings.error(this.at(key), expected('a port, 1 to 65535', value));
    return null;
  }

  /** Each key with its value, in the order of the manifest. */
  entries(): [key: string, value: unknown][] {
    return Object.entries(this.#value);
  }

  #list(key: string): readonly unknown[] {
    const value = this.get(key);
    if (value === undefined || Array.isArray(value)) return (value as unknown[] | undefined) ?? [];
    this.findings.error(this.at(key), expected('a list', value));
    return [];
  }
}

function expected(what: string, value: unknown): string {
  const found = Array.isArray(value)
    ? 'a list'
    : typeof value === 'object' && value !== null
      ? 'a map'
      : quote(value);
  return `wants ${what}, found ${found}`;
}

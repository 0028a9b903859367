import { isMap, isScalar, LineCounter, type Node, parseDocument } from 'yaml';
import { messageOf, PkiError } from './error.ts';

/** JSON files larger than this are refused unread: 1 MiB. */
export const maxJsonBytes = 1024 * 1024;

function lineAndColumn(text: string, offset: number): string {
  const before = text.slice(0, offset).split('\n');
  return `${before.length}:${before.at(-1)!.length + 1}`;
}

function syntaxOffset(text: string, message: string): number {
  const position = /at position (\d+)/.exec(message)?.[1];
  if (position !== undefined) return Number(position);
  // V8 gives no position for a text that ends too early, nor for one that it quotes whole.
  const token = /Unexpected token '(.)'/su.exec(message)?.[1];
  return token === undefined ? text.length : Math.max(0, text.indexOf(token));
}

/** A place inside a JSON file; what it holds is asked for by type, and every complaint says where. */
export class JsonValue {
  readonly #file: string;
  readonly #path: readonly (string | number)[];
  readonly #locate: (path: readonly (string | number)[]) => string;
  readonly value: unknown;

  constructor(
    file: string,
    path: readonly (string | number)[],
    value: unknown,
    locate: (path: readonly (string | number)[]) => string,
  ) {
    this.#file = file;
    this.#path = path;
    this.#locate = locate;
    this.value = value;
  }

  /** Throws a PkiError that names file, line, column and path. */
  fail(message: string): never {
    const path = this.#path.map((step) => `/${step}`).join('');
    throw new PkiError(`${this.#file}:${this.#locate(this.#path)} ${path === '' ? '/' : path} ${message}`);
  }

  /** What a pure reader throws about this value gets the place put in front. */
  attempt<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      if (error instanceof PkiError) return this.fail(error.message);
      throw error;
    }
  }

  /** The members of an object, in the order of the file. */
  members(): readonly (readonly [name: string, JsonValue])[] {
    if (typeof this.value !== 'object' || this.value === null || Array.isArray(this.value)) {
      return this.fail('must be an object');
    }
    return Object.entries(this.value).map(([name, value]) => [name, this.#child(name, value)]);
  }

  /** The member of that name in any letter case, as Go reads JSON; undefined when missing or null. */
  member(name: string): JsonValue | undefined {
    const lower = name.toLowerCase();
    const found = this.members().findLast(([key]) => key.toLowerCase() === lower)?.[1];
    return found === undefined || found.value === null ? undefined : found;
  }

  items(): readonly JsonValue[] {
    if (!Array.isArray(this.value)) return this.fail('must be a list');
    return this.value.map((value, index) => this.#child(index, value));
  }

  text(): string {
    return typeof this.value === 'string' ? this.value : this.fail('must be a string');
  }

  flag(): boolean {
    return typeof this.value === 'boolean' ? this.value : this.fail('must be true or false');
  }

  /** A whole number, not negative. */
  count(): number {
    const { value } = this;
    return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
      ? value
      : this.fail('must be a whole number, 0 or more');
  }

  #child(step: string | number, value: unknown): JsonValue {
    return new JsonValue(this.#file, [...this.#path, step], value, this.#locate);
  }
}

/** Parses JSON text. `file` is only for the messages. Throws PkiError with line and column where it is broken. */
export function parseJson(text: string, file: string): JsonValue {
  if (text.length > maxJsonBytes) throw new PkiError(`${file}: larger than 1 MiB`);
  const plain = text.replace(/^\u{feff}/u, '');
  let value: unknown;
  try {
    value = JSON.parse(plain);
  } catch (error) {
    const message = messageOf(error);
    const at = lineAndColumn(plain, syntaxOffset(plain, message));
    throw new PkiError(`${file}:${at} not JSON: ${message.replace(/ at position.*| \(line .*/s, '')}`);
  }
  return new JsonValue(file, [], value, (path) => locate(plain, path));
}

/** JSON is YAML, and the YAML parser keeps where every node stood. Only asked when something is wrong. */
function locate(text: string, path: readonly (string | number)[]): string {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: false, logLevel: 'silent' });
  let node = document.contents as Node | null | undefined;
  let offset = node?.range?.[0] ?? 0;
  for (const step of path) {
    if (isMap(node)) {
      const pair = node.items.findLast((item) => isScalar(item.key) && item.key.value === step);
      node = pair?.value as Node | null | undefined;
    } else if (node !== null && node !== undefined && 'get' in node) {
      node = node.get(step, true) as Node | undefined;
    }
    offset = node?.range?.[0] ?? offset;
  }
  const { line, col } = lines.linePos(offset);
  return `${line}:${col}`;
}

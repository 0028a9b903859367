import { pointer, pointerKeys } from './problem.ts';

/** A set of places in a configuration. Each question costs the length of a path, however many places there are. */
export class Places {
  readonly #own = new Set<string>();
  readonly #above = new Set<string>();

  /** `path`: a JSON pointer. */
  add(path: string): void {
    // Once as it is, and once for questions about every item of a list.
    for (const form of [
      path,
      pointer(...pointerKeys(path).map((key) => (/^[0-9]+$/.test(key) ? '*' : key))),
    ]) {
      this.#own.add(form);
      for (const place of upTo(form)) this.#above.add(place);
    }
  }

  /** Is it one of them, or a part of one? */
  cover(path: string): boolean {
    if (this.#own.size === 0) return false;
    return upTo(path).some((place) => this.#own.has(place));
  }

  /** Is it one of them, a part of one, or is one a part of it? `path` may hold `*` for every item of a list. */
  touch(path: string): boolean {
    if (this.#own.size === 0) return false;
    return this.#above.has(path) || this.cover(path);
  }
}

/** `/a/b`: the empty path, `/a` and `/a/b`. */
function upTo(path: string): string[] {
  const keys = path.split('/').slice(1);
  return Array.from({ length: keys.length + 1 }, (_, count) =>
    keys
      .slice(0, count)
      .map((key) => `/${key}`)
      .join(''),
  );
}

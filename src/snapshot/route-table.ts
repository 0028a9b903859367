import { longestPath } from './path-pattern.ts';
import type { Route } from './snapshot.ts';

/**
 * The routes of one host, in nginx's order of precedence: Exact; then the first Regex, in the order they are written;
 * then the longest of Prefix (by path segment) and RawPrefix (by character), a Prefix before a RawPrefix of its length.
 */
export interface RouteTable {
  readonly all: readonly Route[];
  /** By a normalised path (see path.ts). */
  find(path: string): Route | null;
  /** The host has regular expressions, and this path is too long to be tried on them: it is to be refused. */
  refusesLength(path: string): boolean;
}

/**
 * Builds the table. A prefix `/a` covers `/a`, `/a/` and `/a/b`, never `/ab` (Kubernetes' pathType Prefix);
 * a trailing slash of a prefix says nothing. A RawPrefix `/a` covers `/ab` too. A lookup costs one step per segment of
 * the deepest prefix, one per distinct length of a RawPrefix or of what a Regex must begin with, and one match for each
 * Regex whose beginning fits; however many routes there are and however long the path is.
 */
export function createRouteTable(routes: readonly Route[]): RouteTable {
  const exact = new Map<string, Route>();
  const prefixes = new SegmentPrefixes();
  const raw = new TextPrefixes<Route>();
  const patterns = new TextPrefixes<Ranked[]>();
  for (const [order, route] of routes.entries()) {
    switch (route.pathType) {
      case 'Exact':
        if (!exact.has(route.path)) exact.set(route.path, route);
        break;
      case 'Prefix':
        prefixes.add(route);
        break;
      case 'RawPrefix':
        if (raw.get(route.path) === undefined) raw.set(route.path, route);
        break;
      case 'Regex': {
        const literal = route.pattern?.literal ?? '';
        const ranked = { order, route };
        const others = patterns.get(literal);
        if (others === undefined) patterns.set(literal, [ranked]);
        else others.push(ranked);
        break;
      }
    }
  }
  return Object.freeze({
    all: Object.freeze([...routes]),
    find(path: string): Route | null {
      return exact.get(path) ?? firstMatch(patterns, path) ?? longest(prefixes.find(path), raw, path);
    },
    refusesLength: (path: string) => path.length > longestPath && patterns.size > 0,
  });
}

interface Ranked {
  readonly order: number;
  readonly route: Route;
}

function firstMatch(patterns: TextPrefixes<readonly Ranked[]>, path: string): Route | null {
  if (patterns.size === 0 || path.length > longestPath) return null;
  let best: Ranked | null = null;
  for (const candidates of patterns.of(path.toLowerCase())) {
    for (const candidate of candidates) {
      if (best !== null && candidate.order > best.order) break;
      if (candidate.route.pattern?.test(path) === true) best = candidate;
    }
  }
  return best?.route ?? null;
}

function longest(prefix: Found | null, raw: TextPrefixes<Route>, path: string): Route | null {
  if (raw.size === 0) return prefix?.route ?? null;
  for (const route of raw.of(path)) {
    // Of the two nginx locations `/a/` and `/a` the first is the longer one.
    return prefix !== null && prefix.length + 1 >= route.path.length ? prefix.route : route;
  }
  return prefix?.route ?? null;
}

/** Values by a text that a path begins with. */
class TextPrefixes<Value> {
  readonly #values = new Map<string, Value>();
  /** Distinct lengths of the texts, longest first. */
  #lengths: readonly number[] = [];

  get size(): number {
    return this.#values.size;
  }

  get(text: string): Value | undefined {
    return this.#values.get(text);
  }

  set(text: string, value: Value): void {
    this.#values.set(text, value);
    if (!this.#lengths.includes(text.length)) {
      this.#lengths = [...this.#lengths, text.length].sort((a, b) => b - a);
    }
  }

  /** Of all texts that the path begins with, the longest first. */
  *of(path: string): Generator<Value> {
    for (const length of this.#lengths) {
      if (length > path.length) continue;
      const value = this.#values.get(path.slice(0, length));
      if (value !== undefined) yield value;
    }
  }
}

interface Found {
  readonly route: Route;
  /** Characters of the prefix without a trailing slash. */
  readonly length: number;
}

/** Prefixes that end where a segment ends. */
class SegmentPrefixes {
  readonly #routes = new Map<string, Route>();
  #deepest = 0;

  add(route: Route): void {
    const key = withoutTrailingSlash(route.path);
    if (!this.#routes.has(key)) this.#routes.set(key, route);
    this.#deepest = Math.max(this.#deepest, segments(key));
  }

  find(path: string): Found | null {
    if (this.#routes.size === 0) return null;
    for (
      let prefix = firstSegments(withoutTrailingSlash(path), this.#deepest);
      ;
      prefix = prefix.slice(0, prefix.lastIndexOf('/'))
    ) {
      const route = this.#routes.get(prefix);
      if (route !== undefined) return { route, length: prefix.length };
      if (prefix === '') return null;
    }
  }
}

/** `/` becomes the empty string, the prefix of every path. */
function withoutTrailingSlash(path: string): string {
  return path.endsWith('/') ? path.slice(0, -1) : path;
}

function segments(path: string): number {
  return path.split('/').length - 1;
}

/** A path of ten thousand segments must not cost ten thousand lookups of long strings. */
function firstSegments(path: string, count: number): string {
  let end = 0;
  for (let index = 0; index < count; index++) {
    const slash = path.indexOf('/', end + 1);
    if (slash === -1) return path;
    end = slash;
  }
  return path.slice(0, end);
}

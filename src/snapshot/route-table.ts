import type { Route } from './snapshot.ts';

/** The routes of one host. Exact beats Prefix; among prefixes, matched by path segment, the longest wins. */
export interface RouteTable {
  readonly all: readonly Route[];
  /** By a normalised path (see path.ts). */
  find(path: string): Route | null;
}

/**
 * Builds the table. A prefix `/a` covers `/a`, `/a/` and `/a/b`, never `/ab` (Kubernetes' pathType Prefix);
 * a trailing slash of a prefix says nothing. A lookup costs one step per segment of the deepest prefix,
 * however many routes there are and however long the path is.
 */
export function createRouteTable(routes: readonly Route[]): RouteTable {
  const exact = new Map<string, Route>();
  const prefixes = new Map<string, Route>();
  let deepest = 0;
  for (const route of routes) {
    const [table, key] =
      route.pathType === 'Exact' ? [exact, route.path] : [prefixes, withoutTrailingSlash(route.path)];
    if (!table.has(key)) table.set(key, route);
    if (table === prefixes) deepest = Math.max(deepest, segments(key));
  }
  return Object.freeze({
    all: Object.freeze([...routes]),
    find(path: string): Route | null {
      const found = exact.get(path);
      if (found !== undefined) return found;
      for (
        let prefix = firstSegments(withoutTrailingSlash(path), deepest);
        ;
        prefix = prefix.slice(0, prefix.lastIndexOf('/'))
      ) {
        const route = prefixes.get(prefix);
        if (route !== undefined) return route;
        if (prefix === '') return null;
      }
    },
  });
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

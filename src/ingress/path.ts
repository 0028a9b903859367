import type { RouteConfig } from '../config/schema.ts';
import { quote } from '../config/text.ts';
import { compilePathPattern } from '../snapshot/path-pattern.ts';
import { normalisePath } from '../snapshot/path.ts';
import type { IngressPath } from './object.ts';

export type NativeMatch = Pick<RouteConfig, 'path'> & {
  readonly pathType: NonNullable<RouteConfig['pathType']>;
};

/** Where no request could match a path. */
export interface Unmatchable {
  readonly problem: string;
  /** What requests that it might have been meant for match; they are to be refused. Null: there can be none. */
  readonly refuse: NativeMatch | null;
}

/**
 * The native match of a path, as ingress-nginx writes its location: Exact, Prefix by segment, ImplementationSpecific by
 * character; on a host with regular expressions every path is one.
 *
 * @param isExactToo The host has the same path as Exact, which leaves what is below it to a Prefix.
 */
export function nativeMatch(
  { path, pathType }: IngressPath,
  usesRegex: boolean,
  isExactToo: boolean,
): NativeMatch | Unmatchable {
  if (usesRegex) {
    const pattern = pathType === 'Prefix' && isExactToo && path !== '/' ? `${withoutSlash(path)}/` : path;
    const compiled = compilePathPattern(pattern);
    if (!('problem' in compiled)) return { path: pattern, pathType: 'Regex' };
    const beginning = sureBeginning(pattern);
    return {
      problem: `is ${compiled.problem}: what begins with ${quote(beginning)} answers 503`,
      refuse: { path: beginning, pathType: 'Regex' },
    };
  }
  const normal = normalisePath(encode(path));
  if (normal === null)
    return { problem: 'is no path that a request can have: a .. leads above /', refuse: null };
  if (pathType === 'Exact') return { path: normal.path, pathType: 'Exact' };
  // `/` by character and by segment are the same; one form keeps the two from standing side by side.
  if (pathType === 'Prefix' || normal.path === '/') return { path: normal.path, pathType: 'Prefix' };
  return { path: normal.path, pathType: 'RawPrefix' };
}

/** Two paths that match the same have the same key. */
export function matchKey({ path, pathType }: NativeMatch): string {
  return `${pathType} ${pathType === 'Prefix' && path !== '/' ? withoutSlash(path) : path}`;
}

/**
 * nginx redirects the path without its last slash there (301), unless it is a location itself: the surprise number 4. Null
 * where it does not. A Prefix without a slash at its end covers both.
 */
export function withoutItsSlash({ path, pathType }: NativeMatch): string | null {
  return pathType !== 'Regex' && path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : null;
}

/** Longest first, then from the end of the alphabet, as ingress-nginx sorts locations: the first that matches counts. */
export function byLocationOrder(a: { readonly path: string }, b: { readonly path: string }): number {
  const difference = Buffer.byteLength(b.path) - Buffer.byteLength(a.path);
  return difference === 0 ? (a.path === b.path ? 0 : a.path > b.path ? -1 : 1) : difference;
}

function withoutSlash(path: string): string {
  return path.endsWith('/') ? path.slice(0, -1) : path;
}

/** nginx compares a location with the decoded path, so a `%` or `?` in it is that character and no encoding. */
function encode(path: string): string {
  return path.replaceAll(/[^!-~]+|[%?#]/gu, (text) =>
    Array.from(
      Buffer.from(text.toWellFormed()),
      (byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
    ).join(''),
  );
}

/** What everything begins with that a pattern which cannot be read might have been meant for. */
function sureBeginning(pattern: string): string {
  if (pattern.includes('|')) return '/';
  const literal = /^\/[A-Za-z0-9/_-]*/.exec(pattern)?.[0] ?? '/';
  // The last character may belong to what follows it: `/a*`.
  const isSure = !/[*?{+]/.test(pattern[literal.length] ?? '');
  return isSure || literal.length === 1 ? literal : literal.slice(0, -1);
}

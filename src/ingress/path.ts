import type { RouteConfig } from '../config/schema.ts';
import { normalisePath } from '../snapshot/path.ts';
import type { IngressPath } from './object.ts';

export type NativeMatch = Pick<RouteConfig, 'path'> & {
  readonly pathType: NonNullable<RouteConfig['pathType']>;
};

/**
 * The native match of a path, as ingress-nginx writes its location: Exact, Prefix by segment, ImplementationSpecific by
 * character; on a host with regular expressions every path is one. Gives a message where no request could match it.
 */
export function nativeMatch(
  { path, pathType }: IngressPath,
  usesRegex: boolean,
): NativeMatch | { readonly problem: string } {
  if (usesRegex) return { path, pathType: 'Regex' };
  const normal = normalisePath(encode(path));
  if (normal === null) return { problem: 'is no path that a request can have: a .. leads above /' };
  if (pathType === 'Exact') return { path: normal.path, pathType: 'Exact' };
  // `/` by character and by segment are the same; one form keeps the two from standing side by side.
  if (pathType === 'Prefix' || normal.path === '/') return { path: normal.path, pathType: 'Prefix' };
  return { path: normal.path, pathType: 'RawPrefix' };
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

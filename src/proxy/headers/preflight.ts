import type { Preflight } from '../../snapshot/request-head.ts';
import { valuesOf } from './field.ts';

/**
 * What a browser asks before a request (Fetch standard, "CORS-preflight request"); null where it is another request,
 * as OPTIONS without both headers is. Two of one header are two readings, so none.
 */
export function readPreflight(method: string, rawHeaders: readonly string[]): Preflight | null {
  if (method !== 'OPTIONS') return null;
  const origin = readOrigin(rawHeaders);
  if (origin === null || valuesOf(rawHeaders, 'access-control-request-method').length !== 1) return null;
  return { origin };
}

/** The Origin of a request; null where there is none, or more than one. */
export function readOrigin(rawHeaders: readonly string[]): string | null {
  const [origin, ...others] = valuesOf(rawHeaders, 'origin');
  return origin === undefined || others.length > 0 ? null : origin;
}

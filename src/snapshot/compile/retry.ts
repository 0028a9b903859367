import type { RouteConfig } from '../../config/schema.ts';
import { parseDuration } from '../../config/units.ts';
import { type RetryRules, usualRetry } from '../retry.ts';

/** When requests of a route are sent to another endpoint. `off` beside other words turns all of them off, as in nginx. */
export function compileRetry(config: RouteConfig['retry']): RetryRules {
  if (config === undefined) return usualRetry;
  const { on, tries, timeout } = config;
  const timeoutMs = timeout === undefined ? Infinity : parseDuration(timeout) || Infinity;
  const limits = { tries: tries === undefined ? null : tries === 0 ? Infinity : tries, timeoutMs };
  if (on === undefined) return Object.freeze({ ...usualRetry, ...limits });
  const words = new Set<string>(on.includes('off') ? [] : on);
  return Object.freeze({
    error: words.has('error'),
    connectTimeout: words.has('timeout'),
    readTimeout: words.has('timeout'),
    invalidHeader: words.has('invalid_header'),
    statuses: new Set(
      [...words].flatMap((word) => (word.startsWith('http_') ? [Number(word.slice(5))] : [])),
    ),
    nonIdempotent: words.has('non_idempotent'),
    ...limits,
  });
}

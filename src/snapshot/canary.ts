import { cookieOf } from '../proxy/headers/cookie.ts';
import { valuesOf } from '../proxy/headers/field.ts';

/** Another upstream for some of a route's requests. */
export interface Canary {
  readonly upstream: string;
  readonly header: CanaryHeader | null;
  /** The name of a cookie with `always` or `never`; null: none is looked at. */
  readonly cookie: string | null;
  /** The share of requests that neither header nor cookie decides on: from 0 to 1. */
  readonly share: number;
}

export interface CanaryHeader {
  /** Lower case. */
  readonly name: string;
  /** Whether a value leads here, does not, or says nothing. */
  readonly judge: (value: string) => Word;
}

/** What a header or cookie says. */
export type Word = 'always' | 'never' | null;

export interface CanaryChoice {
  /** Null: none, the route's own upstream. */
  readonly canary: Canary | null;
  readonly by: 'header' | 'cookie' | 'weight';
}

/** `always` and `never`, and nothing else: ingress-nginx's words. */
export function readWord(value: string): Word {
  return value === 'always' || value === 'never' ? value : null;
}

/**
 * The canary that takes a request, if any. Pure: chance is passed in. First what headers say, then cookies, then the
 * draw, as in ingress-nginx (`balancer.lua`), which knows one canary; of several, the first that is asked for
 * takes the request, one that is turned down stays out, and shares lie side by side.
 *
 * @param draw from 0 up to, not including, 1
 */
export function chooseCanary(
  canaries: readonly Canary[],
  rawHeaders: readonly string[],
  draw: number,
): CanaryChoice {
  const ways = [
    { by: 'header', say: (canary: Canary) => headerWord(canary.header, rawHeaders) },
    { by: 'cookie', say: (canary: Canary) => cookieWord(canary.cookie, rawHeaders) },
  ] as const;
  let left = canaries;
  for (const { by, say } of ways) {
    const words = left.map((canary) => ({ canary, word: say(canary) }));
    const wanted = words.find(({ word }) => word === 'always');
    if (wanted !== undefined) return { canary: wanted.canary, by };
    left = words.filter(({ word }) => word !== 'never').map(({ canary }) => canary);
    if (left.length === 0) return { canary: null, by };
  }
  let reached = 0;
  for (const canary of left) {
    reached += canary.share;
    if (draw < reached) return { canary, by: 'weight' };
  }
  return { canary: null, by: 'weight' };
}

/** A header sent more than once is one list, as nginx's `$http_name` is. */
function headerWord(header: CanaryHeader | null, rawHeaders: readonly string[]): Word {
  if (header === null) return null;
  const values = valuesOf(rawHeaders, header.name);
  return values.length === 0 ? null : header.judge(values.join(', '));
}

function cookieWord(cookie: string | null, rawHeaders: readonly string[]): Word {
  const value = cookie === null ? null : cookieOf(rawHeaders, cookie);
  return value === null ? null : readWord(value);
}

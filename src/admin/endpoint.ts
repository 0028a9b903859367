import type { Answer } from './answer.ts';

/**
 * What a caller has to be allowed to: `probe` tells whether the program lives and takes traffic, `reading` tells more
 * and changes nothing, `changing` changes something.
 */
export type Permission = 'probe' | 'reading' | 'changing';

/** One thing that the admin listener answers. HEAD is answered wherever GET is. */
export interface Endpoint {
  readonly method: 'GET' | 'POST';
  /** Matched whole and as it stands: no parameters, no other spelling. */
  readonly path: string;
  readonly permission: Permission;
  /** Bytes of a body at most; left out: a body is refused. For POST. */
  readonly bodyLimit?: number;
  /** What it throws is a 500 without a word of why, but for a BadCall. */
  readonly handle: (call: Call) => Answer | Promise<Answer>;
}

/** A request that may be answered: whoever sent it has the permission, and all of it has come. */
export interface Call {
  readonly query: URLSearchParams;
  /** Empty where there was none. */
  readonly body: Buffer;
  /** Whoever asks, for the log: `token prometheus`, `certificate CN=…`, `loopback`. */
  readonly caller: string;
}

/** The caller's fault: answered with 400 and the message, which must not tell secrets. */
export class BadCall extends Error {}

/** A body as JSON. @throws BadCall where it is none. */
export function jsonOf({ body }: Call): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    throw new BadCall('the body is not JSON in UTF-8');
  }
}

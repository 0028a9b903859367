import { createHmac, randomBytes } from 'node:crypto';
import type { BasicAuth } from '../../snapshot/access.ts';
import { passwordMatches } from './password.ts';

/** Passwords compared at once, and waiting for their turn: a bcrypt hash takes a core for some 100 ms. */
const atOnce = 2;
const longestQueue = 256;

/** Successes remembered, so that a client's next request costs microseconds. */
const maxRemembered = 4096;

/** Characters of an Authorization header that are looked at. */
const longestHeader = 2048;

export type AuthResult = 'yes' | 'no' | 'busy';

/**
 * HTTP Basic authentication (RFC 7617) against the users of a route. A name that is not there costs the time of a hash
 * as well: the time of an answer does not tell who exists. Successes are remembered under a key of this process, by
 * name, password and hash: a changed hash is asked anew.
 */
export class Authenticator {
  readonly #secret = randomBytes(32);
  readonly #remembered = new Set<string>();
  readonly #queue: (() => void)[] = [];
  #running = 0;

  async authenticate({ users }: BasicAuth, header: string | null): Promise<AuthResult> {
    const credentials = header === null ? null : readCredentials(header);
    if (credentials === null) return 'no';
    const known = users.get(credentials.name);
    const hash = known ?? [...users.values()][0];
    if (hash === undefined) return 'no';
    const memory = createHmac('sha256', this.#secret)
      .update(JSON.stringify([credentials.name, credentials.password, hash]))
      .digest('base64');
    if (known !== undefined && this.#remembered.has(memory)) return 'yes';
    if (!(await this.#turn())) return 'busy';
    try {
      const matches = await passwordMatches(credentials.password, hash);
      if (!matches || known === undefined) return 'no';
      this.#remember(memory);
      return 'yes';
    } finally {
      this.#running--;
      this.#queue.shift()?.();
    }
  }

  /** Waits until fewer than `atOnce` are under way; false where too many wait already. */
  async #turn(): Promise<boolean> {
    if (this.#running >= atOnce) {
      if (this.#queue.length >= longestQueue) return false;
      await new Promise<void>((resolve) => {
        this.#queue.push(resolve);
      });
    }
    this.#running++;
    return true;
  }

  #remember(memory: string): void {
    if (this.#remembered.size >= maxRemembered) {
      for (const oldest of this.#remembered) {
        this.#remembered.delete(oldest);
        break;
      }
    }
    this.#remembered.add(memory);
  }
}

/** `Basic` and base64 of `name:password`, UTF-8; null for anything else. */
export function readCredentials(header: string): { readonly name: string; readonly password: string } | null {
  if (header.length > longestHeader) return null;
  const encoded = /^basic +([A-Za-z0-9+/]+={0,2}) *$/i.exec(header)?.[1];
  if (encoded === undefined) return null;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  // RFC 7617 §2: no control characters; a name without a colon is no pair.
  if (colon < 1 || /[\0-\x1f\x7f]/.test(text)) return null;
  return { name: text.slice(0, colon), password: text.slice(colon + 1) };
}

import { parseIpAddress, plainAddress } from './ip-address.ts';

/**
 * How much each client address has of something: connections, handshakes in flight. An address is in the table
 * only while it has one, so the table is never longer than what is counted, which has a limit of its own.
 */
export class AddressCounts {
  readonly #counts = new Map<string, number>();

  /** Addresses that have any now. */
  get size(): number {
    return this.#counts.size;
  }

  /**
   * Takes one for an address, unless it has `limit` of them already: then null. What comes back gives it back;
   * called twice it does nothing more.
   */
  take(address: string, limit: number): (() => void) | null {
    const key = addressKey(address);
    const count = this.#counts.get(key) ?? 0;
    if (count >= limit) return null;
    this.#counts.set(key, count + 1);
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      const left = this.#counts.get(key)! - 1;
      if (left === 0) this.#counts.delete(key);
      else this.#counts.set(key, left);
    };
  }
}

/** Addresses whose key is remembered: each connection is counted twice, and many come from a few addresses. */
const maxKeys = 1024;

const keys = new Map<string, string>();

/**
 * What counts as one client: an IPv4 address, mapped into IPv6 or not; of IPv6 the first 64 bits, since the rest
 * is the client's own to choose (RFC 6177). Text that is no address is one client with all other such text.
 */
export function addressKey(address: string): string {
  const known = keys.get(address);
  if (known !== undefined) return known;
  if (keys.size >= maxKeys) keys.clear();
  const key = readKey(address);
  keys.set(address, key);
  return key;
}

function readKey(address: string): string {
  const octets = parseIpAddress(plainAddress(address));
  if (octets === null) return '';
  return octets.length === 4 ? octets.join('.') : Buffer.from(octets.subarray(0, 8)).toString('hex');
}

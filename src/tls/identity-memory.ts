import { hash } from 'node:crypto';
import { readIdentity } from './identity-reader.ts';
import type { Identity } from './identity.ts';

/** Certificates remembered; with its DER one takes some 4 kB. */
const defaultLimit = 4096;

/**
 * Remembers what certificates say, by the SHA-256 of their DER: a client comes back with the same one, reading it is a
 * tenth of what is ours in a handshake, and its connections share one identity. Bounded: the one that was not asked for the
 * longest goes first. Nothing of trust is remembered here.
 */
export class IdentityMemory {
  readonly #limit: number;
  readonly #entries = new Map<string, Identity>();

  constructor(limit: number = defaultLimit) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The identity of a certificate; null for one that OpenSSL takes and our stricter reader does not. */
  read(der: Buffer): Identity | null {
    const key = hash('sha256', der, 'base64');
    const known = this.#entries.get(key);
    if (known !== undefined) {
      this.#entries.delete(key);
      this.#entries.set(key, known);
      return known;
    }
    let identity: Identity;
    try {
      identity = readIdentity(der);
    } catch {
      return null;
    }
    if (this.#entries.size >= this.#limit) {
      for (const oldest of this.#entries.keys()) {
        this.#entries.delete(oldest);
        break;
      }
    }
    this.#entries.set(key, identity);
    return identity;
  }
}

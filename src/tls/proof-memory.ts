/** Leaves remembered; an entry takes some 250 bytes. */
const defaultLimit = 16_384;

/**
 * Remembers which certificates were proven under which trust store, and until when: a resumed session shows no
 * chain, and following one costs more than all else that is done with a handshake. Bounded: the entry that was
 * not asked for the longest goes first.
 */
export class ProofMemory {
  readonly #limit: number;
  readonly #entries = new Map<string, number>();

  constructor(limit: number = defaultLimit) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#entries.size;
  }

  /**
   * @param trustKey `ClientAuth.key`.
   * @param fingerprint SHA-256 of the certificate.
   * @param validUntil Milliseconds since 1970: `ChainProof.validUntil`.
   */
  remember(trustKey: string, fingerprint: string, validUntil: number): void {
    const key = `${trustKey} ${fingerprint}`;
    this.#entries.delete(key);
    if (this.#entries.size >= this.#limit) {
      for (const oldest of this.#entries.keys()) {
        this.#entries.delete(oldest);
        break;
      }
    }
    this.#entries.set(key, validUntil);
  }

  /** Whether the certificate was proven under this trust store and its proof still holds. */
  holds(trustKey: string, fingerprint: string, now: number): boolean {
    const key = `${trustKey} ${fingerprint}`;
    const validUntil = this.#entries.get(key);
    if (validUntil === undefined) return false;
    this.#entries.delete(key);
    if (now > validUntil) return false;
    this.#entries.set(key, validUntil);
    return true;
  }
}

/** Failures in a row after which a responder is left alone. One may be a lost packet, or one odd certificate. */
const maxFailures = 3;

/** Responders remembered: their addresses stand in certificates that CAs of ours issued. */
const maxResponders = 1024;

interface Failures {
  count: number;
  /** Milliseconds since 1970 until when it is not asked. */
  until: number;
}

/**
 * Which responders gave no answer lately. Without it each client of a dead one would wait for the whole time-out, as
 * each has a certificate of its own.
 */
export class ResponderHealth {
  readonly #failures = new Map<string, Failures>();
  readonly #pauseMs: number;

  /** @param pauseMs Milliseconds for which one is left alone. */
  constructor(pauseMs: number) {
    this.#pauseMs = pauseMs;
  }

  /**
   * Until when it is to be left alone, in milliseconds since 1970; null: it may be asked. After a pause one question goes
   * first, and the others still wait as long as that may take.
   */
  pausedUntil(responder: string, timeoutMs: number, now: number): number | null {
    const failures = this.#failures.get(responder);
    if (failures === undefined || failures.count < maxFailures) return null;
    if (now < failures.until) return failures.until;
    failures.until = now + timeoutMs;
    return null;
  }

  answered(responder: string): void {
    this.#failures.delete(responder);
  }

  failed(responder: string, now: number): void {
    const failures = this.#failures.get(responder) ?? { count: 0, until: 0 };
    failures.count++;
    failures.until = now + this.#pauseMs;
    this.#failures.delete(responder);
    if (this.#failures.size >= maxResponders) {
      for (const oldest of this.#failures.keys()) {
        this.#failures.delete(oldest);
        break;
      }
    }
    this.#failures.set(responder, failures);
  }
}

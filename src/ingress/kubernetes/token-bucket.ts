/** So many at once, and then one in so many milliseconds. Pure: the time is given, of a clock that never goes back. */
export class TokenBucket {
  readonly #burst: number;
  readonly #everyMs: number;
  #tokens: number;
  #at: number;

  constructor(burst: number, everyMs: number, now: number) {
    this.#burst = burst;
    this.#everyMs = everyMs;
    this.#tokens = burst;
    this.#at = now;
  }

  /** Milliseconds until there is one; 0: there is. */
  waitMs(now: number): number {
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#at) / this.#everyMs);
    this.#at = now;
    // What a clock rounds off must not leave a wait that never ends.
    return this.#tokens > 1 - 1e-6 ? 0 : Math.ceil((1 - this.#tokens) * this.#everyMs);
  }

  /** Takes one, whether it is there or not. */
  take(now: number): void {
    this.waitMs(now);
    this.#tokens--;
  }
}

/** Folds what happens in bursts: calls back once it has been quiet for a while, or has gone on for too long. */
export class Burst {
  readonly #quietMs: number;
  readonly #longestMs: number;
  readonly #onOver: () => void;
  #timer: NodeJS.Timeout | null = null;
  /** When the burst began that is being waited out. */
  #began: number | null = null;

  /**
   * @param quietMs How long nothing must happen until a burst counts as over, in milliseconds.
   * @param longestMs How long a burst that does not end is waited for.
   */
  constructor(quietMs: number, longestMs: number, onOver: () => void) {
    this.#quietMs = quietMs;
    this.#longestMs = longestMs;
    this.#onOver = onOver;
  }

  /** A burst is being waited out. */
  get isOn(): boolean {
    return this.#timer !== null;
  }

  /** Something has happened. */
  stir(): void {
    const now = performance.now();
    this.#began ??= now;
    if (this.#timer !== null) clearTimeout(this.#timer);
    const wait = Math.max(0, Math.min(this.#quietMs, this.#began + this.#longestMs - now));
    this.#timer = setTimeout(() => {
      this.close();
      this.#onOver();
    }, wait);
    this.#timer.unref();
  }

  /** Forgets what has happened. */
  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#began = null;
  }
}

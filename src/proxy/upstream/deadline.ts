/** The longest delay that timers take; a longer one would fire at once. */
const longestMs = 2 ** 31 - 1;

/** A timer that is started, put off and stopped many times. */
export class Deadline {
  readonly #expired: () => void;
  #timer: NodeJS.Timeout | null = null;

  constructor(expired: () => void) {
    this.#expired = expired;
  }

  get running(): boolean {
    return this.#timer !== null;
  }

  /** @param ms - from now, in milliseconds */
  start(ms: number): void {
    this.stop();
    this.#timer = setTimeout(
      () => {
        this.#timer = null;
        this.#expired();
      },
      Math.min(ms, longestMs),
    );
  }

  /** Starts the time anew if it is running. */
  touch(): void {
    this.#timer?.refresh();
  }

  stop(): void {
    if (this.#timer === null) return;
    clearTimeout(this.#timer);
    this.#timer = null;
  }
}

/** Milliseconds before the first attempt, and at most. */
const first = 100;
const longest = 30_000;

/** Milliseconds after which something counts as one that runs well. */
const steady = 10_000;

/**
 * How long to wait before something that ended is started again: longer each time it ends soon after it began, up to
 * half a minute unless told otherwise, so that one that cannot run does not take the rest with it. Never gives up. Pure.
 */
export class BackOff {
  readonly #longest: number;
  #failures = 0;

  /** @param longestMs Milliseconds that it waits at most. */
  constructor(longestMs = longest) {
    this.#longest = longestMs;
  }

  /** Failures in a row. */
  get failures(): number {
    return this.#failures;
  }

  /** @param ranMs How long it ran, in milliseconds. Gives milliseconds. */
  next(ranMs: number): number {
    this.#failures = ranMs >= steady ? 1 : this.#failures + 1;
    return Math.min(this.#longest, first * 2 ** Math.min(this.#failures - 1, 20));
  }
}

/** Milliseconds before the first restart, and at most. */
const first = 100;
const longest = 30_000;

/** Milliseconds after which a worker process counts as one that runs well. */
const steady = 10_000;

/**
 * How long to wait before a worker process is started again: longer each time it falls soon after it began, up to
 * half a minute, so that one that cannot run does not take the machine with it. Never gives up. Pure.
 */
export class BackOff {
  #failures = 0;

  /** Falls in a row. */
  get failures(): number {
    return this.#failures;
  }

  /** @param ranMs How long the process ran, in milliseconds. Gives milliseconds. */
  next(ranMs: number): number {
    this.#failures = ranMs >= steady ? 1 : this.#failures + 1;
    return Math.min(longest, first * 2 ** Math.min(this.#failures - 1, 20));
  }
}

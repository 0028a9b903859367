/** Lets so many through at once; the rest wait in line. */
export class Gate {
  readonly #most: number;
  readonly #waiting: (() => void)[] = [];
  #inside = 0;

  /** @param most At least 1. */
  constructor(most: number) {
    this.#most = most;
  }

  /** Resolves, when it is one's turn, with what gives the place back; calling that again does nothing. */
  async enter(): Promise<() => void> {
    if (this.#inside >= this.#most) {
      // The place is handed over, not given up: whoever comes meanwhile stands behind.
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else this.#inside++;
    let isInside = true;
    return () => {
      if (!isInside) return;
      isInside = false;
      const next = this.#waiting.shift();
      if (next === undefined) this.#inside--;
      else next();
    };
  }
}

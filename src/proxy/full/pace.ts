/**
 * How fast a response may go: nginx's limit_rate, by request. Each chunk goes whole, and what it went too fast is
 * waited for behind it.
 */
export class Pace {
  readonly #bytesPerSecond: number;
  readonly #after: number;
  readonly #now: () => number;
  #startedAt: number | null = null;
  #bytes = 0;

  /**
   * @param after Bytes that go unhindered: limit_rate_after.
   * @param now Milliseconds of a clock that never goes back.
   */
  constructor(bytesPerSecond: number, after: number, now: () => number = () => performance.now()) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#after = after;
    this.#now = now;
  }

  /** Counts bytes that went out; gives the milliseconds to wait before more do. */
  sent(bytes: number): number {
    this.#startedAt ??= this.#now();
    this.#bytes += bytes;
    const due = (Math.max(0, this.#bytes - this.#after) / this.#bytesPerSecond) * 1000;
    return Math.max(0, this.#startedAt + due - this.#now());
  }
}

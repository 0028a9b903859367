/**
 * Lets so many lines through in a second and counts those that it keeps back: for lines that whoever attacks can
 * cause in any number. Metrics count each of them all the same.
 */
export class LineRate {
  readonly #perSecond: number;
  readonly #now: () => number;
  #second = NaN;
  #let = 0;
  #omitted = 0;

  /** @param now Milliseconds since 1970. */
  constructor(perSecond: number, now: () => number) {
    this.#perSecond = perSecond;
    this.#now = now;
  }

  /** How many lines were kept back since the last that was let through; null where this one is too. */
  pass(): number | null {
    const second = Math.floor(this.#now() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#let = 0;
    }
    if (this.#let >= this.#perSecond) {
      this.#omitted++;
      return null;
    }
    this.#let++;
    const omitted = this.#omitted;
    this.#omitted = 0;
    return omitted;
  }
}

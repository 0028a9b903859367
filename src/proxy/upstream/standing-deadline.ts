import { monotonicMs } from '../clock.ts';

/** The longest delay that timers take; a longer one would fire at once. */
const longestMs = 2 ** 31 - 1;

/**
 * A deadline that is set and lifted for every request of a connection. Its timer stays: moving the deadline only notes
 * the new moment, and the timer looks again then. A timer of its own for each request was 3 % of a request's CPU.
 */
export class StandingDeadline {
  readonly #expired: () => void;
  readonly #now: () => number;
  #due = Infinity;
  #timer: NodeJS.Timeout | null = null;
  /** When the timer looks. */
  #looksAt = Infinity;

  /** @param now A clock that never goes back, in milliseconds. */
  constructor(expired: () => void, now: () => number = monotonicMs) {
    this.#expired = expired;
    this.#now = now;
  }

  /** @param ms From now, in milliseconds; what was set before no longer counts. */
  start(ms: number, now: number = this.#now()): void {
    this.#due = now + ms;
    if (this.#looksAt > this.#due) this.#look(now);
  }

  /** Until the next `start`. */
  lift(): void {
    this.#due = Infinity;
  }

  /** For good: no timer is left. */
  end(): void {
    this.#due = Infinity;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#looksAt = Infinity;
  }

  #look(now: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    const ms = Math.min(Math.max(this.#due - now, 0), longestMs);
    this.#looksAt = now + ms;
    // Whoever waits for the connection holds the process open by its socket.
    this.#timer = setTimeout(this.#onTimer, Math.ceil(ms)).unref();
  }

  readonly #onTimer = (): void => {
    this.#timer = null;
    this.#looksAt = Infinity;
    if (this.#due === Infinity) return;
    const now = this.#now();
    if (now < this.#due) return this.#look(now);
    this.#due = Infinity;
    this.#expired();
  };
}

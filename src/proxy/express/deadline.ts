import type { Limits } from '../../snapshot/snapshot.ts';

/** What a connection of the express lane waits for. */
export type Waiting = 'head' | 'rest_of_head' | 'next_request' | 'body' | 'client' | 'upstream';

/** How long a connection is given for its next request while the lane drains, in milliseconds. */
const drainingMs = 1000;

/** What one connection waits for, and until when. All times are on the clock of `monotonicMs`. */
export class Deadline {
  waiting: Waiting = 'head';
  #since = 0;
  #until = Infinity;

  /** Starts the wait over. For the upstream there is no end here: the call has its own time-outs. */
  wait(waiting: Waiting, now: number, limits: Limits, draining: boolean): void {
    this.waiting = waiting;
    this.#since = now;
    this.#until = now + patience(waiting, limits, draining);
  }

  /** Nothing is waited for any more. */
  never(): void {
    this.#until = Infinity;
  }

  isPast(now: number): boolean {
    return now >= this.#until;
  }

  /** @param ms Milliseconds. */
  isOlderThan(ms: number, now: number): boolean {
    return now > this.#since + ms;
  }
}

function patience(waiting: Waiting, limits: Limits, draining: boolean): number {
  switch (waiting) {
    case 'head':
    case 'rest_of_head':
      return limits.headTimeoutMs;
    case 'next_request':
      return draining ? Math.min(drainingMs, limits.keepAliveTimeoutMs) : limits.keepAliveTimeoutMs;
    case 'body':
    case 'client':
      return limits.bodyTimeoutMs > 0 ? limits.bodyTimeoutMs : Infinity;
    case 'upstream':
      return Infinity;
  }
}

import { setTimeout as wait } from 'node:timers/promises';

/** Time, as those see it who have to be tested with another one. */
export interface Clock {
  /** Milliseconds that only grow, from no particular time on. */
  now(): number;
  /** The time of day. Others' may differ: for people to read, and to conclude nothing from. */
  today(): Date;
  /** Resolves after so many milliseconds, early when aborted. Never rejects. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  today: () => new Date(),
  wait: (ms, signal) => wait(ms, undefined, { signal }).catch(() => {}),
};

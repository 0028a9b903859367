import type { Clock } from '../../src/ingress/kubernetes/clock.ts';

/** A clock that goes on only when it is told to, and then does everything that has become due, in order. */
export class FakeClock implements Clock {
  #now = 1000;
  readonly #due: { readonly at: number; readonly done: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  today(): Date {
    return new Date(1_700_000_000_000 + this.#now);
  }

  wait(ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      this.#due.push({ at: this.#now + ms, done: resolve });
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    await quiet();
    for (;;) {
      this.#due.sort((a, b) => a.at - b.at);
      const next = this.#due[0];
      if (next === undefined || next.at > until) break;
      this.#due.shift();
      this.#now = Math.max(this.#now, next.at);
      next.done();
      await quiet();
    }
    this.#now = until;
  }
}

/** Everything that needs no time has happened. */
export async function quiet(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

import { setImmediate as turn } from 'node:timers/promises';
import type { Steps } from './steps.ts';

/** Milliseconds of work after which others have their turn. */
const sliceMs = 8;

/** Lets the event loop turn whenever a slice of work is done, so that connections are served while a configuration loads. */
export class Slices {
  #began = performance.now();

  /** Is it time for others? */
  get isOver(): boolean {
    return performance.now() - this.#began >= sliceMs;
  }

  /** Resolves after everything that waits has had its turn. */
  async pause(): Promise<void> {
    await turn();
    this.#began = performance.now();
  }
}

/** Does all steps, slice by slice. Rejects with what they throw. */
export async function inSlices<Result>(steps: Steps<Result>): Promise<Result> {
  const slices = new Slices();
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    if (slices.isOver) await slices.pause();
  }
}

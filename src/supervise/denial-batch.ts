import type { Denial } from '../observe/denials/record.ts';

/** Records on their way at once: a flood of denials fills them quicker than they are told. */
const most = 1000;

/** Collects what a worker denies in one turn of the event loop: one message for all of it. */
export class DenialBatch {
  readonly #tell: (denials: readonly Denial[]) => void;
  #waiting: Denial[] = [];

  constructor(tell: (denials: readonly Denial[]) => void) {
    this.#tell = tell;
  }

  add(denial: Denial): void {
    if (this.#waiting.length >= most) return;
    if (this.#waiting.push(denial) > 1) return;
    setImmediate(() => {
      const waiting = this.#waiting;
      this.#waiting = [];
      this.#tell(waiting);
    });
  }
}

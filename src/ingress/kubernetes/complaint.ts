import { type Clock, systemClock } from './clock.ts';
import type { Log } from './health.ts';

/** While it fails it is said again so often, in milliseconds. */
const sayAgainMs = 60_000;

/** Something that fails again and again, told of now and then, and once when it works again. */
export class Complaint {
  readonly #log: Log;
  readonly #failing: string;
  readonly #works: string;
  readonly #clock: Pick<Clock, 'now'>;
  #saidAt: number | null = null;

  /** @param words The lines: that it fails, and that it works again. */
  constructor(
    log: Log,
    words: { readonly failing: string; readonly works: string },
    clock: Pick<Clock, 'now'> = systemClock,
  ) {
    this.#log = log;
    this.#failing = words.failing;
    this.#works = words.works;
    this.#clock = clock;
  }

  failed(error: unknown, fields: Readonly<Record<string, unknown>> = {}): void {
    const now = this.#clock.now();
    if (this.#saidAt !== null && now - this.#saidAt < sayAgainMs) return;
    this.#saidAt = now;
    const detail = error instanceof Error ? error.message : String(error);
    this.#log('warn', this.#failing, { ...fields, detail });
  }

  worked(fields: Readonly<Record<string, unknown>> = {}): void {
    if (this.#saidAt === null) return;
    this.#saidAt = null;
    this.#log('info', this.#works, fields);
  }
}

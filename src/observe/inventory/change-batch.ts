import type { Entry } from './entry.ts';
import { type IdentityState, stateOf } from './state.ts';

/** Milliseconds for which a worker process keeps what it noted to itself. */
const tellEveryMs = 2000;

/** Collects what a worker process notes, and tells what was added since it told last. */
export class ChangeBatch {
  readonly #tell: (identities: readonly IdentityState[]) => void;
  readonly #changed = new Set<Entry>();
  #timer: NodeJS.Timeout | null = null;

  constructor(tell: (identities: readonly IdentityState[]) => void) {
    this.#tell = tell;
  }

  add(entry: Entry): void {
    this.#changed.add(entry);
    this.#timer ??= setTimeout(() => this.flush(), tellEveryMs).unref();
  }

  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#changed.size === 0) return;
    const states: IdentityState[] = [];
    for (const entry of this.#changed) {
      states.push(stateOf(entry));
      entry.requests = 0;
      entry.denials.clear();
      for (const use of entry.hosts.values()) use.requests = 0;
    }
    this.#changed.clear();
    this.#tell(states);
  }
}

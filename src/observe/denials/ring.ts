import { type Denial, sizeOf } from './record.ts';

/** How much is kept. */
export interface DenialLimits {
  /** Records; 0: none. */
  readonly keep: number;
  /** Of all records together. */
  readonly bytes: number;
}

/** A record with its place in the order of all. */
export interface KeptDenial extends Denial {
  /** From 1, without gaps, since the program started. */
  readonly seq: number;
}

/** The last denials, the oldest given up first, and whoever wants to hear of each. */
export class Denials {
  #limits: DenialLimits;
  /** In order; what is before `#first` is given up. */
  #records: { readonly denial: KeptDenial; readonly size: number }[] = [];
  #first = 0;
  #bytes = 0;
  #seq = 0;
  readonly #listeners = new Set<(denial: KeptDenial) => void>();

  constructor(limits: DenialLimits) {
    this.#limits = limits;
  }

  /** How many there were since the program started. */
  get recorded(): number {
    return this.#seq;
  }

  /** How many are still there. */
  get kept(): number {
    return this.#records.length - this.#first;
  }

  /** About. */
  get bytes(): number {
    return this.#bytes;
  }

  set limits(limits: DenialLimits) {
    this.#limits = limits;
    this.#trim();
  }

  add(record: Denial): void {
    const denial = { seq: ++this.#seq, ...record };
    const size = sizeOf(denial);
    this.#records.push({ denial, size });
    this.#bytes += size;
    this.#trim();
    for (const listener of this.#listeners) listener(denial);
  }

  /** Those that fit, the newest first, `limit` at most. */
  find(fits: (denial: KeptDenial) => boolean, limit: number): KeptDenial[] {
    const found: KeptDenial[] = [];
    for (let index = this.#records.length - 1; index >= this.#first && found.length < limit; index--) {
      const { denial } = this.#records[index]!;
      if (fits(denial)) found.push(denial);
    }
    return found;
  }

  /** Calls back with each new record, at once; it must not throw. Gives what ends that. */
  subscribe(listener: (denial: KeptDenial) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  #trim(): void {
    const { keep, bytes } = this.#limits;
    while (this.kept > 0 && (this.kept > keep || this.#bytes > bytes)) {
      this.#bytes -= this.#records[this.#first]!.size;
      this.#first++;
    }
    // Seldom, so that giving one up costs next to nothing; and never more than as many as are kept.
    if (this.#first > 64 && this.#first > this.kept) {
      this.#records = this.#records.slice(this.#first);
      this.#first = 0;
    }
  }
}

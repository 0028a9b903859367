import { PkiError } from './error.ts';

/** Octets from a stream, taken in the portions a reader asks for. Holds one chunk and what is asked for at most. */
export class ByteQueue {
  readonly #source: AsyncIterator<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array(0);
  #position = 0;
  /** Octets taken so far. */
  taken = 0;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Exactly `count` octets. Throws PkiError where the stream ends before. */
  async take(count: number): Promise<Uint8Array> {
    const available = this.#chunk.byteLength - this.#position;
    if (available >= count) {
      this.taken += count;
      const view = this.#chunk.subarray(this.#position, this.#position + count);
      this.#position += count;
      return view;
    }
    const parts = [this.#chunk.subarray(this.#position)];
    let missing = count - available;
    for (;;) {
      const next = await this.#source.next();
      if (next.done === true) throw new PkiError(`cut short after ${this.taken} octets`);
      if (next.value.byteLength >= missing) {
        parts.push(next.value.subarray(0, missing));
        this.#chunk = next.value;
        this.#position = missing;
        break;
      }
      parts.push(next.value);
      missing -= next.value.byteLength;
    }
    this.taken += count;
    return Buffer.concat(parts);
  }

  /** True when nothing is left. */
  async atEnd(): Promise<boolean> {
    while (this.#position === this.#chunk.byteLength) {
      const next = await this.#source.next();
      if (next.done === true) return true;
      this.#chunk = next.value;
      this.#position = 0;
    }
    return false;
  }

  /** Lets the stream go, finished or not. */
  async close(): Promise<void> {
    await this.#source.return?.();
  }
}

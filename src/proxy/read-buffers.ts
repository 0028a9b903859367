import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Bytes of buffers between two collections. */
export const collectedBytes = 8 * 1024 * 1024;

/** Collects young garbage; takes half a millisecond. */
export type Collect = () => void;

/**
 * Has V8 let go of the buffers that bodies were read into. Node reads a TLS socket into a new buffer each time; their
 * bytes are outside the heap, which they hardly fill, so that V8 leaves them lying until they come to 64 MB and then
 * marks the whole heap, old and new: two thirds of the CPU time of an upload. Young they die, and young they go cheaply.
 */
export class ReadBuffers {
  readonly #collect: Collect;
  #bytes = 0;

  constructor(collect: Collect = minorCollection()) {
    this.#collect = collect;
  }

  /** A buffer was read that is done with soon. @param bytes Its length. */
  read(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes < collectedBytes) return;
    this.#bytes = 0;
    this.#collect();
  }
}

/** V8's own, which it shows to new contexts alone once it is running. Made when first wanted. */
function minorCollection(): Collect {
  let collect: ((options: { type: 'minor' }) => void) | null = null;
  return () => {
    if (collect === null) {
      setFlagsFromString('--expose-gc');
      collect = runInNewContext('gc') as (options: { type: 'minor' }) => void;
      setFlagsFromString('--no-expose-gc');
    }
    collect({ type: 'minor' });
  };
}

/** The process has one heap. */
export const readBuffers = new ReadBuffers();

import type { OutboundBody } from '../upstream/outbound.ts';
import type { RequestBody } from './request-body.ts';

/** Most bytes of one body that are held, and of all bodies together. */
const limits = { one: 1024 ** 2, all: 64 * 1024 ** 2 };

/** What a body became: all of it in memory, or a stream of what is left behind what was read. */
export type Buffered =
  | { readonly whole: true; readonly chunks: readonly Buffer[]; readonly length: number }
  | { readonly whole: false };

/**
 * Reads bodies whole into memory before they are sent on. What is too large for that is not refused and not written to
 * a disk, as nginx does, but streams: what was read is put back in front of the rest. So memory is bounded whatever
 * clients send, and no request fails for it.
 */
export class BodyBuffer {
  readonly #limits: { readonly one: number; readonly all: number };
  #held = 0;

  constructor(bounds: { readonly one: number; readonly all: number } = limits) {
    this.#limits = bounds;
  }

  /** Bytes held now. */
  get held(): number {
    return this.#held;
  }

  /**
   * Reads. Calls back at most once: never when the body breaks off or is refused, which is the exchange's end.
   *
   * @param length as the request announces it, in bytes; null for one that does not
   * @returns what gives the memory back; to be called once, when the exchange is over
   */
  read(body: RequestBody, length: number | null, done: (buffered: Buffered) => void): () => void {
    const chunks: Buffer[] = [];
    let size = 0;
    const release = (): void => {
      this.#held -= size;
      size = 0;
    };
    const stop = (): void => {
      body.off('data', onData);
      body.off('end', onEnd);
    };
    const fits = (): boolean => size <= this.#limits.one && this.#held <= this.#limits.all;
    const onData = (chunk: Buffer): void => {
      chunks.push(chunk);
      size += chunk.length;
      this.#held += chunk.length;
      if (fits()) return;
      stop();
      body.pause();
      body.unshift(Buffer.concat(chunks));
      release();
      done({ whole: false });
    };
    const onEnd = (): void => {
      stop();
      done({ whole: true, chunks, length: size });
    };
    if (length !== null && (length > this.#limits.one || this.#held + length > this.#limits.all)) {
      done({ whole: false });
      return release;
    }
    body.on('data', onData);
    body.on('end', onEnd);
    return release;
  }
}

/** The body as the upstream side takes it. A length that was not announced is known once all of it is there. */
export function outboundBody(body: RequestBody, buffered: Buffered, length: number | null): OutboundBody {
  if (!buffered.whole) return { stream: body, length };
  return { stream: body, chunks: buffered.chunks, length: buffered.length };
}

import { Readable } from 'node:stream';
import type { OutboundBody } from './outbound.ts';

/** How much of a body is held on its way to the upstream's socket, in bytes. */
const highWaterMark = 64 * 1024;

/**
 * A request's body on its way out. The stream it comes from belongs to the client's side: it is read and paused, but
 * never destroyed from here, since for an IncomingMessage that would take the client's connection with it, and the
 * answer to be sent there.
 */
export class RequestBody {
  readonly length: number | null;
  readonly #source: Readable;
  readonly #chunks: readonly Buffer[] | null;
  #consumed = false;

  constructor(body: OutboundBody) {
    this.#source = body.stream;
    this.#chunks = body.chunks ?? null;
    this.length = body.length;
  }

  /** A byte of it has been read and is not held: it cannot be sent a second time (rule 9). */
  get consumed(): boolean {
    return this.#consumed;
  }

  /** A stream to send it by. Reads nothing until it is read itself; destroying it leaves the source paused. */
  open(): Readable {
    if (this.#chunks !== null) return Readable.from(this.#chunks, { objectMode: false });
    return new Outflow(this.#source, () => {
      this.#consumed = true;
    });
  }
}

/** The error of an outflow whose source broke off: the client's side failed, not the upstream. */
export class SourceError extends Error {}

class Outflow extends Readable {
  readonly #source: Readable;
  readonly #consumed: () => void;
  #attached = false;

  constructor(source: Readable, consumed: () => void) {
    super({ highWaterMark });
    this.#source = source;
    this.#consumed = consumed;
  }

  override _read(): void {
    if (this.#attached) {
      this.#source.resume();
      return;
    }
    if (this.#source.readableEnded) {
      this.push(null);
      return;
    }
    if (this.#source.destroyed) {
      this.#onClose();
      return;
    }
    this.#attached = true;
    this.#source
      .on('data', this.#onData)
      .on('end', this.#onEnd)
      .on('error', this.#onError)
      .on('close', this.#onClose);
    this.#source.resume();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#detach();
    callback(error);
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#consumed();
    if (!this.push(chunk)) this.#source.pause();
  };

  readonly #onEnd = (): void => {
    this.#detach();
    this.push(null);
  };

  readonly #onError = (error: Error): void => {
    this.destroy(new SourceError(error.message));
  };

  readonly #onClose = (): void => {
    this.destroy(new SourceError('the request body broke off'));
  };

  #detach(): void {
    if (!this.#attached) return;
    this.#attached = false;
    this.#source.pause();
    this.#source
      .off('data', this.#onData)
      .off('end', this.#onEnd)
      .off('error', this.#onError)
      .off('close', this.#onClose);
  }
}

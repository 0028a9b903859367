import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { readBuffers } from '../read-buffers.ts';

/** A body up to this many bytes is read and thrown away to keep the connection; a larger one costs it. */
export const discardableBytes = 65_536;

export interface RequestBodyOptions {
  /** Bytes; Infinity for none. */
  readonly limit: number;
  /** Milliseconds the client may stay silent while its body is waited for; 0 for no limit. */
  readonly timeoutMs: number;
  /** Called when the body is first asked for: the moment for `100 Continue`. */
  readonly onStart: () => void;
  /** Called at most once; the body then gives nothing more, neither data nor an end. */
  readonly onFailure: (reason: 'body_too_large' | 'body_timeout', detail: string) => void;
}

/**
 * A request's body on its way to the upstream: read only when asked for, never held whole, watched for its
 * size and for a client that stops sending.
 */
export class RequestBody extends Readable {
  /** Bytes that came in so far, without chunk framing. */
  bytes = 0;
  readonly #request: IncomingMessage;
  readonly #options: RequestBodyOptions;
  #started = false;
  #waiting = false;
  #timer: NodeJS.Timeout | null = null;

  constructor(request: IncomingMessage, options: RequestBodyOptions) {
    super();
    this.#request = request;
    this.#options = options;
    // Whoever reads the body hears of its end through the call; an error no one listens to ends the process.
    this.on('error', () => {});
  }

  override _read(): void {
    if (!this.#started) this.#start();
    if (this.#request.readableEnded) return;
    this.#waiting = true;
    this.#timer?.refresh();
    this.#request.resume();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#detach();
    callback(error);
  }

  /** Stops reading for the upstream; what still comes in is thrown away. */
  discard(): void {
    this.destroy();
    this.#request.resume();
  }

  #start(): void {
    this.#started = true;
    this.#request.on('data', this.#onData);
    this.#request.on('end', this.#onEnd);
    const { timeoutMs } = this.#options;
    if (timeoutMs > 0 && Number.isFinite(timeoutMs)) this.#timer = setTimeout(this.#onTimeout, timeoutMs);
    this.#options.onStart();
  }

  #detach(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#request.off('data', this.#onData);
    this.#request.off('end', this.#onEnd);
  }

  readonly #onData = (chunk: Buffer): void => {
    this.bytes += chunk.length;
    readBuffers.read(chunk.length);
    if (this.bytes > this.#options.limit) {
      this.#fail('body_too_large', `more than ${this.#options.limit} bytes came`);
      return;
    }
    this.#timer?.refresh();
    if (this.push(chunk)) return;
    this.#waiting = false;
    this.#request.pause();
  };

  readonly #onEnd = (): void => {
    this.#detach();
    // A body cut short must not look like one that is over: only the call's abort ends it then.
    if (this.#request.complete) this.push(null);
  };

  readonly #onTimeout = (): void => {
    // A body that nobody asks for is the upstream's delay, not the client's.
    if (!this.#waiting) return;
    this.#fail('body_timeout', `no byte of the body came for ${this.#options.timeoutMs} ms`);
  };

  #fail(reason: 'body_too_large' | 'body_timeout', detail: string): void {
    this.#detach();
    this.#request.pause();
    this.#options.onFailure(reason, detail);
  }
}

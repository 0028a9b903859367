import type { Socket } from 'node:net';
import type { Timeouts, Upstream } from '../../snapshot/snapshot.ts';
import { monotonicMs } from '../clock.ts';
import { ChunkedReader, type ChunkedSink } from '../wire/chunked-reader.ts';
import { Fields } from '../wire/fields.ts';
import { delimit, readResponseHead, type ResponseBody, type ResponseHead } from '../wire/response-head.ts';
import type { AttemptListener } from './attempt.ts';
import type { Ongoing } from './carrier.ts';
import { exchangeReason, failure, failureFrom } from './failure.ts';
import { LastWords } from './last-words.ts';
import type { UpstreamFailure } from './outbound.ts';
import type { Pooled } from './pool.ts';
import type { SocketReader } from './socket.ts';
import { StandingDeadline } from './standing-deadline.ts';

/** Most interim responses before a response, header lines of one, and bytes of a head: as the full lane's. */
const informationLimit = 16;
const headerLimit = 1000;
const headLimit = 64 * 1024;

/** A server that says how long it keeps a connection may have closed it a moment before. */
const keptMarginMs = 1000;

/** Pieces of a body from this size on are written together with those that come in the same turn: TLS gives them record by record. */
const batchedFrom = 8 * 1024;

const headEnd = Buffer.from('\r\n\r\n');
/** Reading is never interrupted, so one serves all connections. */
const fields = new Fields(headerLimit);

/** A request whose head is ready to be written. */
export interface PlainRequest {
  readonly method: string;
  readonly timeouts: Pick<Timeouts, 'sendMs' | 'readMs'>;
  /** Most bytes of the response's head. */
  readonly headLimit: number;
  /** The connection carries no further request. */
  readonly close: boolean;
  /** The head, one character per byte, the empty line included. */
  readonly head: string;
  /** Null: the request ends with its head. */
  readonly body: PlainBody | null;
  /** All that came with one read of the socket has been told. False: nothing more is taken until `resume`. */
  flush(): boolean;
}

/** A request's body, written through its connection. */
export interface PlainBody {
  /** The head is written: `write` and `endBody` of the connection may be called. Not called twice for one try. */
  open(connection: PlainConnection): void;
  /** The connection takes more. */
  flow(): void;
  /** The connection takes no more for good. */
  close(): void;
}

/**
 * An open socket to an endpoint, without a client in between: request heads go out as bytes, responses are read as
 * strictly as `readResponseHead` and `delimit` do. Carries one request at a time. Whatever comes unasked, or behind a
 * response's end, ends the connection: it could be taken for the answer to the next request.
 */
export class PlainConnection implements Pooled, Ongoing, ChunkedSink {
  readonly socket: Socket;
  readonly openedAt: number;
  requests = 0;
  readonly #keepAlive: Upstream['keepAlive'];
  readonly #lastWords: LastWords;
  readonly #sending: StandingDeadline;
  readonly #reading: StandingDeadline;
  #request: PlainRequest | null = null;
  #listener: AttemptListener<ResponseHead> | null = null;
  /** What is being read: nothing is expected, a head, or the body of the head that came. */
  #state: 'idle' | 'head' | ResponseBody['kind'] = 'idle';
  #held: Buffer | null = null;
  #left = 0;
  #chunks: ChunkedReader | null = null;
  #sent = false;
  #written = false;
  #answered = false;
  #informed = 0;
  #paused = false;
  #corked = false;
  #spent = false;
  #keptMs = Infinity;
  #idleUntil = Infinity;
  /** When something was last read. */
  #readAt = 0;
  #cause: Error | null = null;
  #last: { readonly bytes: Buffer; readonly head: ResponseHead } | null = null;

  /** @param reader Gives what the socket reads. */
  constructor(socket: Socket, keepAlive: Upstream['keepAlive'], openedAt: number, reader: SocketReader) {
    this.socket = socket;
    this.openedAt = openedAt;
    this.#keepAlive = keepAlive;
    this.#lastWords = new LastWords(socket);
    this.#sending = new StandingDeadline(() => {
      const { sendMs } = this.#request!.timeouts;
      this.#fail(failure('upstream_send_timeout', `took none of the body for ${sendMs} ms`));
    });
    this.#reading = new StandingDeadline(() => {
      if (this.#listener === null) this.destroy();
      else
        this.#fail(failure('upstream_read_timeout', `sent nothing for ${this.#request!.timeouts.readMs} ms`));
    });
    reader.take = this.#onData;
    socket.on('drain', this.#onDrain);
    socket.on('end', this.#onEnd);
    socket.on('error', this.#onError);
    socket.on('close', this.#onClose);
  }

  /** Open as far as we know; the upstream may have closed it a moment ago. */
  usable(now: number): boolean {
    const { socket } = this;
    return (
      !this.#spent &&
      this.#state === 'idle' &&
      !socket.destroyed &&
      socket.readable &&
      socket.writable &&
      socket.readableLength === 0 &&
      now < this.#idleUntil
    );
  }

  destroy(): void {
    this.#spent = true;
    this.socket.destroy();
  }

  /** The next request: written at `start`. Never while another one is under way. */
  prepare(request: PlainRequest, listener: AttemptListener<ResponseHead>): Ongoing {
    this.#request = request;
    this.#listener = listener;
    return this;
  }

  start(): void {
    const { head, body, timeouts } = this.#request!;
    this.requests++;
    this.#state = 'head';
    this.#held = null;
    this.#informed = 0;
    this.#answered = false;
    this.#paused = false;
    this.#written = false;
    this.#sent = true;
    this.socket.write(head, 'latin1');
    if (body === null) {
      this.#written = true;
      this.#reading.start(timeouts.readMs);
    } else {
      this.#reading.lift();
      body.open(this);
    }
  }

  /** Some of the body, framed. False: write nothing more until the body's `flow`. */
  write(bytes: Buffer): boolean {
    if (this.#listener === null || this.#written) return false;
    if (bytes.length >= batchedFrom && !this.#corked) {
      this.#corked = true;
      this.socket.cork();
      setImmediate(this.#uncork);
    }
    if (this.socket.write(bytes)) return true;
    this.#sending.start(this.#request!.timeouts.sendMs);
    return false;
  }

  /** The body is complete. */
  endBody(): void {
    if (this.#listener === null || this.#written) return;
    this.#written = true;
    this.#uncork();
    this.#sending.lift();
    if (!this.#paused) this.#reading.start(this.#request!.timeouts.readMs);
  }

  readonly #uncork = (): void => {
    if (!this.#corked) return;
    this.#corked = false;
    this.socket.uncork();
  };

  abort(): void {
    if (this.#listener === null) return;
    this.#forget();
    this.destroy();
  }

  resume(): void {
    if (this.#listener === null || !this.#paused) return;
    this.#paused = false;
    this.#reading.start(this.#request!.timeouts.readMs);
    this.socket.resume();
  }

  /** A piece of a chunked body. */
  data(piece: Buffer): void {
    this.#pass(piece);
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#answered = true;
    this.#readAt = monotonicMs();
    if (this.#listener === null) {
      this.destroy();
      return;
    }
    let at = 0;
    let bytes = chunk;
    while (this.#state === 'head') {
      if (this.#held !== null) {
        bytes = Buffer.concat([this.#held, bytes.subarray(at)]);
        at = 0;
        this.#held = null;
      }
      const end = this.#readHead(bytes, at);
      if (end === -1) return;
      at = end;
    }
    const request = this.#request;
    this.#readBody(bytes, at);
    // What is complete was flushed by its end.
    if (request !== null && this.#request === request && !request.flush()) this.#hold();
  };

  /** @returns The place behind a head, or -1 where there is none yet, or no more. */
  #readHead(bytes: Buffer, from: number): number {
    const request = this.#request!;
    const listener = this.#listener!;
    const last = this.#last;
    let head: ResponseHead;
    let end: number;
    if (last !== null && startsWith(bytes, from, last.bytes)) {
      ({ head } = last);
      end = from + last.bytes.length;
    } else {
      const empty = bytes.indexOf(headEnd, from);
      if (empty === -1) {
        if (bytes.length - from > headLimit) this.#breach('a head without an end');
        // The bytes are overwritten by the next read.
        else if (from < bytes.length) this.#held = Buffer.from(bytes.subarray(from));
        return -1;
      }
      end = empty + headEnd.length;
      if (end - from > headLimit) return this.#breach(`a head of more than ${headLimit} bytes`);
      const read = readResponseHead(bytes, from, end, fields);
      if (!read.ok) return this.#breach(read.detail);
      ({ head } = read);
      // A copy: the bytes that came with it may be many.
      if (head.status >= 200) this.#last = { bytes: Buffer.from(bytes.subarray(from, end)), head };
    }
    const { status } = head;
    if (status === 101) return this.#breach('101 (Switching Protocols) that nobody asked for');
    if (status < 200) {
      this.#informed++;
      if (this.#informed > informationLimit) return this.#breach('too many interim responses');
      listener.information(status, head);
      return this.#listener === listener ? end : -1;
    }
    if (head.size > request.headLimit) {
      return this.#breach(`a head of ${head.size} bytes, the limit is ${request.headLimit}`);
    }
    const body = delimit(request.method, head);
    if (body === null) return this.#breach('framing that can be read in more than one way');
    this.#begin(head, body);
    listener.response(status, head);
    return this.#listener === listener ? end : -1;
  }

  #begin({ persistent, keptMs }: ResponseHead, body: ResponseBody): void {
    const { timeouts, close, method } = this.#request!;
    this.#state = body.kind;
    this.#left = body.kind === 'length' ? body.length : 0;
    this.#chunks = body.kind === 'chunked' ? new ChunkedReader() : null;
    // Some servers send a body with the answer to HEAD: nothing behind it is believed, as undici does.
    if (!persistent || close || body.kind === 'close' || method === 'HEAD') this.#spent = true;
    const kept = Math.min(this.#keepAlive.timeoutMs, (keptMs ?? Infinity) - keptMarginMs);
    if (kept <= 0) this.#spent = true;
    this.#keptMs = kept;
    this.#reading.start(timeouts.readMs, this.#readAt);
  }

  #readBody(bytes: Buffer, from: number): void {
    const to = bytes.length;
    switch (this.#state) {
      case 'none':
        return this.#complete(from < to);
      case 'length': {
        const end = Math.min(to, from + this.#left);
        this.#left -= end - from;
        const listener = this.#listener;
        if (end > from) this.#pass(from === 0 && end === to ? bytes : bytes.subarray(from, end));
        if (this.#listener === listener && this.#left === 0) this.#complete(end < to);
        return;
      }
      case 'chunked': {
        const listener = this.#listener;
        const end = this.#chunks!.feed(bytes, from, to, this);
        if (this.#listener !== listener) return;
        if (end === -1) this.#breach('a chunk that can be read in more than one way');
        else if (this.#chunks!.done) this.#complete(end < to);
        return;
      }
      case 'close':
        if (to > from) this.#pass(bytes.subarray(from, to));
        return;
      case 'head':
      case 'idle':
    }
  }

  #pass(piece: Buffer): void {
    const listener = this.#listener;
    if (listener === null) return;
    const flows = listener.data(piece);
    if (this.#listener !== listener) return;
    if (flows) {
      if (!this.#paused) this.#reading.start(this.#request!.timeouts.readMs, this.#readAt);
      return;
    }
    this.#hold();
  }

  #hold(): void {
    if (this.#paused || this.#listener === null) return;
    this.#paused = true;
    this.#reading.lift();
    this.socket.pause();
  }

  /** @param more Something came behind the end of the response. */
  #complete(more: boolean): void {
    const listener = this.#listener!;
    // A request that is still on its way out belongs to a response that is over.
    if (more || !this.#written) this.#spent = true;
    if (this.#paused && !this.#spent) this.socket.resume();
    const kept = this.#keptMs;
    this.#forget();
    this.#idleUntil = this.#readAt + kept;
    if (this.#spent) this.destroy();
    // Closes it if it is not taken again by then.
    else this.#reading.start(kept, this.#readAt);
    listener.end();
  }

  #breach(detail: string): -1 {
    this.#fail(failure('upstream_protocol', detail));
    return -1;
  }

  #fail(why: UpstreamFailure): void {
    const listener = this.#listener;
    if (listener === null) return;
    const begun = this.#state !== 'head';
    const { reason, detail } = why;
    const answered = this.#answered;
    const timedOut = reason === 'upstream_read_timeout' || reason === 'upstream_send_timeout';
    this.#forget();
    this.destroy();
    listener.failed({
      failure: begun && !timedOut ? failure('upstream_truncated', detail) : why,
      unsent: !this.#sent,
      answered,
      stale: this.requests > 1 && !answered && reason === 'upstream_reset',
      blame: reason !== 'internal',
    });
  }

  #forget(): void {
    this.#request?.body?.close();
    this.#listener = null;
    this.#request = null;
    this.#state = 'idle';
    this.#held = null;
    this.#chunks = null;
    this.#sending.lift();
    this.#reading.lift();
  }

  readonly #onDrain = (): void => {
    this.#sending.lift();
    const body = this.#request?.body ?? null;
    if (body !== null && !this.#written) body.flow();
  };

  readonly #onEnd = (): void => {
    if (this.#listener === null) this.destroy();
    else if (this.#state === 'close' && !this.#lastWords.unheard) this.#complete(false);
    else this.#fail(this.#broken('other side closed'));
  };

  readonly #onError = (error: Error): void => {
    this.#cause ??= error;
  };

  readonly #onClose = (): void => {
    this.#spent = true;
    this.#sending.end();
    this.#reading.end();
    this.#last = null;
    this.#fail(this.#broken('closed'));
  };

  #broken(detail: string): UpstreamFailure {
    const cause = this.#cause;
    return cause === null ? failure('upstream_reset', detail) : failureFrom(exchangeReason(cause), cause);
  }
}

function startsWith(bytes: Buffer, from: number, wanted: Buffer): boolean {
  const end = from + wanted.length;
  return end <= bytes.length && bytes.compare(wanted, 0, wanted.length, from, end) === 0;
}

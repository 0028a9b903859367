import type { Dispatcher } from 'undici';
import type { Timeouts } from '../../snapshot/snapshot.ts';
import { SourceError } from './body.ts';
import type { Ongoing } from './carrier.ts';
import type { Connection, WireRequest } from './connection.ts';
import { Deadline } from './deadline.ts';
import { exchangeReason, failure, failureFrom } from './failure.ts';
import type { UpstreamFailure } from './outbound.ts';

/** Most interim responses before a response, and most header lines of one. */
const informationLimit = 16;
const headerLimit = 1000;

/** How a failed attempt stood when it failed. */
export interface AttemptFailure {
  readonly failure: UpstreamFailure;
  /** Nothing of the request had been written. */
  readonly unsent: boolean;
  /** A byte of a response had come. */
  readonly answered: boolean;
  /** A kept connection broke before it answered: likely closed by the upstream meanwhile, and no fault of its. */
  readonly stale: boolean;
  /** The endpoint is to blame: not the client, and not us. */
  readonly blame: boolean;
}

/** Told what comes of an attempt, in the order of `ResponseHandler`. */
export interface AttemptListener<Head = readonly string[]> {
  information(status: number, head: Head): void;
  response(status: number, head: Head): void;
  /** False pauses until `resume`. */
  data(chunk: Buffer): boolean;
  /** The connection may carry another request, unless it has been closed by now. */
  end(): void;
  failed(how: AttemptFailure): void;
}

/**
 * One request on one connection. Keeps the time: writing (`sendMs`, while the upstream takes no more of the body) and
 * reading (`readMs`, from the request's last byte to the whole head, then between two reads; not while the client
 * takes no more). Breaks the connection on every failure.
 */
export class Attempt implements Dispatcher.DispatchHandler, Ongoing {
  readonly #connection: Connection;
  readonly #request: WireRequest;
  readonly #listener: AttemptListener;
  readonly #timeouts: Pick<Timeouts, 'sendMs' | 'readMs'>;
  readonly #sending: Deadline;
  readonly #reading: Deadline;
  readonly #reused: boolean;
  #controller: Dispatcher.DispatchController | null = null;
  #sent = false;
  #head = false;
  #paused = false;
  #information = 0;
  #over = false;

  constructor(
    connection: Connection,
    request: WireRequest,
    timeouts: Pick<Timeouts, 'sendMs' | 'readMs'>,
    listener: AttemptListener,
  ) {
    this.#connection = connection;
    this.#request = request;
    this.#listener = listener;
    this.#timeouts = timeouts;
    this.#reused = connection.requests > 0;
    this.#sending = new Deadline(() => {
      this.#fail(failure('upstream_send_timeout', `took none of the body for ${timeouts.sendMs} ms`));
    });
    this.#reading = new Deadline(() => {
      this.#fail(failure('upstream_read_timeout', `sent nothing for ${timeouts.readMs} ms`));
    });
  }

  /** To be called once. The listener may hear of a failure before this returns. */
  start(): void {
    this.#connection.send(this.#request, this);
  }

  /** Ends the attempt and its connection; the listener hears nothing more. */
  abort(): void {
    if (this.#over) return;
    this.#finish();
    this.#connection.destroy();
  }

  resume(): void {
    if (this.#over || !this.#paused) return;
    this.#paused = false;
    this.#reading.start(this.#timeouts.readMs);
    this.#controller?.resume();
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
  }

  onBodySent(): void {
    this.#sent = true;
    const { socket } = this.#connection;
    if (this.#over || this.#sending.running || !socket.writableNeedDrain) return;
    this.#sending.start(this.#timeouts.sendMs);
    socket.once('drain', this.#drained);
  }

  onRequestSent(): void {
    this.#sent = true;
    if (this.#over) return;
    this.#drained();
    if (!this.#paused) this.#reading.start(this.#timeouts.readMs);
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    if (this.#over) return;
    const headers = (controller.rawHeaders as Buffer[]).map((text) => text.toString('latin1'));
    if (headers.length > 2 * headerLimit) return this.#breach(`more than ${headerLimit} header lines`);
    if (status < 100) return this.#breach(`status ${status}`);
    if (status === 101) return this.#breach('101 (Switching Protocols) that nobody asked for');
    if (status < 200) {
      this.#information++;
      if (this.#information > informationLimit) return this.#breach('too many interim responses');
      this.#listener.information(status, headers);
      return;
    }
    const { headLimit = Infinity } = this.#request;
    if (headLimit !== Infinity && headSize(headers) > headLimit) {
      return this.#breach(`a head of ${headSize(headers)} bytes, the limit is ${headLimit}`);
    }
    this.#head = true;
    this.#reading.start(this.#timeouts.readMs);
    this.#listener.response(status, headers);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#over) return;
    if (this.#listener.data(chunk)) {
      this.#reading.touch();
      return;
    }
    // The listener may have ended the attempt.
    if (this.#over) return;
    this.#paused = true;
    this.#reading.stop();
    controller.pause();
  }

  onResponseEnd(): void {
    if (this.#over) return;
    // A body that lasts until the connection closes has ended only if it was closed, not reset; undici takes both.
    const { broken, cause } = this.#connection;
    if (broken) return this.#fail(failureFrom('upstream_truncated', cause ?? 'reset by the upstream'));
    this.#finish();
    this.#listener.end();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    const cause = this.#connection.cause ?? error;
    this.#fail(failureFrom(cause instanceof SourceError ? 'internal' : exchangeReason(cause), cause));
  }

  readonly #drained = (): void => {
    this.#sending.stop();
    this.#connection.socket.off('drain', this.#drained);
  };

  #breach(detail: string): void {
    this.#fail(failure('upstream_protocol', detail));
  }

  #fail(why: UpstreamFailure): void {
    if (this.#over) return;
    this.#finish();
    this.#connection.destroy();
    const { reason, detail } = why;
    const { answered } = this.#connection;
    const timedOut = reason === 'upstream_read_timeout' || reason === 'upstream_send_timeout';
    this.#listener.failed({
      failure: this.#head && !timedOut ? failure('upstream_truncated', detail) : why,
      unsent: !this.#sent,
      answered,
      stale: this.#reused && !answered && reason === 'upstream_reset',
      blame: reason !== 'internal',
    });
  }

  #finish(): void {
    this.#over = true;
    this.#reading.stop();
    this.#drained();
  }
}

/** Bytes of a head on the wire, a status line of the usual length included. */
function headSize(headers: readonly string[]): number {
  return headers.reduce((sum, text) => sum + text.length + 2, 'HTTP/1.1 200 OK\r\n\r\n'.length);
}

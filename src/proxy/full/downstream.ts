import type { Socket } from 'node:net';
import type { Observer, RequestEvent } from '../../observe/observer.ts';
import type { Connection } from '../../snapshot/connection.ts';
import { respond } from '../../snapshot/respond.ts';
import type { ConnectionEnd, RefusalReason } from '../../snapshot/reason.ts';
import { formatClosingAnswer, renderAnswer } from '../answer.ts';
import { breakOff, closeGently } from '../closing.ts';
import { unreadRequest } from '../unread-request.ts';
import type { Exchange } from './exchange.ts';
import { generateRequestId } from './judgement.ts';
import type { Lane } from './lane.ts';

/**
 * Requests that may wait behind the one being served. They arrive with one read of the socket, before it
 * can be paused; clients that pipeline at all send a handful.
 */
const maxWaiting = 32;

/**
 * One downstream connection while the full lane has it: its requests in order, one at a time, and its end.
 * HTTP/1.1 lets a client send requests ahead of the answers; serving them side by side would let one
 * connection put thousands of requests onto the upstreams at once, so each waits for the one before it.
 */
export class Downstream {
  readonly socket: Socket;
  readonly connection: Connection;
  readonly #lane: Lane;
  readonly #run: (exchange: Exchange) => void;
  /** The first is being served. */
  readonly #exchanges: Exchange[] = [];
  readonly #bytesBefore: number;
  /** The one whose head came last; it may have been answered already. */
  #latest: Exchange | null = null;
  #failure: { reason: RefusalReason; detail: string } | null = null;
  #served: number;
  #taking = true;
  #closing = false;

  /**
   * @param run Serves an exchange whose turn has come.
   * @param served Requests that were served on the connection before.
   */
  constructor(
    lane: Lane,
    socket: Socket,
    connection: Connection,
    run: (exchange: Exchange) => void,
    served: number,
  ) {
    this.#lane = lane;
    this.socket = socket;
    this.connection = connection;
    this.#run = run;
    this.#served = served;
    this.#bytesBefore = socket.bytesRead - socket.readableLength;
  }

  /** No request is being served or waits. */
  get idle(): boolean {
    return this.#exchanges.length === 0;
  }

  /** Requests that come in are served. */
  get taking(): boolean {
    return this.#taking && this.#failure === null && !this.#closing && !this.socket.destroyed;
  }

  /** Not one byte has come since the connection was accepted. */
  get silent(): boolean {
    return this.socket.bytesRead === this.#bytesBefore;
  }

  /** Takes an exchange that the parser has let go of; whoever made it serves it. It is the last. */
  adopt(exchange: Exchange): void {
    this.#exchanges.push(exchange);
    this.#latest = exchange;
    this.#taking = false;
    // node:http took its own listener along with the parser.
    this.socket.on('timeout', () => this.timedOut());
    exchange.begin();
  }

  /** The answer that is being written is the last: later requests were never read. */
  takeNoMore(): void {
    this.#taking = false;
  }

  /** Closes behind what is under way, at once where that is nothing. */
  closeSoon(): void {
    if (this.idle) this.close();
    else this.takeNoMore();
  }

  /** @param last No request behind this one is to be served. */
  take(exchange: Exchange, last: boolean): void {
    this.#exchanges.push(exchange);
    this.#latest = exchange;
    if (last) this.#taking = false;
    if (this.#exchanges.length === 1) {
      this.#begin(exchange);
      return;
    }
    if (this.#exchanges.length > maxWaiting) {
      this.#exchanges[0]?.fail('client_abort', `more than ${maxWaiting} requests waited behind it`);
      this.socket.destroy();
      return;
    }
    // The parser has more in its hands and resumes the socket itself; it is done by the next tick.
    process.nextTick(() => {
      if (this.#exchanges.length > 1 && !this.#closing) this.socket.pause();
    });
  }

  /** An exchange's answer is through, and the connection lives on. */
  done(exchange: Exchange): void {
    if (this.#exchanges[0] !== exchange) return;
    this.#exchanges.shift();
    // An idle connection holds on to nothing of its last request.
    if (this.#latest === exchange && exchange.request.complete) this.#latest = null;
    if (this.#closing || this.socket.destroyed) return;
    const [next] = this.#exchanges;
    if (next !== undefined) {
      if (this.#exchanges.length === 1) this.socket.resume();
      this.#begin(next);
    } else if (this.#failure !== null) {
      this.#answerFailure(this.#failure);
    } else if (this.#taking) {
      this.socket.resume();
    } else {
      this.close();
    }
  }

  /** The response being written is the last, by what is known of the connection. */
  get ending(): boolean {
    return this.#lane.draining || this.#isUsedUp || (!this.#taking && this.#exchanges.length === 1);
  }

  get #isUsedUp(): boolean {
    return this.#served >= this.#lane.snapshot().limits.keepAliveRequests;
  }

  /** The parser is in the body of a request: one that is served, waits, or was already answered. */
  get inBody(): boolean {
    return this.#latest !== null && !this.#latest.request.complete;
  }

  /** The body that the parser is in cannot be read; nothing behind it can be found. */
  spoiled(reason: RefusalReason, detail: string): void {
    const exchange = this.#latest;
    if (exchange === null || this.#closing) return;
    this.#taking = false;
    const place = this.#exchanges.indexOf(exchange);
    if (place === -1) this.close();
    else if (place === 0) exchange.fail(reason, detail);
    else exchange.doom(reason, detail);
  }

  /**
   * The bytes that came could not be read as a request: answered after everything before them, and nothing
   * behind them is read.
   */
  failed(reason: RefusalReason, detail: string): void {
    if (!this.taking) return;
    this.#failure = { reason, detail };
    if (this.idle) this.#answerFailure(this.#failure);
  }

  /** A client that neither reads its answer nor leaves is given up after `limits.bodyTimeoutMs`. */
  watchStall(): void {
    this.socket.setTimeout(this.#lane.snapshot().limits.bodyTimeoutMs);
  }

  unwatchStall(): void {
    this.socket.setTimeout(0);
  }

  /** The socket's own timer ran out: between requests that is keep-alive's end, within one a stalled client. */
  timedOut(): void {
    const [current] = this.#exchanges;
    if (current === undefined) this.close(this.#lane.draining ? null : 'keep_alive_timeout');
    else {
      current.fail('client_abort', 'the client stopped reading');
      this.breakOff();
    }
  }

  /**
   * Ends the connection behind what was written, and reads on for a moment: closing a socket that has unread
   * bytes resets it, and a reset takes the answer away from a client that has not read it yet (RFC 9112 §9.6).
   * @param end The limit that ends it, where one does.
   */
  close(end: ConnectionEnd | null = this.#isUsedUp ? 'keep_alive_requests' : null): void {
    if (this.#closing) return;
    this.#closing = true;
    if (end !== null)
      this.#tell((observer) => observer.connectionEnded({ listener: this.connection.listener, reason: end }));
    closeGently(this.socket, this.inBody);
  }

  /**
   * Ends the connection so that the client cannot take what it got for the whole: with a reset. The end of a
   * connection is all that ends some bodies, and few clients mind a missing close_notify (RFC 9112 §8, §9.8).
   */
  breakOff(): void {
    this.#closing = true;
    breakOff(this.socket);
  }

  /** Reports without letting an observer's mistake end the process. */
  report(event: RequestEvent): void {
    this.#tell((observer) => observer.request(event));
  }

  #tell(call: (observer: Observer) => void): void {
    try {
      call(this.#lane.observer);
    } catch (error) {
      process.emitWarning(error instanceof Error ? error : String(error));
    }
  }

  #begin(exchange: Exchange): void {
    this.#served++;
    this.unwatchStall();
    exchange.begin();
    this.#run(exchange);
  }

  #answerFailure(failure: { reason: RefusalReason; detail: string }): void {
    const { reason, detail } = failure;
    // A connection that was opened ahead of need and never used is closed without a word, as nginx does.
    if (reason === 'head_timeout' && this.silent) {
      this.close('unused');
      return;
    }
    const decision = respond(reason, null, null, detail);
    const id = generateRequestId();
    const { status } = decision;
    const answer = renderAnswer({ reason, status, requestId: id, accept: null, location: null });
    this.socket.write(formatClosingAnswer(answer));
    this.close();
    this.report(unreadRequest(id, this.connection, decision, answer));
  }
}

import type { Socket } from 'node:net';
import type { RequestEvent } from '../../observe/observer.ts';
import type { Connection } from '../../snapshot/connection.ts';
import type { Decision, Forward } from '../../snapshot/decision.ts';
import type { ConnectionEnd } from '../../snapshot/reason.ts';
import type { RequestHead } from '../../snapshot/request-head.ts';
import type { Snapshot } from '../../snapshot/snapshot.ts';
import { monotonicMs } from '../clock.ts';
import { breakOff, closeGently } from '../closing.ts';
import { generateRequestId } from '../full/judgement.ts';
import { chooseRequestId } from '../headers/request-id.ts';
import { readBuffers } from '../read-buffers.ts';
import { Deadline, type Waiting } from './deadline.ts';
import { ExpressExchange } from './express-exchange.ts';
import type { ExpressLane } from './express-lane.ts';
import type { HeaderBlock } from './header-block.ts';
import { HeadReader } from './head-reader.ts';
import { Outgoing } from './outgoing.ts';
import { RequestPlan } from './request-plan.ts';

/** How long an idle connection keeps the headers of its last request, in milliseconds. */
const rememberedMs = 5000;

/**
 * One downstream connection while the express lane has it: its requests in order, one at a time. At the first bytes that
 * are not unmistakably a plain request for a plain route, the full lane gets it, with those bytes unread.
 */
export class ExpressConnection {
  readonly lane: ExpressLane;
  readonly socket: Socket;
  readonly connection: Connection;
  readonly out: Outgoing;
  #exchange: ExpressExchange | null = null;
  /** Bytes behind what was served. */
  #held: Buffer | null = null;
  readonly #heads = new HeadReader();
  #served = 0;
  /** Bytes of the body of a request that was answered without it. */
  #rest: ExpressExchange | null = null;
  readonly #deadline = new Deadline();
  #taking = true;
  /** The client sends no more. */
  #ended = false;
  #closed = false;
  #paused = false;
  #pumping = false;

  constructor(lane: ExpressLane, socket: Socket, connection: Connection) {
    this.lane = lane;
    this.socket = socket;
    this.connection = connection;
    this.out = new Outgoing(socket);
    this.#wait('head', monotonicMs());
    socket.on('data', this.#onData);
    socket.on('drain', this.#onDrain);
    socket.on('end', this.#onEnd);
    socket.on('close', this.#onClose);
  }

  /** No request is being served. */
  get idle(): boolean {
    return this.#exchange === null;
  }

  /** The response being written is the last, by what is known of the connection. */
  get ending(): boolean {
    return this.lane.draining || this.#isUsedUp || !this.#taking;
  }

  get #isUsedUp(): boolean {
    return this.#served >= this.lane.snapshot().limits.keepAliveRequests;
  }

  /** The answer that is being written is the last: later requests are never read. */
  takeNoMore(): void {
    this.#taking = false;
  }

  /** Closes behind what is under way, at once where that is nothing. */
  closeSoon(): void {
    if (this.idle) this.#close(null);
    else this.#taking = false;
  }

  breakOff(): void {
    this.#closed = true;
    breakOff(this.socket);
  }

  /** The client does not take what is written for it. */
  watchStall(): void {
    this.#wait('client', monotonicMs());
  }

  /** The upstream takes nothing of the body for now, or takes it again. */
  bodyFlows(flows: boolean): void {
    if (!flows) {
      this.#wait('upstream', 0);
      this.#pause();
    } else if (this.#exchange?.bodyPending === true) {
      this.#wait('body', monotonicMs());
      this.#resume();
    }
  }

  /** Reports without letting an observer's mistake end the process. */
  report(event: RequestEvent): void {
    this.lane.report(event);
  }

  /** Looks at the clock, `monotonicMs`'s, every now and then. */
  look(now: number): void {
    const deadline = this.#deadline;
    const { waiting } = deadline;
    // An idle connection holds on to nothing of its last request for long.
    if (waiting === 'next_request' && deadline.isOlderThan(rememberedMs, now)) this.#heads.forget();
    if (this.#closed || !deadline.isPast(now)) return;
    switch (waiting) {
      case 'head':
        return this.#close('unused');
      case 'next_request':
        return this.#close(this.lane.draining ? null : 'keep_alive_timeout');
      case 'rest_of_head':
        this.#handOver().failed('head_timeout', 'the head did not come to its end');
        return;
      case 'body':
        this.#exchange?.fail(
          'body_timeout',
          `no byte of the body came for ${this.lane.snapshot().limits.bodyTimeoutMs} ms`,
        );
        return;
      case 'client':
        this.#exchange?.fail('client_abort', 'the client stopped reading');
        return;
      case 'upstream':
    }
  }

  /** @param now On the clock of `monotonicMs`. */
  done(exchange: ExpressExchange, now: number): void {
    if (this.#exchange !== exchange) return;
    this.#exchange = null;
    if (this.#closed) return;
    if (exchange.bodyPending) {
      if (!this.#taking) return this.#close(null, true);
      // Answered without it, and small: read over, to keep the connection.
      this.#rest = exchange;
    }
    if (!this.#taking) return this.#close();
    this.#wait('next_request', now);
    if (!this.#pumping) this.#pump();
  }

  readonly #onData = (chunk: Buffer): void => {
    const exchange = this.#exchange;
    if (exchange === null) {
      this.#held = this.#held === null ? chunk : Buffer.concat([this.#held, chunk]);
      this.#pump();
      return;
    }
    if (exchange.bodyPending) {
      readBuffers.read(chunk.length);
      const end = exchange.body!.feed(chunk, 0);
      if (end === -1 || this.#closed) return;
      if (exchange.bodyPending) {
        if (this.#paused) return;
        if (exchange.body!.flows) this.#wait('body', monotonicMs());
        else this.bodyFlows(false);
        return;
      }
      if (this.#exchange === exchange) this.#wait('upstream', 0);
      if (end === chunk.length) return;
      this.#held = chunk.subarray(end);
    } else {
      this.#held = this.#held === null ? chunk : Buffer.concat([this.#held, chunk]);
    }
    // Requests ahead of their turn wait, and the client with more of them.
    if (this.#exchange !== null) this.#pause();
    else this.#pump();
  };

  /** Serves what is held, request by request, until one is under way or nothing is left. */
  #pump(): void {
    this.#pumping = true;
    while (this.#exchange === null && !this.#closed && this.#held !== null) {
      const bytes = this.#held;
      this.#held = null;
      const rest = this.#rest;
      const from = rest === null ? 0 : rest.body!.feed(bytes, 0);
      if (rest !== null) {
        if (from === -1) {
          this.#close();
          break;
        }
        if (rest.bodyPending) break;
        this.#rest = null;
        if (from === bytes.length) break;
      }
      if (!this.#taking) break;
      this.#serve(bytes, from);
      // A partial head: more has to come first.
      if (this.#exchange === null && this.#held !== null && this.#deadline.waiting === 'rest_of_head') break;
    }
    this.#pumping = false;
    if (this.#exchange !== null || this.#closed) return;
    if (this.#ended) this.#endOfInput();
    else this.#resume();
  }

  #serve(bytes: Buffer, from: number): void {
    const { lane } = this;
    const snapshot = lane.snapshot();
    const now = monotonicMs();
    const { limits } = snapshot;
    const block = this.#heads.read(bytes, from, limits);
    if (block === 'partial') {
      this.#held = from === 0 ? bytes : bytes.subarray(from);
      if (this.#deadline.waiting !== 'rest_of_head') this.#wait('rest_of_head', now);
    } else if (block === 'foreign') this.#handOver(bytes.subarray(from));
    else this.#decide(snapshot, block, bytes, from, now);
  }

  #decide(snapshot: Snapshot, block: HeaderBlock, bytes: Buffer, from: number, startedAt: number): void {
    const { lane, connection } = this;
    const heads = this.#heads;
    const head = heads.requestHead(bytes, block, connection, snapshot);
    const { target, end } = heads;
    let decision: Decision;
    let plan: RequestPlan | null = null;
    try {
      decision = lane.decide(snapshot, connection, head, lane.now());
      if (!isExpress(snapshot, decision, block)) {
        this.#handOver(bytes.subarray(from));
        return;
      }
      if (decision.action === 'forward') {
        plan = this.#plan(snapshot, decision, block, head);
        // The request's own was read as such.
        if (decision.target !== target && /[^!-~]/.test(decision.target))
          throw new TypeError('a target that cannot be written');
      }
    } catch {
      // Refused there, for its reason.
      this.#handOver(bytes.subarray(from));
      return;
    }
    const requestId =
      block.requestId === null ? generateRequestId() : chooseRequestId(block.requestId, generateRequestId());
    this.#served++;
    const exchange = new ExpressExchange(
      this,
      { method: head.method, target, block, requestId, decision },
      startedAt,
    );
    this.#exchange = exchange;
    this.#begin(exchange, decision, plan, bytes, end);
  }

  #begin(
    exchange: ExpressExchange,
    decision: Decision,
    plan: RequestPlan | null,
    bytes: Buffer,
    end: number,
  ): void {
    const { body, facts } = exchange;
    let rest = end;
    if (body === null) {
      if (end < bytes.length) this.#held = bytes.subarray(end);
    } else if (end < bytes.length) {
      rest = body.feed(bytes, end);
      if (rest !== -1 && rest < bytes.length) this.#held = bytes.subarray(rest);
    }
    if (exchange.over || this.#exchange !== exchange || rest === -1) return;
    if (body === null || body.complete) this.#wait('upstream', 0);
    else this.#wait('body', monotonicMs());
    if (decision.action === 'respond') {
      exchange.respond(decision);
      return;
    }
    exchange.head = plan!.write(facts.method, decision.target, facts.requestId);
    const call = this.lane.upstreams.carry(exchange, exchange, exchange);
    exchange.attach(call);
    call.start();
    if (exchange.over) return;
    if (exchange.bodyPending && !body!.flows) this.bodyFlows(false);
    else if (this.#held !== null) this.#pause();
  }

  #plan(snapshot: Snapshot, { route }: Forward, block: HeaderBlock, head: RequestHead): RequestPlan {
    const { plan } = block;
    if (plan !== null && plan.fits(snapshot, route, head)) return plan;
    return (block.plan = new RequestPlan(snapshot, route, this.connection, block, head));
  }

  /** The full lane goes on from here; what is held, or given, comes first. */
  #handOver(bytes: Buffer | null = this.#held): ReturnType<ExpressLane['handOver']> {
    const { socket } = this;
    this.#closed = true;
    this.#deadline.never();
    this.#held = null;
    this.#heads.forget();
    socket.off('data', this.#onData);
    socket.off('drain', this.#onDrain);
    socket.off('end', this.#onEnd);
    socket.off('close', this.#onClose);
    socket.pause();
    if (bytes !== null && bytes.length > 0 && !socket.readableEnded) socket.unshift(bytes);
    return this.lane.handOver(this, this.#served);
  }

  #close(end: ConnectionEnd | null = this.#isUsedUp ? 'keep_alive_requests' : null, patient = false): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#deadline.never();
    if (end !== null) this.lane.ended({ listener: this.connection.listener, reason: end });
    this.socket.off('data', this.#onData);
    closeGently(this.socket, patient);
  }

  readonly #onDrain = (): void => {
    const exchange = this.#exchange;
    if (exchange === null) return;
    if (this.#deadline.waiting === 'client')
      this.#wait(exchange.bodyPending ? 'body' : 'upstream', monotonicMs());
    exchange.drained();
  };

  readonly #onEnd = (): void => {
    this.#ended = true;
    const exchange = this.#exchange;
    if (exchange === null) return this.#endOfInput();
    // As node:http has it, and nginx: who sends no more wants no more.
    this.#closed = true;
    this.#exchange = null;
    exchange.gone();
    this.socket.destroy();
  };

  #endOfInput(): void {
    if (this.#closed) return;
    if (this.#held === null || this.#rest !== null) return this.#close(null);
    this.#handOver(null).failed('bad_request', 'the connection ended in the middle of a head');
  }

  readonly #onClose = (): void => {
    this.#closed = true;
    this.#deadline.never();
    this.#exchange?.gone();
    this.#exchange = null;
    this.#heads.forget();
    this.lane.released(this);
  };

  #pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.socket.pause();
  }

  #resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.socket.resume();
  }

  #wait(waiting: Waiting, now: number): void {
    this.#deadline.wait(waiting, now, this.lane.snapshot().limits, this.lane.draining);
  }
}

/** The lane may carry the decision out: all that the route wants of it is what a plain request can be given. */
function isExpress(snapshot: Snapshot, decision: Decision, { framing }: HeaderBlock): boolean {
  const { route } = decision;
  if (decision.action === 'respond')
    return framing.kind === 'none' && (route === null || route.errorPages === null);
  // Its headers are kept from one request to the next, and whether the certificate counts is not.
  if (decision.wouldDeny !== undefined) return false;
  const { upstream, bodyLimit } = decision.route;
  if (!decision.route.express || decision.authenticate) return false;
  if (framing.kind === 'length' && framing.length > bodyLimit) return false;
  return snapshot.upstreams.get(upstream)?.hash === null;
}

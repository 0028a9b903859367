import { createServer, ServerResponse, type Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Observer } from '../observe/observer.ts';
import type { Tracing } from '../observe/tracing.ts';
import type { Connection } from '../snapshot/connection.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { trustEndedUnder } from '../snapshot/trust-ended.ts';
import type { Forward, Respond } from '../snapshot/decision.ts';
import { Admission } from './full/admission.ts';
import { createApp, type App } from './full/app.ts';
import { BodyBuffer } from './full/buffered-body.ts';
import { Downstream } from './full/downstream.ts';
import { Exchange } from './full/exchange.ts';
import { forward } from './full/forward.ts';
import { judge, type Judgement } from './full/judgement.ts';
import type { Decide, Lane, LaneUpstreams } from './full/lane.ts';
import { LaneRequest } from './full/lane-request.ts';
import { Mirror } from './full/mirror.ts';
import { OpenTunnels } from './full/open-tunnels.ts';
import { readParserFailure } from './full/parser-failure.ts';
import { chooseProtocol, openTunnel } from './full/tunnel.ts';

export interface FullLaneOptions {
  readonly snapshot: () => Snapshot;
  readonly decide: Decide;
  readonly upstreams: LaneUpstreams;
  readonly observer: Observer;
  /** Null, or left out: nobody collects spans. Asked for each request. */
  readonly tracing?: () => Tracing | null;
  /** What the listener knows of a socket; asked once, when the socket is accepted. */
  readonly connectionOf: (socket: Socket) => Connection;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** Evenly from 0 up to, not including, 1. */
  readonly random?: () => number;
}

/** How often heads that take too long are looked for; a head's time-out is late by up to this. */
const checkingIntervalMs = 500;

/** How often open tunnels are judged again, for what ends by the clock: a certificate, a CRL. */
const tunnelReviewMs = 5000;

/** How long an idle connection is left open once the lane drains: a request may be on its way on it. */
const drainGraceMs = 1000;

/**
 * The full lane: node:http's parser and framing, Fastify and @fastify/http-proxy, our own checks, decision
 * and dispatch. It takes every connection as it comes and is always right; how fast it is matters less.
 */
export class FullLane {
  /** Resolves when Fastify is built. Connections accepted before that wait. */
  readonly ready: Promise<void>;
  readonly #options: FullLaneOptions;
  readonly #lane: Lane;
  readonly #server: Server<typeof LaneRequest>;
  readonly #app: App;
  readonly #admission: Admission;
  readonly #downstreams = new Map<Duplex, Downstream>();
  readonly #tunnelReview: NodeJS.Timeout;
  #isReady = false;
  #draining = false;
  #closed = false;

  constructor(options: FullLaneOptions) {
    this.#options = options;
    this.#admission = new Admission((request, handler) => options.upstreams.send(request, handler));
    const draining = (): boolean => this.#draining;
    const { snapshot, decide, now = Date.now, random = Math.random, tracing = () => null } = options;
    const tunnels = new OpenTunnels({ snapshot, decide, now });
    this.#tunnelReview = setInterval(() => tunnels.review(), tunnelReviewMs).unref();
    this.#lane = {
      snapshot,
      decide,
      upstreams: options.upstreams,
      observer: options.observer,
      get tracing() {
        return tracing();
      },
      tunnels,
      now,
      random,
      bodies: new BodyBuffer(),
      mirror: new Mirror(options.observer),
      get draining() {
        return draining();
      },
    };
    this.#server = this.#createServer();
    this.#app = createApp(this.#server, {
      onRequest: (request) => (request.exchange?.decide() ?? null) !== null,
      onForward: (request) => this.#forward(request),
      onError: (request, error) => request.exchange?.fail('internal', describe(error)),
    });
    this.ready = Promise.resolve(this.#app.instance.ready()).then(() => {
      this.#isReady = true;
    });
  }

  get openConnections(): number {
    return this.#downstreams.size;
  }

  /**
   * Serves what comes over a socket from now on, bytes that were unshifted into it included. A TLS socket
   * must be past its handshake.
   *
   * @param served Requests that another lane served on it.
   */
  accept(socket: Socket, served = 0): Downstream {
    socket.on('error', () => {});
    const connection = this.#options.connectionOf(socket);
    const run = (exchange: Exchange): void => this.#route(exchange);
    const downstream = new Downstream(this.#lane, socket, connection, run, served);
    if (this.#closed || socket.destroyed) {
      socket.destroy();
      return downstream;
    }
    this.#downstreams.set(socket, downstream);
    socket.once('close', () => this.#downstreams.delete(socket));
    this.#setLimits();
    // node:http ends connections itself, and a tunnel passes one side's end on while the other still talks.
    socket.allowHalfOpen = true;
    // What node:http calls behind the last response. Its own way resets a client that is still sending.
    socket.destroySoon = () => downstream.close();
    socket.setNoDelay(true);
    if (this.#isReady) this.#start(socket);
    else void this.ready.then(() => this.#start(socket));
    if (this.#draining) this.#closeWhenIdle(downstream);
    return downstream;
  }

  /** Fastify sees only what goes on to an upstream: a refusal costs no more than it has to. */
  #route(exchange: Exchange): void {
    try {
      if (exchange.judgement.decision.action === 'forward' || exchange.decide() !== null) {
        this.#app.route(exchange.request, exchange.response);
      }
    } catch (error) {
      exchange.fail('internal', describe(error));
    }
  }

  #start(socket: Socket): void {
    if (socket.destroyed) return;
    this.#server.emit('connection', socket);
    // Whoever read from it before may have paused it; only a flowing socket gives back what was unshifted.
    if (socket.isPaused()) socket.resume();
  }

  /** The snapshot was swapped: ends every tunnel whose request would now be refused. */
  reviewTunnels(): void {
    this.#lane.tunnels.review();
  }

  /** A new snapshot is in force: closes the connections whose client is no longer trusted, where that is wanted. */
  reviewConnections(): void {
    const snapshot = this.#options.snapshot();
    if (snapshot.onTrustEnd !== 'close') return;
    const ended = trustEndedUnder(snapshot);
    const now = this.#lane.now();
    for (const downstream of this.#downstreams.values()) {
      if (ended(downstream.connection, now)) downstream.closeSoon();
    }
  }

  /** From now on every response closes its connection, and idle connections close after a short grace. */
  drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    this.#setLimits();
    for (const downstream of this.#downstreams.values()) this.#closeWhenIdle(downstream);
  }

  /** Breaks what is still open. Resolves when everything is released. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#draining = true;
    clearInterval(this.#tunnelReview);
    const closing = [...this.#downstreams.keys()].map(
      (socket) =>
        new Promise<void>((resolve) => {
          socket.once('close', () => resolve());
          socket.destroy();
        }),
    );
    await Promise.all(closing);
    await this.#app.instance.close();
    // Not listening, it has nothing to close but the timer that looks for slow heads.
    this.#server.close(() => {});
  }

  #createServer(): Server<typeof LaneRequest> {
    const server = createServer({
      IncomingMessage: LaneRequest,
      // All our own: the answer to a missing Host, the limits of a body's time, Connection and Keep-Alive.
      requireHostHeader: false,
      requestTimeout: 0,
      keepAliveTimeoutBuffer: 0,
      connectionsCheckingInterval: checkingIntervalMs,
      httpValidation: 'strict',
      shouldUpgradeCallback: (request) => this.#shouldUpgrade(request),
    });
    // Node drops headers past this count without a word, Content-Length too; ours is checked in `judge`.
    server.maxHeadersCount = 0;
    server.on('request', (request, response) => this.#take(request, response, false));
    server.on('checkContinue', (request, response) => this.#take(request, response, true));
    server.on('checkExpectation', (request, response) => this.#take(request, response, true));
    server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
    server.on('connect', (request, socket) => this.#refuseConnect(request, socket));
    server.on('clientError', (error, socket) => this.#clientError(error, socket));
    server.on('timeout', (socket) => this.#downstreams.get(socket)?.timedOut());
    // A server that does not listen enforces no headersTimeout: it starts looking for slow heads on this.
    server.emit('listening');
    return server;
  }

  /** Limits that node reads from the server for each connection or request; a reload may change them. */
  #setLimits(): void {
    const { limits } = this.#options.snapshot();
    // Read by node for each connection, though its types know it as an option only.
    (this.#server as { maxHeaderSize?: number }).maxHeaderSize = limits.headSize;
    this.#server.headersTimeout = limits.headTimeoutMs;
    this.#server.keepAliveTimeout = this.#draining
      ? Math.min(drainGraceMs, limits.keepAliveTimeoutMs)
      : limits.keepAliveTimeoutMs;
  }

  #closeWhenIdle(downstream: Downstream): void {
    const look = (): void => {
      if (downstream.idle) downstream.close();
    };
    setTimeout(look, drainGraceMs).unref();
  }

  #take(request: LaneRequest, response: ServerResponse, expectsContinue: boolean): void {
    const downstream = this.#downstreams.get(request.socket);
    if (downstream === undefined || !downstream.taking) return;
    this.#setLimits();
    const { judgement } = request;
    const exchange = new Exchange(this.#lane, downstream, request, response, {
      expectsContinue,
      ...(judgement === null ? {} : { judgement }),
    });
    request.exchange = exchange;
    downstream.take(exchange, request.declined);
  }

  #forward(request: LaneRequest): void {
    const { exchange } = request;
    const decision = exchange?.judgement.decision;
    if (exchange === null || decision?.action !== 'forward') return;
    this.#admitted(exchange, decision, () => forward(this.#lane, exchange, decision));
  }

  /** Goes on once limits and authentication of the route let the request through. */
  #admitted(exchange: Exchange, decision: Forward, proceed: () => void): void {
    const settle = (refusal: Respond | null): void => {
      try {
        if (refusal !== null) exchange.refuse(refusal);
        else if (!exchange.over) proceed();
      } catch (error) {
        exchange.fail('internal', describe(error));
      }
    };
    const refusal = this.#admission.admit(exchange, decision);
    if (!(refusal instanceof Promise)) settle(refusal);
    else refusal.then(settle).catch((error: unknown) => exchange.fail('internal', describe(error)));
  }

  /**
   * Asked by node's parser about every head with an Upgrade. Where we decline, the parser drops whatever
   * came behind the request in the same read; so the response to it has to be the connection's last.
   */
  #shouldUpgrade(request: LaneRequest): boolean {
    const downstream = this.#downstreams.get(request.socket);
    if (downstream === undefined || !downstream.taking) return false;
    if (downstream.idle && request.method === 'GET' && request.httpVersion === '1.1') {
      const judgement = judge(this.#lane, downstream.connection, request, request.url ?? '');
      request.judgement = judgement;
      const { decision, framing } = judgement;
      if (decision.action === 'forward' && framing.kind === 'none') {
        if (chooseProtocol(request.rawHeaders, decision.route.upgrade) !== null) return true;
      }
    }
    request.declined = true;
    return false;
  }

  #upgrade(request: LaneRequest, socket: Duplex, head: Buffer): void {
    const downstream = this.#downstreams.get(socket);
    const { judgement } = request;
    const decision = judgement?.decision;
    if (downstream === undefined || judgement === null || decision?.action !== 'forward') {
      socket.destroy();
      return;
    }
    const exchange = this.#detachedExchange(downstream, request, judgement);
    const protocol = chooseProtocol(request.rawHeaders, decision.route.upgrade) ?? '';
    this.#admitted(exchange, decision, () => {
      openTunnel(this.#lane, exchange, decision, protocol, head).catch((error: unknown) =>
        exchange.fail('internal', describe(error)),
      );
    });
  }

  #refuseConnect(request: LaneRequest, socket: Duplex): void {
    const downstream = this.#downstreams.get(socket);
    // Behind requests that are still being answered there is no way to answer it in order.
    if (downstream === undefined || !downstream.taking || !downstream.idle) {
      socket.destroy();
      return;
    }
    this.#detachedExchange(downstream, request).decide();
  }

  /** An exchange on a socket that the parser has let go of, with a response to answer by all the same. */
  #detachedExchange(downstream: Downstream, request: LaneRequest, judgement?: Judgement): Exchange {
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    const { socket } = downstream;
    const exchange = new Exchange(
      this.#lane,
      downstream,
      request,
      response,
      judgement === undefined ? {} : { judgement, upgrade: true },
    );
    response.assignSocket(socket);
    socket.on('drain', () => response.emit('drain'));
    downstream.adopt(exchange);
    return exchange;
  }

  #clientError(error: Error & { code?: string }, socket: Duplex): void {
    const downstream = this.#downstreams.get(socket);
    if (downstream === undefined) {
      socket.destroy();
      return;
    }
    const { inBody } = downstream;
    const failure = readParserFailure(error, inBody);
    if (failure.kind === 'gone') socket.destroy();
    else if (inBody) downstream.spoiled(failure.reason, failure.detail);
    else downstream.failed(failure.reason, failure.detail);
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

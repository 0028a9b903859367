import type { Socket } from 'node:net';
import type { ConnectionEndedEvent, Observer, RequestEvent } from '../../observe/observer.ts';
import type { Connection } from '../../snapshot/connection.ts';
import type { Snapshot } from '../../snapshot/snapshot.ts';
import { trustEndedUnder } from '../../snapshot/trust-ended.ts';
import { monotonicMs } from '../clock.ts';
import type { Downstream } from '../full/downstream.ts';
import type { Decide } from '../full/lane.ts';
import type { FullLane } from '../full-lane.ts';
import type { Upstreams } from '../upstream/upstreams.ts';
import { ExpressConnection } from './express-connection.ts';

export interface ExpressLaneOptions {
  readonly snapshot: () => Snapshot;
  readonly decide: Decide;
  readonly upstreams: Pick<Upstreams, 'carry'>;
  readonly observer: Pick<Observer, 'request' | 'connectionEnded'>;
  /** Takes over what is not plain. */
  readonly full: FullLane;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** How often connections are looked at that have to come to something; a time-out is late by up to this. */
const longestLookMs = 500;
const shortestLookMs = 20;

/** How long an idle connection is left open once the lane drains: a request may be on its way on it. */
const drainGraceMs = 1000;

/**
 * The express lane: plain HTTP/1.1 requests straight off the socket and onto a pooled one. It recognises what is
 * unmistakably plain and does what the one Decision says; whatever else comes, the full lane gets the connection.
 */
export class ExpressLane {
  readonly snapshot: () => Snapshot;
  readonly decide: Decide;
  readonly upstreams: Pick<Upstreams, 'carry'>;
  readonly now: () => number;
  draining = false;
  readonly #options: ExpressLaneOptions;
  readonly #connections = new Set<ExpressConnection>();
  #timer: NodeJS.Timeout | null = null;
  #lookMs = 0;

  constructor(options: ExpressLaneOptions) {
    this.#options = options;
    this.snapshot = options.snapshot;
    this.decide = options.decide;
    this.upstreams = options.upstreams;
    this.now = options.now ?? Date.now;
  }

  get openConnections(): number {
    return this.#connections.size;
  }

  /** Serves what comes over a socket from now on. A TLS socket must be past its handshake. */
  accept(socket: Socket, connection: Connection): void {
    socket.on('error', () => {});
    socket.allowHalfOpen = true;
    socket.setNoDelay(true);
    const one = new ExpressConnection(this, socket, connection);
    this.#connections.add(one);
    this.#watch();
    if (socket.isPaused()) socket.resume();
    if (this.draining) this.#closeWhenIdle(one);
  }

  /** The full lane has the connection from now on. @param served Requests that were served on it. */
  handOver(one: ExpressConnection, served: number): Downstream {
    this.#connections.delete(one);
    return this.#options.full.accept(one.socket, served);
  }

  released(one: ExpressConnection): void {
    this.#connections.delete(one);
  }

  report(event: RequestEvent): void {
    this.#tell((observer) => observer.request(event));
  }

  ended(event: ConnectionEndedEvent): void {
    this.#tell((observer) => observer.connectionEnded(event));
  }

  /** A new snapshot is in force: closes the connections whose client is no longer trusted, where that is wanted. */
  reviewConnections(): void {
    this.#watch();
    const snapshot = this.snapshot();
    if (snapshot.onTrustEnd !== 'close') return;
    const ended = trustEndedUnder(snapshot);
    const now = this.now();
    for (const one of this.#connections) if (ended(one.connection, now)) one.closeSoon();
  }

  /** From now on every response closes its connection, and idle connections close after a short grace. */
  drain(): void {
    if (this.draining) return;
    this.draining = true;
    for (const one of this.#connections) this.#closeWhenIdle(one);
  }

  /** Breaks what is still open. Resolves when everything is released. */
  async close(): Promise<void> {
    this.draining = true;
    const closing = [...this.#connections].map(
      ({ socket }) =>
        new Promise<void>((resolve) => {
          socket.once('close', () => resolve());
          socket.destroy();
        }),
    );
    await Promise.all(closing);
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #closeWhenIdle(one: ExpressConnection): void {
    setTimeout(() => {
      if (one.idle) one.closeSoon();
    }, drainGraceMs).unref();
  }

  /** One timer for all: to set one for each request cost more than to look at every connection now and then. */
  #watch(): void {
    const { headTimeoutMs, keepAliveTimeoutMs, bodyTimeoutMs } = this.snapshot().limits;
    const shortest = Math.min(
      headTimeoutMs,
      keepAliveTimeoutMs,
      bodyTimeoutMs > 0 ? bodyTimeoutMs : Infinity,
    );
    const lookMs = Math.max(shortestLookMs, Math.min(longestLookMs, shortest / 4));
    if (this.#timer !== null && this.#lookMs === lookMs) return;
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#lookMs = lookMs;
    this.#timer = setInterval(() => {
      const now = monotonicMs();
      for (const one of this.#connections) one.look(now);
    }, lookMs).unref();
  }

  #tell(call: (observer: ExpressLaneOptions['observer']) => void): void {
    try {
      call(this.#options.observer);
    } catch (error) {
      process.emitWarning(error instanceof Error ? error : String(error));
    }
  }
}

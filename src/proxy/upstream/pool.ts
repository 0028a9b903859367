import type { Socket } from 'node:net';
import type { Upstream } from '../../snapshot/snapshot.ts';
import type { UpstreamFailure } from './outbound.ts';
import type { Dialer, SocketReader } from './socket.ts';

/** A connection is closed behind so many requests, or at that age: nginx's keepalive_requests and keepalive_time. */
const requestLimit = 10_000;
const ageLimitMs = 3_600_000;

/** A connection that is kept for the next request. */
export interface Pooled {
  readonly socket: Socket;
  /** On the pool's clock, in milliseconds. */
  readonly openedAt: number;
  /** Requests it has carried. */
  readonly requests: number;
  /** Open as far as is known, and fit for another request. @param now - on the clock of `performance.now` */
  usable(now: number): boolean;
  destroy(): void;
}

export interface PoolParts<C extends Pooled> {
  readonly dialer: Dialer;
  readonly keepAlive: Upstream['keepAlive'];
  /** A clock that never goes back, in milliseconds. */
  readonly now: () => number;
  readonly wrap: (
    socket: Socket,
    keepAlive: Upstream['keepAlive'],
    openedAt: number,
    reader: SocketReader | undefined,
  ) => C;
  /** Makes what takes a socket's bytes; absent: the socket gives them in its own ways. */
  readonly reader?: () => SocketReader;
}

/**
 * The connections of one kind to one endpoint, all under one identity. One request at a time on each; as many as there
 * are requests under way, which the listeners' limits bound. Only `keepAlive.connections` of them are kept when idle.
 */
export class Pool<C extends Pooled> {
  readonly #parts: PoolParts<C>;
  /** The one used last at the end: what is not needed ages at the front. */
  #idle: C[] = [];
  #retired = false;

  constructor(parts: PoolParts<C>) {
    this.#parts = parts;
  }

  get idle(): number {
    return this.#idle.length;
  }

  /** A kept connection, or null. */
  take(now: number = this.#parts.now()): C | null {
    for (;;) {
      const connection = this.#idle.pop();
      if (connection === undefined) return null;
      if (connection.usable(now)) return connection;
      connection.destroy();
    }
  }

  /**
   * A new connection. `done` is called once and never before this returns; not at all after the returned function.
   */
  open(timeoutMs: number, done: (failure: UpstreamFailure | null, connection: C | null) => void): () => void {
    const { dialer, keepAlive, now, wrap, reader: createReader } = this.#parts;
    const reader = createReader?.();
    const dialled = (failure: UpstreamFailure | null, socket: Socket | null): void => {
      if (socket === null) return done(failure, null);
      const connection = wrap(socket, keepAlive, now(), reader);
      socket.once('close', () => this.#forget(connection));
      done(null, connection);
    };
    return dialer.dial(timeoutMs, dialled, reader);
  }

  /** A connection whose request is over comes back, to be kept or closed. */
  release(connection: C): void {
    const now = this.#parts.now();
    const spent = connection.requests >= requestLimit || now - connection.openedAt >= ageLimitMs;
    if (this.#retired || spent || !connection.usable(now)) {
      connection.destroy();
      return;
    }
    this.#idle.push(connection);
    if (this.#idle.length > this.#parts.keepAlive.connections) this.#idle.shift()?.destroy();
  }

  /** Closes what is idle now, and everything else when its request is over. */
  retire(): void {
    this.#retired = true;
    const idle = this.#idle;
    this.#idle = [];
    for (const connection of idle) connection.destroy();
  }

  #forget(connection: C): void {
    const index = this.#idle.indexOf(connection);
    if (index !== -1) this.#idle.splice(index, 1);
  }
}

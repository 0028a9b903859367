import type { Endpoint, Upstream } from '../../snapshot/snapshot.ts';
import { Connection } from './connection.ts';
import type { UpstreamFailure } from './outbound.ts';
import { createDialer, type Dialer } from './socket.ts';

/** A connection is closed behind so many requests, or at that age: nginx's keepalive_requests and keepalive_time. */
const requestLimit = 10_000;
const ageLimitMs = 3_600_000;

/**
 * The connections to one endpoint, all under one identity. One request at a time on each; as many as there are requests
 * under way, which the listeners' limits bound. Only `keepAlive.connections` of them are kept when idle.
 */
export class Pool {
  readonly dialer: Dialer;
  readonly #keepAlive: Upstream['keepAlive'];
  readonly #now: () => number;
  /** The one used last at the end: what is not needed ages at the front. */
  #idle: Connection[] = [];
  #retired = false;

  constructor(
    endpoint: Endpoint,
    { tls, keepAlive }: Pick<Upstream, 'tls' | 'keepAlive'>,
    now: () => number,
  ) {
    this.dialer = createDialer(endpoint, tls);
    this.#keepAlive = keepAlive;
    this.#now = now;
  }

  get idle(): number {
    return this.#idle.length;
  }

  /** A kept connection, or null. */
  take(): Connection | null {
    for (;;) {
      const connection = this.#idle.pop();
      if (connection === undefined) return null;
      if (connection.usable) return connection;
      connection.destroy();
    }
  }

  /**
   * A new connection. `done` is called once and never before this returns; not at all after the returned function.
   */
  open(
    timeoutMs: number,
    done: (failure: UpstreamFailure | null, connection: Connection | null) => void,
  ): () => void {
    return this.dialer.dial(timeoutMs, (failure, socket) => {
      if (socket === null) return done(failure, null);
      const connection = new Connection(socket, this.#keepAlive, this.#now());
      socket.once('close', () => this.#forget(connection));
      done(null, connection);
    });
  }

  /** A connection whose request is over comes back, to be kept or closed. */
  release(connection: Connection): void {
    const spent = connection.requests >= requestLimit || this.#now() - connection.openedAt >= ageLimitMs;
    if (this.#retired || spent || !connection.usable) {
      connection.destroy();
      return;
    }
    this.#idle.push(connection);
    if (this.#idle.length > this.#keepAlive.connections) this.#idle.shift()?.destroy();
  }

  /** Closes what is idle now, and everything else when its request is over. */
  retire(): void {
    this.#retired = true;
    const idle = this.#idle;
    this.#idle = [];
    for (const connection of idle) connection.destroy();
  }

  #forget(connection: Connection): void {
    const index = this.#idle.indexOf(connection);
    if (index !== -1) this.#idle.splice(index, 1);
  }
}

import type { Socket } from 'node:net';
import { ExpressLane } from './express/express-lane.ts';
import { FullLane, type FullLaneOptions } from './full-lane.ts';
import type { Upstreams } from './upstream/upstreams.ts';

export interface LanesOptions extends FullLaneOptions {
  readonly upstreams: Upstreams;
}

/** Both lanes as one: connections begin in the express lane, where the configuration lets them, or in the full lane. */
export class Lanes {
  /** Resolves when connections are served. Those accepted before that wait. */
  readonly ready: Promise<void>;
  readonly #options: LanesOptions;
  readonly #full: FullLane;
  readonly #express: ExpressLane;

  constructor(options: LanesOptions) {
    this.#options = options;
    this.#full = new FullLane(options);
    this.#express = new ExpressLane({ ...options, full: this.#full });
    this.ready = this.#full.ready;
  }

  get openConnections(): number {
    return this.#full.openConnections + this.#express.openConnections;
  }

  /** Serves what comes over a socket from now on. A TLS socket must be past its handshake. */
  accept(socket: Socket): void {
    const { snapshot, connectionOf, tracing } = this.#options;
    // Each request of a trace has headers of its own.
    const traces = tracing !== undefined && tracing() !== null;
    if (socket.destroyed || traces || !snapshot().expressLane) this.#full.accept(socket);
    else this.#express.accept(socket, connectionOf(socket));
  }

  /** The snapshot was swapped: ends every tunnel whose request would now be refused. */
  reviewTunnels(): void {
    this.#full.reviewTunnels();
  }

  /** A new snapshot is in force: closes the connections whose client is no longer trusted, where that is wanted. */
  reviewConnections(): void {
    this.#full.reviewConnections();
    this.#express.reviewConnections();
  }

  /** From now on every response closes its connection, and idle connections close after a short grace. */
  drain(): void {
    this.#full.drain();
    this.#express.drain();
  }

  /** Breaks what is still open. Resolves when everything is released. */
  async close(): Promise<void> {
    await this.#express.close();
    await this.#full.close();
  }
}

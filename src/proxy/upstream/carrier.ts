import { Attempt, type AttemptListener } from './attempt.ts';
import { RequestBody } from './body.ts';
import type { Connection, WireRequest } from './connection.ts';
import type { LiveEndpoint } from './live-endpoint.ts';
import type { OutboundRequest } from './outbound.ts';
import type { Pool, Pooled } from './pool.ts';

/** One try of a request on one connection. */
export interface Ongoing {
  /** To be called once. The listener may hear of a failure before this returns. */
  start(): void;
  /** Ends it and its connection; the listener hears nothing more. */
  abort(): void;
  /** The listener takes data again. */
  resume(): void;
}

/** How a request travels: over which kind of connection, and in which form. Choosing endpoints and retrying is the call's. */
export interface Carrier<C extends Pooled, Head> {
  poolOf(endpoint: LiveEndpoint): Pool<C>;
  attempt(connection: C, listener: AttemptListener<Head>): Ongoing;
  /** The response is complete: the connection goes back, unless it cannot be used again. */
  release(endpoint: LiveEndpoint, connection: C): void;
  /** A byte of the request's body has been read and is not held: it cannot be sent a second time (rule 9). */
  readonly consumed: boolean;
}

/** Of the full lane: each connection an undici client. */
export class UndiciCarrier implements Carrier<Connection, readonly string[]> {
  readonly #request: OutboundRequest;
  readonly #wire: WireRequest;

  constructor(request: OutboundRequest) {
    this.#request = request;
    const { method, target, headers, body } = request;
    // A length of 0 is no body. undici then says `Content-Length: 0` where the method has a meaning for one.
    const sent = body === null || body.length === 0 ? null : new RequestBody(body);
    this.#wire = {
      method,
      target,
      // undici takes the one header that ends its connection.
      headers: request.close === true ? [...headers, 'Connection', 'close'] : headers,
      body: sent,
      headLimit: request.headLimit ?? Infinity,
    };
  }

  get consumed(): boolean {
    return this.#wire.body?.consumed === true;
  }

  poolOf(endpoint: LiveEndpoint): Pool<Connection> {
    return endpoint.pool;
  }

  attempt(connection: Connection, listener: AttemptListener): Ongoing {
    return new Attempt(connection, this.#wire, this.#request.timeouts, listener);
  }

  release(endpoint: LiveEndpoint, connection: Connection): void {
    // By then undici has closed it, if the response or leftover bytes call for that.
    queueMicrotask(() => endpoint.pool.release(connection));
  }
}

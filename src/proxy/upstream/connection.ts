import type { Socket } from 'node:net';
import { Client, type Dispatcher } from 'undici';
import type { Upstream } from '../../snapshot/snapshot.ts';
import type { RequestBody } from './body.ts';
import { ContinueFilter } from './continue-filter.ts';
import { LastWords } from './last-words.ts';

/** Most bytes of a response's head, names and values; ingress-nginx's users raise its 4 KiB to 16 or 32 KiB at most. */
const maxHeadSize = 64 * 1024;

/** What goes over the wire: one request, its framing included. */
export interface WireRequest {
  readonly method: string;
  readonly target: string;
  /** Name, value, name, value … with Host, without framing and hop-by-hop headers. */
  readonly headers: readonly string[];
  readonly body: RequestBody | null;
  /** Most bytes of a response's head; `maxHeadSize` in any case. */
  readonly headLimit?: number;
}

/** An open socket to an endpoint with an HTTP/1.1 client on it. Carries one request at a time, never a queue. */
export class Connection {
  readonly socket: Socket;
  /** On the caller's clock, in milliseconds. */
  readonly openedAt: number;
  /** Requests it has carried, the one under way included. */
  requests = 0;
  readonly #client: Client;
  readonly #continues: ContinueFilter;
  readonly #lastWords: LastWords;
  #cause: Error | null = null;

  constructor(socket: Socket, keepAlive: Upstream['keepAlive'], openedAt: number) {
    this.socket = socket;
    this.openedAt = openedAt;
    this.#continues = new ContinueFilter(socket);
    this.#lastWords = new LastWords(socket);
    socket.once('error', (error) => {
      this.#cause = error;
    });
    let taken = false;
    this.#client = new Client('http://upstream', {
      // The one socket, which has its TLS behind it already. undici would connect anew by itself when a kept socket
      // turns out closed: that is for the pool to do, under its rules.
      connect: (_options, callback) => {
        if (taken) {
          queueMicrotask(() => callback(new ClosedError(), null));
          return;
        }
        taken = true;
        // undici misses a socket that comes before its own connect function has returned.
        queueMicrotask(() => callback(null, socket));
      },
      allowH2: false,
      pipelining: 1,
      maxHeaderSize: maxHeadSize,
      // Ours take their place: undici's tick by half a second, and stop for good if they fire during an upload.
      headersTimeout: 0,
      bodyTimeout: 0,
      // A shorter time that the upstream asks for in `Keep-Alive: timeout=` is heeded, less a second for the way.
      keepAliveTimeout: Math.max(keepAlive.timeoutMs, 1),
      keepAliveMaxTimeout: Math.max(keepAlive.timeoutMs, 1),
      keepAliveTimeoutThreshold: 1000,
    });
  }

  /** Open as far as we know; the upstream may have closed it a moment ago. */
  usable(): boolean {
    const { socket } = this;
    return !socket.destroyed && socket.readable && socket.writable && socket.readableLength === 0;
  }

  /** A byte has come since the request was sent. */
  get answered(): boolean {
    return this.#continues.heard;
  }

  /** The first error of the socket. undici reports the last, and an `end` behind a TLS alert hides the alert. */
  get cause(): Error | null {
    return this.#cause;
  }

  /** Not closed in order: an end of the connection is then no proof that a body has ended. */
  get broken(): boolean {
    return this.#cause !== null || (this.socket.readableEnded && this.#lastWords.unheard);
  }

  /**
   * Sends a request. Never while another one is under way. A body with a length goes out with just that length: a
   * byte more or less breaks the connection. One without goes out chunked. Throws nothing: all errors reach the handler.
   */
  send(request: WireRequest, handler: Dispatcher.DispatchHandler): void {
    this.requests++;
    this.#continues.arm();
    const { body } = request;
    const length = body?.length ?? null;
    this.#client.dispatch(
      {
        method: request.method,
        path: request.target,
        headers:
          length === null
            ? (request.headers as string[])
            : [...request.headers, 'content-length', String(length)],
        body: body === null ? null : body.open(),
      },
      handler,
    );
  }

  destroy(): void {
    this.socket.destroy();
    // Never rejects; a client destroyed twice is destroyed.
    void this.#client.destroy();
  }
}

/** The connection was closed by the upstream before anything was written to it. */
class ClosedError extends Error {
  readonly code = 'ECONNRESET';

  constructor() {
    super('closed before the request was sent');
  }
}

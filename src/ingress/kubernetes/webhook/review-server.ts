import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { listenOn } from '../../../listen.ts';
import type { ListenAddress } from '../../../snapshot/snapshot.ts';
import { answerTo, readReview, type Review, type Verdict } from './review.ts';

/** An Ingress is 1.5 MB at most in etcd, and a review holds it twice. */
export const maxBody = 4 * 1024 ** 2;

/** Bytes of bodies that are kept at once. */
const maxBodies = 64 * 1024 ** 2;

/** Reviews under way. */
const maxReviews = 64;

const maxConnections = 256;

/** Milliseconds. The API server waits ten seconds unless it is told otherwise. */
const handshakeMs = 5000;
const headMs = 5000;
const requestMs = 10_000;
const idleMs = 90_000;
const closeWithinMs = 2000;

export interface ReviewServerOptions {
  readonly judge: (review: Review, signal: AbortSignal) => Promise<Verdict>;
}

type Answer = { readonly status: number; readonly text: string; readonly allow?: string };

/**
 * Takes AdmissionReviews over HTTPS, on one path, and answers them. Whoever does not know the path is told nothing, and has not a
 * byte of a body read. It has its own port and shares nothing with the listeners that serve.
 */
export class ReviewServer {
  readonly #server: Server;
  readonly #judge: ReviewServerOptions['judge'];
  #path: Buffer | null = null;
  #kept = 0;
  #reviews = 0;

  constructor({ judge }: ReviewServerOptions) {
    this.#judge = judge;
    this.#server = createServer(
      {
        minVersion: 'TLSv1.2',
        handshakeTimeout: handshakeMs,
        headersTimeout: headMs,
        requestTimeout: requestMs,
        keepAliveTimeout: idleMs,
        connectionsCheckingInterval: 1000,
        maxHeaderSize: 16 * 1024,
      },
      (request, response) => void this.#take(request, response),
    );
    this.#server.maxConnections = maxConnections;
    this.#server.maxHeadersCount = 64;
    // A handshake or a head that makes no sense ends its connection, and nothing else.
    this.#server.on('tlsClientError', (_, socket) => socket.destroy());
    this.#server.on('checkExpectation', (_, response) => refuse(response, { status: 417, text: 'no' }));
    this.#server.on('upgrade', (_, socket) => socket.destroy());
    this.#server.on('connect', (_, socket) => socket.destroy());
  }

  /** What new connections are answered with, and where reviews come to from now on. */
  serveWith({ cert, key }: { readonly cert: string; readonly key: string }, path: string): void {
    this.#server.setSecureContext({ cert, key, minVersion: 'TLSv1.2' });
    this.#path = digest(path);
  }

  /** Rejects with the system's error. */
  listen(address: ListenAddress): Promise<AddressInfo> {
    return listenOn(this.#server, address);
  }

  /** Reviews under way have a moment to end; the next ones come to another replica. */
  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    const timer = setTimeout(() => this.#server.closeAllConnections(), closeWithinMs);
    await closed;
    clearTimeout(timer);
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const fault = this.#faultOf(request);
    if (fault !== null) {
      refuse(response, fault);
      return;
    }
    this.#reviews++;
    const gone = new AbortController();
    const signal = AbortSignal.any([gone.signal, AbortSignal.timeout(requestMs)]);
    response.on('close', () => gone.abort());
    let kept = 0;
    try {
      const pieces: Buffer[] = [];
      for await (const piece of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
        kept += piece.length;
        this.#kept += piece.length;
        if (kept > maxBody) {
          refuse(response, { status: 413, text: `a review has at most ${maxBody} bytes` });
          return;
        }
        if (this.#kept > maxBodies) {
          refuse(response, { status: 503, text: 'too many reviews at once' });
          return;
        }
        pieces.push(piece);
      }
      const review = reviewOf(Buffer.concat(pieces, kept));
      if (review === null) {
        refuse(response, {
          status: 400,
          text: 'this is no AdmissionReview of admission.k8s.io/v1 or v1beta1',
        });
        return;
      }
      send(
        response,
        200,
        'application/json',
        JSON.stringify(answerTo(review, await this.#judge(review, signal))),
      );
    } catch {
      // The client has gone, or has taken too long.
      response.destroy();
    } finally {
      this.#kept -= kept;
      this.#reviews--;
    }
  }

  /** What is wrong with a request, by its head. */
  #faultOf({ url = '', method, headers }: IncomingMessage): Answer | null {
    if (this.#path === null || !timingSafeEqual(digest(url.replace(/\?.*$/s, '')), this.#path))
      return { status: 404, text: 'there is nothing here' };
    if (method !== 'POST') return { status: 405, text: 'reviews are posted', allow: 'POST' };
    if (Number(headers['content-length'] ?? 0) > maxBody)
      return { status: 413, text: `a review has at most ${maxBody} bytes` };
    if (this.#reviews >= maxReviews) return { status: 503, text: 'too many reviews at once' };
    return null;
  }
}

function reviewOf(body: Buffer): Review | null {
  try {
    return readReview(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body)));
  } catch {
    return null;
  }
}

/** What is left of the request is not read. */
function refuse(response: ServerResponse, { status, text, allow }: Answer): void {
  response.setHeader('connection', 'close');
  if (allow !== undefined) response.setHeader('allow', allow);
  send(response, status, 'text/plain; charset=utf-8', `${text}\n`);
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  if (response.destroyed || response.headersSent) return;
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  response.end(body);
}

function digest(path: string): Buffer {
  return createHash('sha256').update(path).digest();
}

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { listenOn } from '../listen.ts';
import { isLoopback, namesLoopback } from './loopback.ts';

/** Whether the program takes traffic, where not, why, and where so, what there is to know. */
export type Readiness =
  { readonly ready: true; readonly note?: string } | { readonly ready: false; readonly reason: string };

/** What the admin listener shows, as functions: it knows nothing of the proxy. */
export interface AdminDeps {
  /** The metrics page, in Prometheus's text format 0.0.4. */
  readonly metrics: () => Promise<string>;
  readonly ready: () => Readiness;
  /** Anything that JSON can say. */
  readonly status: () => Readonly<Record<string, unknown>>;
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Close the connection behind it. */
  readonly close?: true;
}

type Handler = () => Answer | Promise<Answer>;

/** Milliseconds that requests under way get when the listener closes. */
const closeMs = 1000;

/**
 * The second listener: metrics for Prometheus, health for whoever restarts us, readiness for whoever sends us
 * traffic, and status for people. Plain node:http, not Fastify: four fixed answers without parameters or
 * bodies need no router, and it stays up if the full lane's framework does not. It takes GET and HEAD only,
 * and changes nothing.
 */
export class Admin {
  readonly #server: Server;
  readonly #handlers: ReadonlyMap<string, Handler>;
  #loopback = true;

  constructor({ metrics, ready, status }: AdminDeps) {
    // The operator's view (explain, denials, identities …) adds its paths here.
    this.#handlers = new Map<string, Handler>([
      ['/metrics', async () => ({ status: 200, type: metricsType, body: await metrics() })],
      ['/healthz', () => text(200, 'ok')],
      ['/readyz', () => readiness(ready())],
      ['/status', () => json(200, status())],
    ]);
    this.#server = createServer(
      {
        maxHeaderSize: 8192,
        headersTimeout: 5000,
        requestTimeout: 5000,
        connectionsCheckingInterval: 1000,
        keepAliveTimeout: 5000,
      },
      (request, response) => void this.#answer(request, response),
    );
    this.#server.maxHeadersCount = 64;
    this.#server.maxConnections = 64;
    this.#server.maxRequestsPerSocket = 1000;
    // A client that asks and does not read the answer.
    this.#server.setTimeout(10_000);
  }

  /** Port 0: one that is free. Rejects with the system's error (EADDRINUSE, EACCES …). */
  async listen(address: string, port: number, reusePort = false): Promise<AddressInfo> {
    const bound = await listenOn(this.#server, { address, port, reusePort });
    this.#loopback = isLoopback(bound.address);
    return bound;
  }

  /** Stops listening; answers under way get a second. Never rejects. */
  async close(): Promise<void> {
    if (!this.#server.listening) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => this.#server.closeAllConnections(), closeMs);
      this.#server.close(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let answer: Answer;
    try {
      answer = this.#refusal(request) ?? (await this.#handle(request.url ?? ''));
    } catch {
      answer = text(500, 'internal error');
    }
    send(request, response, answer);
  }

  #refusal(request: IncomingMessage): Answer | null {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return { ...text(405, 'only GET and HEAD'), headers: { allow: 'GET, HEAD' }, close: true };
    }
    if (
      request.headers['content-length'] !== undefined ||
      request.headers['transfer-encoding'] !== undefined
    ) {
      return { ...text(400, 'no request here has a body'), close: true };
    }
    // A web page whose name an attacker lets resolve to 127.0.0.1 would be read from the browser of whoever
    // opens it, past the loopback (DNS rebinding): such a request carries that page's name.
    if (this.#loopback && !namesLoopback(hostsOf(request), this.#server.address() as AddressInfo | null)) {
      return { ...text(421, 'ask for localhost, 127.0.0.1 or [::1]'), close: true };
    }
    return null;
  }

  async #handle(target: string): Promise<Answer> {
    const query = target.indexOf('?');
    const handler = this.#handlers.get(query === -1 ? target : target.slice(0, query));
    if (handler === undefined) return text(404, `there is ${[...this.#handlers.keys()].join(', ')}`);
    return handler();
  }
}

const metricsType = 'text/plain; version=0.0.4; charset=utf-8';

function text(status: number, line: string): Answer {
  return { status, type: 'text/plain; charset=utf-8', body: `${line}\n` };
}

function json(status: number, value: unknown): Answer {
  return { status, type: 'application/json; charset=utf-8', body: `${JSON.stringify(value)}\n` };
}

function readiness(state: Readiness): Answer {
  return state.ready
    ? text(200, state.note === undefined ? 'ready' : `ready: ${state.note}`)
    : text(503, `not ready: ${state.reason}`);
}

/** Every Host header there is: Node's `headers.host` is the first of them. */
function hostsOf({ rawHeaders }: IncomingMessage): string[] {
  const hosts: string[] = [];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if (rawHeaders[index]!.toLowerCase() === 'host') hosts.push(rawHeaders[index + 1]!);
  }
  return hosts;
}

function send(request: IncomingMessage, response: ServerResponse, answer: Answer): void {
  if (response.destroyed) return;
  const body = Buffer.from(answer.body);
  if (answer.close) response.shouldKeepAlive = false;
  response.writeHead(answer.status, {
    'content-type': answer.type,
    'content-length': body.length,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'cross-origin-resource-policy': 'same-origin',
    ...answer.headers,
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

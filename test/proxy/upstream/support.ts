import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { PassThrough, type Readable } from 'node:stream';
import { createServer as createTlsServer, type TlsOptions, type TLSSocket } from 'node:tls';
import type { UpstreamEvent } from '../../../src/observe/observer.ts';
import type {
  OutboundCall,
  OutboundRequest,
  ResponseHandler,
  UpstreamFailure,
} from '../../../src/proxy/upstream/outbound.ts';
import { Upstreams, type UpstreamsOptions } from '../../../src/proxy/upstream/upstreams.ts';
import type { Endpoint, Upstream, UpstreamTls } from '../../../src/snapshot/snapshot.ts';

interface Test {
  teardown(done: () => unknown): void;
}

/** A server made of a plain socket handler: it may say anything. Closed with all its sockets at the test's end. */
export interface RawServer {
  readonly endpoint: Endpoint;
  readonly server: Server;
  /** Every socket accepted, in order. */
  readonly sockets: Socket[];
  /** Stops listening and closes every connection. */
  stop(): Promise<void>;
}

export async function rawServer(
  t: Test,
  onSocket: (socket: Socket, index: number) => void,
  options: { readonly host?: string; readonly tls?: TlsOptions; readonly port?: number } = {},
): Promise<RawServer> {
  const sockets: Socket[] = [];
  const accept = (socket: Socket): void => {
    socket.on('error', () => {});
    sockets.push(socket);
    onSocket(socket, sockets.length - 1);
  };
  const raw: Socket[] = [];
  const server: Server =
    options.tls === undefined
      ? createServer(accept)
      : createTlsServer(options.tls, (socket: TLSSocket) => accept(socket)).on('tlsClientError', () => {});
  server.on('connection', (socket: Socket) => raw.push(socket));
  const address = options.host ?? '127.0.0.1';
  server.listen(options.port ?? 0, address);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const stop = async (): Promise<void> => {
    for (const socket of raw) socket.destroy();
    if (!server.listening) return;
    server.close();
    await once(server, 'close');
  };
  t.teardown(stop);
  return { endpoint: endpointOf(address, port), server, sockets, stop };
}

export function endpointOf(address: string, port: number): Endpoint {
  return { address, port, name: address.includes(':') ? `[${address}]:${port}` : `${address}:${port}` };
}

/** A port on which nothing listens. */
export async function deadEndpoint(): Promise<Endpoint> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return endpointOf('127.0.0.1', port);
}

/**
 * A socket handler that calls `answer` for each request head it has read, with the head's text. Bodies with a length
 * are read and left out.
 */
export function eachRequest(
  answer: (socket: Socket, head: string, index: number) => void,
): (socket: Socket) => void {
  let index = 0;
  return (socket) => {
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      for (;;) {
        const end = text.indexOf('\r\n\r\n');
        if (end === -1) return;
        const head = text.slice(0, end + 4);
        const length = Number(/^content-length: (\d+)$/im.exec(head)?.[1] ?? 0);
        if (text.length < head.length + length) return;
        text = text.slice(head.length + length);
        answer(socket, head, index++);
      }
    });
  };
}

/** A response with a body, as text. */
export function response(body: string, ...headers: readonly string[]): string {
  return ['HTTP/1.1 200 OK', `Content-Length: ${Buffer.byteLength(body)}`, ...headers, '', body].join('\r\n');
}

/** TLS to an upstream as it is where only trust is configured. */
export const usualTls: Omit<UpstreamTls, 'verify' | 'ca'> = {
  serverName: null,
  sendServerName: true,
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.3',
  ciphers: null,
  cert: null,
  key: null,
};

let keys = 0;

export function upstreamOf(endpoints: readonly Endpoint[], more: Partial<Upstream> = {}): Upstream {
  return {
    name: 'app',
    endpoints,
    balance: 'round_robin',
    hash: null,
    tls: null,
    health: null,
    ejection: { failures: 3, durationMs: 10_000, maxDurationMs: 60_000 },
    tries: 3,
    keepAlive: { connections: 16, timeoutMs: 60_000 },
    key: `key ${keys++}`,
    ...more,
  };
}

export interface Rig {
  readonly upstreams: Upstreams;
  readonly events: UpstreamEvent[];
}

/** Upstreams with one upstream named `app`. Starts with the first endpoint. */
export function rig(
  t: Test,
  endpoints: readonly Endpoint[],
  more: Partial<Upstream> = {},
  options: Partial<UpstreamsOptions> = {},
): Rig {
  const events: UpstreamEvent[] = [];
  const upstreams = new Upstreams({
    observer: { upstream: (event) => events.push(event) },
    random: () => 0,
    ...options,
  });
  upstreams.update(new Map([['app', upstreamOf(endpoints, more)]]));
  t.teardown(() => upstreams.destroy());
  return { upstreams, events };
}

export function requestOf(more: Partial<OutboundRequest> = {}): OutboundRequest {
  return {
    upstream: 'app',
    method: 'GET',
    target: '/',
    headers: ['Host', 'app.test'],
    body: null,
    timeouts: { connectMs: 5000, sendMs: 5000, readMs: 5000 },
    ...more,
  };
}

/** What came back of one call. */
export interface Outcome {
  readonly information: [status: number, headers: readonly string[]][];
  status: number | null;
  headers: readonly string[];
  body: string;
  /** Null where it ended well. */
  failure: UpstreamFailure | null;
}

export interface Sent {
  readonly call: OutboundCall;
  /** What has come so far; complete once `done` has resolved. */
  readonly outcome: Outcome;
  readonly done: Promise<Outcome>;
  /** Resolves with the head. */
  readonly head: Promise<Outcome>;
}

/** Sends a request and collects what comes back. Throws where calls come in an order that the contract rules out. */
export function send(
  upstreams: Upstreams,
  request: Partial<OutboundRequest> = {},
  onData: (chunk: Buffer) => boolean = () => true,
): Sent {
  const outcome: Outcome = { information: [], status: null, headers: [], body: '', failure: null };
  const done = Promise.withResolvers<Outcome>();
  const head = Promise.withResolvers<Outcome>();
  let over = false;
  const check = (holds: boolean): void => {
    if (!holds) done.reject(new Error('handler called out of order'));
  };
  const handler: ResponseHandler = {
    onInformation: (status, headers) => {
      check(!over && outcome.status === null);
      outcome.information.push([status, headers]);
    },
    onResponse: (status, headers) => {
      check(!over && outcome.status === null);
      outcome.status = status;
      outcome.headers = headers;
      head.resolve(outcome);
    },
    onData: (chunk) => {
      check(!over && outcome.status !== null);
      outcome.body += chunk.toString('latin1');
      return onData(chunk);
    },
    onEnd: () => {
      check(!over && outcome.status !== null);
      over = true;
      done.resolve(outcome);
    },
    onError: (failure) => {
      check(!over);
      over = true;
      outcome.failure = failure;
      head.resolve(outcome);
      done.resolve(outcome);
    },
  };
  return {
    call: upstreams.send(requestOf(request), handler),
    outcome,
    done: done.promise,
    head: head.promise,
  };
}

/** A body that has all its bytes at once. */
export function bodyOf(...chunks: readonly string[]): Readable {
  const stream = new PassThrough();
  for (const chunk of chunks) stream.write(chunk);
  return stream.end();
}

/** Resolves once `holds`, asked again at each turn of the event loop; rejects after five seconds. */
export async function until(holds: () => boolean): Promise<void> {
  const end = performance.now() + 5000;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`never came true: ${holds.toString()}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

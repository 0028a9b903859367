import { EventEmitter, once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { connect, createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import { enforced } from '../../../src/snapshot/report.ts';
import type { RequestEvent } from '../../../src/observe/observer.ts';
import type { FullLaneOptions } from '../../../src/proxy/full-lane.ts';
import { Lanes } from '../../../src/proxy/lanes.ts';
import { Upstreams } from '../../../src/proxy/upstream/upstreams.ts';
import { testHostAuth } from '../../support/client-auth.ts';
import type { Connection } from '../../../src/snapshot/connection.ts';
import type { Forward } from '../../../src/snapshot/decision.ts';
import type { RequestHead } from '../../../src/snapshot/request-head.ts';
import { createRouteTable } from '../../../src/snapshot/route-table.ts';
import type { Host, Limits, Route, Snapshot } from '../../../src/snapshot/snapshot.ts';
import { testRoute } from '../../support/route.ts';
import { testSnapshot, testUpstream } from '../../support/snapshot.ts';

/** What a test tears down with: tap's `t`. */
interface Teardown {
  teardown(handler: () => unknown): void;
}

export const connection: Connection = Object.freeze({
  listener: 'https',
  remoteAddress: '192.0.2.7',
  remotePort: 40_000,
  localPort: 443,
  serverName: 'a.test',
  hostId: 'a.test',
  serverNameMatched: true,
  trustKey: null,
  judged: new Map(),
  identity: null,
  tlsVersion: 'TLSv1.3',
  cipher: 'TLS_AES_256_GCM_SHA384',
  resumed: false,
});

export const limits: Limits = Object.freeze({
  handshakeTimeoutMs: 10_000,
  handshakes: 1000,
  handshakesPerAddress: 1000,
  connections: 10_000,
  connectionsPerAddress: 10_000,
  headSize: 32 * 1024,
  headerCount: 200,
  headTimeoutMs: 60_000,
  bodyTimeoutMs: 60_000,
  keepAliveTimeoutMs: 75_000,
  keepAliveRequests: 1000,
});

const route: Route = testRoute('a.test', '/', {
  upstream: 'origin',
  identityHeaders: { dialects: ['nginx'], certificate: false, templates: new Map() },
  timeouts: { connectMs: 5000, sendMs: 60_000, readMs: 60_000 },
  upgrade: ['websocket'],
  express: true,
});

/** `MTLS_TEST_LANE=full` turns the express lane off. */
export const expressLane = process.env['MTLS_TEST_LANE'] !== 'full';

export interface LaneOptions {
  /** Port of the origin on 127.0.0.1; null: the upstream has no endpoints. */
  readonly origin: number | null;
  readonly route?: Partial<Route>;
  /** Default: as the environment says. */
  readonly expressLane?: boolean;
  readonly limits?: Partial<Limits>;
  readonly decide?: FullLaneOptions['decide'];
  /** Accepts the socket in place of the lane itself: for handing over a socket with bytes in it. */
  readonly hand?: (socket: Socket, lane: Lanes) => void;
}

/** Both lanes, or the full one alone, behind a plain TCP port, with the upstream's real dispatch and a decision of the test's own. */
export class LaneUnderTest {
  readonly lane: Lanes;
  readonly events: RequestEvent[] = [];
  readonly route: Route;
  readonly host: Host;
  port = 0;
  /** Called for each event, in place of what an observer does. */
  onEvent: (event: RequestEvent) => void = () => {};
  /** Replaced while it runs: a reload. */
  snapshot: Snapshot;
  readonly #arrivals = new EventEmitter();
  readonly #upstreams: Upstreams;
  readonly #server = createTcpServer();
  readonly #clients: RawClient[] = [];

  constructor(options: LaneOptions) {
    this.route = Object.freeze({ ...route, ...options.route });
    this.host = {
      id: 'a.test',
      names: ['a.test'],
      certificate: { cert: '', key: '' },
      stapling: null,
      clientAuth: testHostAuth('off', ''),
      policy: null,
      reports: enforced,
      routes: createRouteTable([this.route]),
      judgesPaths: false,
    };
    this.snapshot = snapshotOf(this.host, options);
    const observer = {
      handshake(): void {},
      request: (event: RequestEvent): void => {
        this.events.push(event);
        this.#arrivals.emit('event');
        this.onEvent(event);
      },
      connectionOpened(): void {},
      connectionClosed(): void {},
      connectionRefused(): void {},
      connectionEnded(): void {},
      ocsp(): void {},
      staple(): void {},
      upstream(): void {},
      reload(): void {},
    };
    this.#upstreams = new Upstreams({ observer });
    this.#upstreams.update(this.snapshot.upstreams);
    this.lane = new Lanes({
      snapshot: () => this.snapshot,
      decide: options.decide ?? ((_snapshot, _connection, head) => this.forward(head)),
      upstreams: this.#upstreams,
      observer,
      connectionOf: () => connection,
    });
    const hand = options.hand ?? ((socket: Socket) => this.lane.accept(socket));
    this.#server.on('connection', (socket) => hand(socket, this.lane));
  }

  forward(head: RequestHead): Forward {
    return {
      action: 'forward',
      reason: 'ok',
      host: this.host,
      route: this.route,
      target: head.path + head.query,
      authenticate: false,
    };
  }

  async start(): Promise<void> {
    await this.lane.ready;
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    this.port = (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    this.#server.close();
    for (const { socket } of this.#clients) socket.destroy();
    await this.lane.close();
    await this.#upstreams.destroy();
  }

  /** The event of the nth request that ended, from 0. */
  async event(index = 0): Promise<RequestEvent> {
    while (this.events.length <= index) await once(this.#arrivals, 'event');
    return this.events[index]!;
  }

  connect(): RawClient {
    const client = new RawClient(this.port);
    this.#clients.push(client);
    return client;
  }

  /** Sends bytes and returns all that comes until the connection ends. */
  async exchange(bytes: string | Buffer): Promise<string> {
    const client = this.connect();
    client.write(bytes);
    await client.closed;
    return client.text;
  }
}

function snapshotOf(host: Host, options: LaneOptions): Snapshot {
  const { origin } = options;
  const upstream = testUpstream('origin', {
    endpoints: origin === null ? [] : [{ address: '127.0.0.1', port: origin, name: `127.0.0.1:${origin}` }],
    ejection: { failures: 1000, durationMs: 1000, maxDurationMs: 1000 },
    keepAlive: { connections: 32, timeoutMs: 60_000 },
  });
  return testSnapshot([host], {
    upstreams: new Map([['origin', upstream]]),
    identityHeaderNames: new Set(['ssl-client-verify', 'ssl-client-subject-dn', 'client-cert']),
    limits: { ...limits, ...options.limits },
    shutdown: { delayMs: 0, graceMs: 1000 },
    accessLog: false,
    expressLane: options.expressLane ?? expressLane,
  });
}

export async function startLane(t: Teardown, options: LaneOptions): Promise<LaneUnderTest> {
  const under = new LaneUnderTest(options);
  t.teardown(() => under.stop());
  await under.start();
  return under;
}

/** An HTTP origin on a free port of 127.0.0.1. */
export async function startOrigin(
  t: Teardown,
  listener: RequestListener,
): Promise<{ port: number; server: Server }> {
  const server = createServer({ requireHostHeader: false }, listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, server };
}

/** An origin that is a bare TCP server: the test says what it answers, byte by byte. */
export async function startRawOrigin(
  t: Teardown,
  onConnection: (socket: Socket) => void,
): Promise<{ port: number }> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    onConnection(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port };
}

/** A client that sends and receives plain bytes. */
export class RawClient {
  readonly socket: Socket;
  /** How the connection ended. */
  readonly closed: Promise<'end' | 'reset'>;
  #received = Buffer.alloc(0);
  readonly #news = new EventEmitter();

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', allowHalfOpen: false });
    let reset = false;
    this.socket.on('error', () => {
      reset = true;
    });
    this.socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#news.emit('news');
    });
    this.closed = new Promise((resolve) => {
      this.socket.on('close', () => {
        resolve(reset ? 'reset' : 'end');
        this.#news.emit('news');
      });
    });
  }

  get bytes(): Buffer {
    return this.#received;
  }

  get text(): string {
    return this.#received.toString('latin1');
  }

  write(bytes: string | Buffer): void {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  }

  /** Everything received, once it holds what is looked for. Rejects if the connection ends before. */
  async until(wanted: string | RegExp): Promise<string> {
    for (;;) {
      const found = typeof wanted === 'string' ? this.text.includes(wanted) : wanted.test(this.text);
      if (found) return this.text;
      if (this.socket.destroyed) throw new Error(`the connection ended after ${JSON.stringify(this.text)}`);
      await once(this.#news, 'news');
    }
  }
}

/** The status of each response in what a client received. */
export function statusLines(text: string): string[] {
  return [...text.matchAll(/HTTP\/1\.1 ([0-9]{3}) /g)].map(([, status = '']) => status);
}

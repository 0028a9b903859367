import type { Socket } from 'node:net';
import type { HandshakeEvent, Observer } from '../observe/observer.ts';
import type { HandshakeFailure, HandshakeReason } from '../snapshot/reason.ts';
import type { Host } from '../snapshot/snapshot.ts';
import type { ClientHello } from './client-hello.ts';
import { readOffer } from './client-offer.ts';
import { ja4 } from './ja4.ts';
import type { Peer } from './proxy-protocol.ts';

/** What is known of a handshake at its end, where it got so far. */
export type HandshakeFacts = Partial<
  Pick<HandshakeEvent, 'tlsVersion' | 'cipher' | 'resumed' | 'identity' | 'detail'>
>;

/** What a pending handshake needs of the rest. */
export interface PendingHandshakeDeps {
  readonly observer: Pick<Observer, 'handshake'>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** A connection between its acceptance and the end of its handshake, which is reported once. */
export class PendingHandshake {
  readonly socket: Socket;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localPort: number;
  host: Host | null = null;
  /** What the client offered; let go of when it is settled. */
  hello: ClientHello | null = null;
  /** As sent. */
  serverName: string | null = null;
  serverNameMatched = false;
  /** Runs until the handshake is complete. */
  deadline: NodeJS.Timeout | undefined = undefined;
  /** Called once, when it is settled. */
  onSettled: () => void = () => {};
  readonly #deps: PendingHandshakeDeps;
  readonly #startedAt: number;
  #settled = false;

  constructor(socket: Socket, client: Peer, deps: PendingHandshakeDeps) {
    this.socket = socket;
    this.remoteAddress = client.address;
    this.remotePort = client.port;
    this.localPort = socket.localPort ?? 0;
    this.#deps = deps;
    this.#startedAt = deps.now();
  }

  get settled(): boolean {
    return this.#settled;
  }

  /** Reports that it failed. The connection is left as it is. */
  reject(reason: HandshakeFailure | 'no_certificate', detail: string): void {
    this.settle('rejected', reason, { detail });
  }

  /** Reports how it ended; what comes after the first report is none. */
  settle(result: HandshakeEvent['result'], reason: HandshakeReason, known: HandshakeFacts): void {
    if (this.#settled) return;
    this.#settled = true;
    clearTimeout(this.deadline);
    this.deadline = undefined;
    this.onSettled();
    const { observer, now } = this.#deps;
    const { hello } = this;
    // Of thousands of open connections, each would keep its ClientHello.
    this.hello = null;
    observer.handshake({
      listener: 'https',
      host: this.host?.id ?? null,
      result,
      reason,
      tlsVersion: known.tlsVersion ?? null,
      cipher: known.cipher ?? null,
      resumed: known.resumed ?? false,
      durationMs: now() - this.#startedAt,
      remoteAddress: this.remoteAddress,
      remotePort: this.remotePort,
      serverName: this.serverName,
      identity: known.identity ?? null,
      detail: known.detail ?? null,
      // Reading and hashing it costs what a good handshake need not pay.
      offer: result === 'rejected' && hello !== null ? describe(hello) : null,
    });
  }
}

function describe(hello: ClientHello): HandshakeEvent['offer'] {
  const offer = readOffer(hello);
  return { ...offer, ja4: ja4(hello, offer) };
}

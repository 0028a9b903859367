import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { listenOn } from '../listen.ts';
import type { Observer } from '../observe/observer.ts';
import type { ConnectionRefusal } from '../snapshot/reason.ts';
import type { Limits, ListenAddress, ProxyProtocol } from '../snapshot/snapshot.ts';
import { AddressCounts } from './address-counts.ts';
import { readFirstBytes } from './first-bytes.ts';
import { plainAddress } from './ip-address.ts';
import { type Peer, readProxyHeader } from './proxy-protocol.ts';

/** What an acceptor needs of the rest. */
export interface AcceptorDeps {
  /** The listener's name in metrics. */
  readonly listener: string;
  readonly observer: Pick<Observer, 'connectionOpened' | 'connectionClosed' | 'connectionRefused'>;
  /** Most connections open at once, in all and of one address; the next one is closed unread, and told to `refuse`. */
  readonly limits: () => Pick<Limits, 'connections' | 'connectionsPerAddress'>;
  /** Whose connections have to open with a PROXY header; null: nobody's. */
  readonly proxyProtocol: () => ProxyProtocol | null;
  /** @param client Of a connection through a trusted proxy, whom it named; else the other side. */
  readonly accept: (socket: Socket, client: Peer) => void;
  /** @param reason `client_abort`: closed before a byte of its PROXY header, as a proxy's health check may be. */
  readonly refuse?: (
    socket: Socket,
    client: Peer,
    reason: ConnectionRefusal | 'client_abort',
    detail: string,
  ) => void;
}

/** Accepts TCP connections up to its limits and keeps account of them until they are closed. */
export class Acceptor {
  readonly #deps: AcceptorDeps;
  readonly #server: Server;
  readonly #open = new Set<Socket>();
  readonly #addresses = new AddressCounts();

  constructor(deps: AcceptorDeps) {
    this.#deps = deps;
    this.#server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
  }

  /** Rejects with the system's error (EADDRINUSE, EACCES …). */
  listen(address: ListenAddress): Promise<AddressInfo> {
    return listenOn(this.#server, address);
  }

  /** Connections accepted and not yet closed. */
  get openConnections(): number {
    return this.#open.size;
  }

  /** Stops accepting. Resolves when the last open connection is gone. */
  stop(): Promise<void> {
    if (!this.#server.listening) return Promise.resolve();
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  /** Ends every connection at once. */
  destroyConnections(): void {
    for (const socket of this.#open) socket.destroy();
  }

  #accept(socket: Socket): void {
    const { listener, observer, limits, proxyProtocol } = this.#deps;
    socket.on('error', () => {});
    this.#open.add(socket);
    observer.connectionOpened(listener);
    socket.on('close', () => {
      this.#open.delete(socket);
      observer.connectionClosed(listener);
    });
    const peer = peerOf(socket);
    if (this.#open.size > limits().connections) {
      this.#refuse(socket, peer, 'overload', 'too many connections at once');
      return;
    }
    const proxy = proxyProtocol();
    // From anyone else a PROXY header is bytes like any others: no TLS, and no HTTP.
    if (proxy?.trusted.contains(peer.address)) this.#awaitHeader(socket, peer, proxy.timeoutMs);
    else this.#admit(socket, peer);
  }

  /** Whose connection it is shows only in the header: until then, it counts among all alone. */
  #awaitHeader(socket: Socket, proxy: Peer, timeoutMs: number): void {
    const refuse = (detail: string): void => this.#refuse(socket, proxy, 'proxy_protocol', detail);
    readFirstBytes(socket, readProxyHeader, timeoutMs, {
      read: (result, bytes) => {
        if (result.status === 'malformed') {
          refuse(result.detail);
          return;
        }
        if (bytes.length > result.length) socket.unshift(bytes.subarray(result.length));
        this.#admit(socket, result.source ?? proxy);
      },
      late: () => refuse('no whole PROXY header came in time'),
      closed: (length) => {
        if (length > 0) refuse('the connection closed within its PROXY header');
        else
          this.#deps.refuse?.(socket, proxy, 'client_abort', 'the connection closed before its PROXY header');
      },
    });
  }

  #admit(socket: Socket, client: Peer): void {
    const release = this.#addresses.take(client.address, this.#deps.limits().connectionsPerAddress);
    if (release === null) {
      this.#refuse(socket, client, 'address_overload', 'too many connections of this address at once');
      return;
    }
    socket.on('close', release);
    this.#deps.accept(socket, client);
  }

  #refuse(socket: Socket, client: Peer, reason: ConnectionRefusal, detail: string): void {
    const { listener, observer, refuse } = this.#deps;
    observer.connectionRefused({ listener, reason, detail, remoteAddress: client.address });
    refuse?.(socket, client, reason, detail);
    socket.destroy();
  }
}

/** The other side of a connection. */
function peerOf(socket: Socket): Peer {
  return { address: plainAddress(socket.remoteAddress ?? ''), port: socket.remotePort ?? 0 };
}

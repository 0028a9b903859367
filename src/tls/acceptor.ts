import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { listenOn } from '../listen.ts';
import type { Observer } from '../observe/observer.ts';
import type { OverloadReason } from '../snapshot/reason.ts';
import type { Limits, ListenAddress } from '../snapshot/snapshot.ts';
import { AddressCounts } from './address-counts.ts';

/** What an acceptor needs of the rest. */
export interface AcceptorDeps {
  /** The listener's name in metrics. */
  readonly listener: string;
  readonly observer: Pick<Observer, 'connectionOpened' | 'connectionClosed' | 'connectionRefused'>;
  /** Most connections open at once, in all and of one address; the next one is closed unread, and told to `refuse`. */
  readonly limits: () => Pick<Limits, 'connections' | 'connectionsPerAddress'>;
  readonly accept: (socket: Socket) => void;
  readonly refuse?: (socket: Socket, reason: OverloadReason) => void;
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
    const { listener, observer, limits } = this.#deps;
    socket.on('error', () => {});
    this.#open.add(socket);
    observer.connectionOpened(listener);
    socket.once('close', () => {
      this.#open.delete(socket);
      observer.connectionClosed(listener);
    });
    if (this.#open.size > limits().connections) this.#refuse(socket, 'overload');
    else if (!this.#count(socket, remoteAddressOf(socket))) this.#refuse(socket, 'address_overload');
    else this.#deps.accept(socket);
  }

  /** Counts a connection under its client's address for as long as it is open; false where that one has enough. */
  #count(socket: Socket, address: string): boolean {
    const release = this.#addresses.take(address, this.#deps.limits().connectionsPerAddress);
    if (release === null) return false;
    socket.once('close', release);
    return true;
  }

  #refuse(socket: Socket, reason: OverloadReason): void {
    const { listener, observer, refuse } = this.#deps;
    observer.connectionRefused({ listener, reason, remoteAddress: remoteAddressOf(socket) });
    refuse?.(socket, reason);
    socket.destroy();
  }
}

/** The address of the other side, as people and policies write it: `::ffff:192.0.2.1` is `192.0.2.1`. */
export function remoteAddressOf(socket: Socket): string {
  const address = socket.remoteAddress ?? '';
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}

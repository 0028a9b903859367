import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { listenOn } from '../listen.ts';
import type { Observer } from '../observe/observer.ts';
import type { ListenAddress } from '../snapshot/snapshot.ts';

/** What an acceptor needs of the rest. */
export interface AcceptorDeps {
  /** The listener's name in metrics. */
  readonly listener: string;
  readonly observer: Pick<Observer, 'connectionOpened' | 'connectionClosed'>;
  /** Most connections open at once; the next one is closed at once, and said to `refuse`. */
  readonly limit: () => number;
  readonly accept: (socket: Socket) => void;
  readonly refuse?: (socket: Socket) => void;
}

/** Accepts TCP connections up to a limit and keeps account of them until they are closed. */
export class Acceptor {
  readonly #deps: AcceptorDeps;
  readonly #server: Server;
  readonly #open = new Set<Socket>();

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
    const { listener, observer } = this.#deps;
    socket.on('error', () => {});
    this.#open.add(socket);
    observer.connectionOpened(listener);
    socket.once('close', () => {
      this.#open.delete(socket);
      observer.connectionClosed(listener);
    });
    if (this.#open.size <= this.#deps.limit()) {
      this.#deps.accept(socket);
      return;
    }
    this.#deps.refuse?.(socket);
    socket.destroy();
  }
}

/** The address of the other side, as people and policies write it: `::ffff:192.0.2.1` is `192.0.2.1`. */
export function remoteAddressOf(socket: Socket): string {
  const address = socket.remoteAddress ?? '';
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}

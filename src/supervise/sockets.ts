import { BoundSocket, type AddressInfo } from 'node:net';
import { ListenError, listenErrorOf } from '../app.ts';
import type { Listeners } from '../snapshot/snapshot.ts';

/**
 * The sockets that all workers listen on, bound here and never accepted from. They are one queue for all: whichever
 * worker is free takes the next connection, and what waits outlives a worker that falls. (A socket of each worker's
 * own would take what waits in it along.)
 */
export class Sockets {
  readonly https: AddressInfo;
  readonly http: AddressInfo | null;
  readonly #https: BoundSocket;
  readonly #http: BoundSocket | null;
  #open = true;

  /** @throws ListenError */
  constructor({ https, http, reusePort }: Listeners) {
    this.#https = bind('https', https, reusePort);
    try {
      this.#http = http === null ? null : bind('http', http, reusePort);
    } catch (error) {
      this.#https.close();
      throw error;
    }
    this.https = this.#https.address();
    this.http = this.#http?.address() ?? null;
  }

  /** File descriptors, to be inherited. */
  get descriptors(): { readonly https: number; readonly http: number | null } {
    return { https: this.#https.fd(), http: this.#http?.fd() ?? null };
  }

  /** Gives them up; they live on for as long as a worker has them. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#https.close();
    this.#http?.close();
  }
}

function bind(
  name: string,
  address: { readonly address: string; readonly port: number },
  reusePort: boolean,
): BoundSocket {
  try {
    return new BoundSocket({ host: address.address, port: address.port, reusePort });
  } catch (error) {
    throw error instanceof ListenError ? error : listenErrorOf(name, address, error);
  }
}

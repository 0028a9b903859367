import type { Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { ListenTarget } from '../listen.ts';
import type { Connection } from '../snapshot/connection.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import type { Steps } from '../steps.ts';
import { Acceptor } from '../tls/acceptor.ts';
import { TlsListener } from '../tls/listener.ts';
import { isLoopback } from './loopback.ts';
import { adminLimits, adminSnapshotOf, sayHttps } from './tls.ts';

/** Nothing is counted here: the metrics are of those whom the program serves. */
const silent = {
  handshake() {},
  connectionOpened() {},
  connectionClosed() {},
  connectionRefused() {},
  ocsp() {},
  staple() {},
};

/**
 * Accepts the admin listener's connections up to its limits, over TLS where it has a certificate, and hands them to its
 * server. TLS is that of the hosts (src/tls), with the listener as the only one: the same proofs, CRLs and limits.
 */
export class AdminFront {
  readonly #server: Server;
  readonly #connections = new WeakMap<Socket, Connection>();
  #listener: Acceptor | TlsListener | null = null;
  #tls: TlsListener | null = null;
  /** The listener's own, of the configuration in force. */
  #snapshot: Snapshot | null = null;
  #loopback = false;

  constructor(server: Server) {
    this.#server = server;
  }

  get isTls(): boolean {
    return this.#tls !== null;
  }

  /** Bound to an address that only this machine reaches. */
  get isLoopback(): boolean {
    return this.#loopback;
  }

  /** What is known of a connection over TLS; null of one without. */
  connectionOf(socket: Socket): Connection | null {
    return this.#connections.get(socket) ?? null;
  }

  /**
   * Makes ready for a configuration, step by step, and gives the switch that puts it in force. Whether there is TLS is a
   * matter of the first one.
   * @throws TlsMaterialError when its certificate or trust store does not load; nothing has changed then.
   */
  *prepareSteps(snapshot: Snapshot): Steps<() => void> {
    const { host } = snapshot.listeners.admin;
    if (host === null || (this.#listener !== null && this.#tls === null)) return () => {};
    const own = adminSnapshotOf(snapshot, host);
    this.#tls ??= this.#createTls();
    const commit = yield* this.#tls.prepareSteps(own);
    return () => {
      commit();
      this.#snapshot = own;
      this.#tls?.staple(own);
    };
  }

  /** Rejects with the system's error (EADDRINUSE, EACCES …). */
  async listen(target: ListenTarget): Promise<AddressInfo> {
    // A server that does not listen itself looks for slow heads only from here on.
    if (this.#listener === null) this.#server.emit('listening');
    const local = isLoopback(target.address);
    this.#listener = this.#tls ?? this.#createPlain(local);
    const bound = await this.#listener.listen(target);
    this.#loopback = isLoopback(bound.address);
    return bound;
  }

  /** Accepts no more; what is open gets `graceMs` to end. Never rejects. */
  async close(graceMs: number): Promise<void> {
    const listener = this.#listener;
    if (listener !== null) {
      const timer = setTimeout(() => listener.destroyConnections(), graceMs);
      const stopped = listener.stop();
      this.#server.closeIdleConnections();
      await stopped;
      clearTimeout(timer);
      this.#server.close(() => {});
    }
    await this.#tls?.close();
  }

  #createTls(): TlsListener {
    return new TlsListener({
      // In force before anything listens.
      snapshot: () => this.#snapshot!,
      observer: silent,
      accept: (socket, connection) => {
        this.#connections.set(socket, connection);
        this.#server.emit('connection', socket);
      },
      acceptPlain: (socket) => sayHttps(socket),
    });
  }

  #createPlain(local: boolean): Acceptor {
    const { connections, connectionsPerAddress } = adminLimits;
    return new Acceptor({
      listener: 'admin',
      observer: silent,
      // All of this machine is one address.
      limits: () => ({ connections, connectionsPerAddress: local ? connections : connectionsPerAddress }),
      proxyProtocol: () => null,
      accept: (socket) => this.#server.emit('connection', socket),
    });
  }
}

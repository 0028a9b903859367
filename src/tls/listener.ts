import type { AddressInfo, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Observer } from '../observe/observer.ts';
import type { Connection } from '../snapshot/connection.ts';
import type { HandshakeFailure } from '../snapshot/reason.ts';
import { hostOfServerName } from '../snapshot/server-name.ts';
import type { Host, ListenAddress, Snapshot } from '../snapshot/snapshot.ts';
import { Acceptor } from './acceptor.ts';
import { AddressCounts } from './address-counts.ts';
import { type HelloResult, readClientHello } from './client-hello.ts';
import { type Incomplete, readFirstBytes } from './first-bytes.ts';
import { outcomeOf } from './handshake-outcome.ts';
import { connectionOfHandshake, judgeHandshake, type Judgement, serverNameHolds } from './handshake.ts';
import { type HandshakeHandlers, HostServers } from './host-servers.ts';
import { OcspLookup } from './ocsp/lookup.ts';
import { Staples } from './ocsp/staples.ts';
import { StatusCheck } from './ocsp/status-check.ts';
import { OcspTransport } from './ocsp/transport.ts';
import { PendingHandshake } from './pending-handshake.ts';
import { ProofMemory, type ProofShare } from './proof-memory.ts';
import type { Steps } from '../steps.ts';
import type { TicketKeys } from './ticket-keys.ts';
import type { Peer } from './proxy-protocol.ts';
import { verdictOfAborted } from './verification.ts';

/** What the listener needs of the rest. */
export interface TlsListenerDeps {
  readonly snapshot: () => Snapshot;
  readonly observer: Pick<
    Observer,
    'handshake' | 'connectionOpened' | 'connectionClosed' | 'connectionRefused' | 'ocsp' | 'staple'
  >;
  /** Takes over a connection whose handshake is complete. */
  readonly accept: (socket: TLSSocket, connection: Connection) => void;
  /** Takes over a connection that opened with plain HTTP, its bytes put back. */
  readonly acceptPlain: (socket: Socket, client: Peer) => void;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** In common with other processes, where there are any. */
  readonly tickets?: TicketKeys;
  readonly proofs?: ProofShare;
}

type FinishedHandshake =
  Parameters<HandshakeHandlers['secure']> extends [unknown, ...infer Rest] ? Rest : never;

/** Fatal alerts, each a whole record (RFC 8446 §6, RFC 6066 §3 for unrecognized_name). */
const alerts = {
  decodeError: Buffer.from([21, 3, 3, 0, 2, 2, 50]),
  unrecognizedName: Buffer.from([21, 3, 3, 0, 2, 2, 112]),
} as const;

/** Accepts TCP, reads the ClientHello, runs the handshake of its host, and hands over what comes of it. */
export class TlsListener {
  readonly #deps: TlsListenerDeps;
  readonly #acceptor: Acceptor;
  readonly #hosts: HostServers;
  readonly #pending = new Map<Socket, PendingHandshake>();
  readonly #handshakes = new AddressCounts();
  readonly #proofs: ProofMemory;
  readonly #responders = new OcspTransport();
  readonly #status: StatusCheck;
  readonly #staples: Staples;
  readonly #now: () => number;

  constructor(deps: TlsListenerDeps) {
    this.#deps = deps;
    this.#now = deps.now ?? Date.now;
    this.#proofs = new ProofMemory(undefined, deps.proofs);
    this.#status = new StatusCheck(new OcspLookup(this.#responders, this.#now), this.#now);
    this.#staples = new Staples({
      transport: this.#responders,
      tell: (event) => deps.observer.staple(event),
      now: this.#now,
    });
    this.#hosts = new HostServers(
      {
        secure: (...finished) => this.#secure(...finished),
        failed: (error, socket) => this.#failed(error, socket),
        staple: (hostId) => this.#staples.of(hostId),
      },
      this.#now,
      deps.tickets,
    );
    this.#acceptor = new Acceptor({
      listener: 'https',
      observer: deps.observer,
      limits: () => deps.snapshot().limits,
      proxyProtocol: () => deps.snapshot().listeners.https.proxyProtocol,
      accept: (socket, client) => this.#accept(socket, client),
      refuse: (socket, client, ...why) => this.#open(socket, client).reject(...why),
    });
  }

  /**
   * Loads a snapshot's certificates and trust stores and gives back the switch that puts them in force.
   * @throws TlsMaterialError when some do not load; nothing has changed then.
   */
  prepare(snapshot: Snapshot): () => void {
    return this.#hosts.prepare(snapshot);
  }

  /** `prepare`, step by step. */
  prepareSteps(snapshot: Snapshot): Steps<() => void> {
    return this.#hosts.prepareSteps(snapshot);
  }

  /** Keeps what is stapled to certificates as a snapshot says that now serves. */
  staple(snapshot: Snapshot): void {
    this.#staples.update(snapshot);
  }

  /** Rejects with the system's error (EADDRINUSE, EACCES …). */
  listen(address: ListenAddress): Promise<AddressInfo> {
    return this.#acceptor.listen(address);
  }

  /** Connections accepted and not yet closed, handshakes included. */
  get openConnections(): number {
    return this.#acceptor.openConnections;
  }

  /** Stops accepting. Resolves when the last open connection is gone. */
  stop(): Promise<void> {
    return this.#acceptor.stop();
  }

  /** Ends every connection at once. */
  destroyConnections(): void {
    this.#acceptor.destroyConnections();
  }

  /** Asks no responder any more. What it was being asked fails. */
  close(): Promise<void> {
    this.#staples.close();
    return this.#responders.close();
  }

  #open(socket: Socket, client: Peer): PendingHandshake {
    return new PendingHandshake(socket, client, { observer: this.#deps.observer, now: this.#now });
  }

  #accept(socket: Socket, client: Peer): void {
    const { limits } = this.#deps.snapshot();
    const pending = this.#open(socket, client);
    if (this.#pending.size >= limits.handshakes) {
      pending.reject('overload', 'too many handshakes at once');
      socket.destroy();
      return;
    }
    const release = this.#handshakes.take(pending.remoteAddress, limits.handshakesPerAddress);
    if (release === null) {
      pending.reject('address_overload', 'too many handshakes of this address at once');
      socket.destroy();
      return;
    }
    this.#pending.set(socket, pending);
    pending.onSettled = () => {
      this.#pending.delete(socket);
      release();
    };
    pending.deadline = setTimeout(() => this.#late(pending), limits.handshakeTimeoutMs);
    socket.on('close', () => {
      if (pending.settled) return;
      // TLS may know better why it ended, and says so just behind this.
      setImmediate(() =>
        pending.reject('client_abort', 'the client closed the connection during the handshake'),
      );
    });
    readFirstBytes(socket, readClientHello, null, {
      read: (result, bytes) => this.#recognise(pending, result, bytes),
    });
  }

  #late(pending: PendingHandshake): void {
    const what = pending.hello === null ? 'no whole ClientHello came' : 'the handshake was not complete';
    pending.reject('timeout', `${what} in time`);
    pending.socket.destroy();
  }

  #recognise(pending: PendingHandshake, result: Exclude<HelloResult, Incomplete>, bytes: Buffer): void {
    switch (result.status) {
      case 'hello':
        pending.hello = result.hello;
        this.#startHandshake(pending, result.hello.serverName, bytes);
        return;
      case 'not_tls':
        this.#plain(pending, bytes);
        return;
      case 'malformed':
        this.#refuse(pending, 'protocol', result.detail, alerts.decodeError);
        return;
    }
  }

  #startHandshake(pending: PendingHandshake, serverName: string | null, bytes: Buffer): void {
    pending.serverName = serverName;
    const found = hostOfServerName(this.#deps.snapshot(), serverName);
    if ('refused' in found) {
      this.#refuse(pending, found.refused, found.detail, alerts.unrecognizedName);
      return;
    }
    pending.host = found.host;
    pending.serverNameMatched = found.matched;
    pending.socket.unshift(bytes);
    this.#hosts.accept(pending.socket, pending.host.id);
  }

  #plain(pending: PendingHandshake, bytes: Buffer): void {
    pending.reject('protocol', 'the first bytes are no TLS record');
    // Only what looks like the start of a request line gets an answer in HTTP.
    if (/^[A-Z]/.test(String.fromCharCode(bytes[0]!))) {
      pending.socket.unshift(bytes);
      const { remoteAddress: address, remotePort: port } = pending;
      this.#deps.acceptPlain(pending.socket, { address, port });
    } else pending.socket.destroy();
  }

  #secure(...[socket, stores, renewTickets]: Parameters<HandshakeHandlers['secure']>): void {
    socket.on('error', () => {});
    const pending = this.#pendingOf(socket);
    if (pending === null || pending.host === null || pending.settled) {
      socket.destroy();
      return;
    }
    // What is left to do has a limit of its own.
    clearTimeout(pending.deadline);
    if (!serverNameHolds(socket, pending.serverName)) {
      pending.reject('protocol', 'the server name changed during the handshake');
      socket.destroy();
      return;
    }
    const certificate =
      this.#proofs.shared && socket.isSessionReused() ? socket.getPeerX509Certificate() : undefined;
    // What another process proved. Its client's next bytes wait in the socket.
    const fetched =
      certificate === undefined
        ? []
        : stores.flatMap(
            ({ trust }) =>
              this.#proofs.fetch(trust.key, certificate.fingerprint256.replaceAll(':', '').toLowerCase()) ??
              [],
          );
    if (fetched.length === 0) this.#judge(socket, pending, stores, renewTickets);
    else void Promise.all(fetched).then(() => this.#judge(socket, pending, stores, renewTickets));
  }

  #judge(socket: TLSSocket, pending: PendingHandshake, ...[stores, renewTickets]: FinishedHandshake): void {
    const { host } = pending;
    if (host === null || pending.settled || socket.destroyed) {
      socket.destroy();
      return;
    }
    const judgement = judgeHandshake(socket, {
      stores,
      proofs: this.#proofs,
      trusts: host.clientAuth.trusts,
      now: this.#now(),
    });
    if (!(judgement instanceof Promise) && judgement.issuers.size === 0) {
      this.#judged(socket, host, pending, judgement, renewTickets);
      return;
    }
    const timer = setTimeout(() => {
      pending.reject('timeout', 'the certificate was not verified in time');
      socket.destroy();
    }, this.#deps.snapshot().limits.handshakeTimeoutMs);
    Promise.resolve(judgement)
      .then((proven) => this.#askAbout(socket, host, pending, stores, proven))
      .then((whole) => this.#judged(socket, host, pending, whole, renewTickets))
      .catch((error: unknown) => {
        pending.reject('protocol', `the certificate could not be verified: ${firstLine(String(error))}`);
        socket.destroy();
      })
      .finally(() => clearTimeout(timer));
  }

  /** Only now that the chain is proven: whom to ask stands in it. */
  #askAbout(
    socket: TLSSocket,
    host: Host,
    pending: PendingHandshake,
    stores: FinishedHandshake[0],
    judgement: Judgement,
  ): Judgement | Promise<Judgement> {
    if (judgement.issuers.size === 0 || pending.settled || socket.destroyed) return judgement;
    const certificate = socket.getPeerX509Certificate();
    if (certificate === undefined) throw new Error('the certificate is gone');
    const { remoteAddress } = pending;
    const { identity } = judgement;
    return this.#status.complete(judgement, certificate, stores, (facts) =>
      this.#deps.observer.ocsp({ host: host.id, remoteAddress, identity, ...facts }),
    );
  }

  #judged(
    socket: TLSSocket,
    host: Host,
    pending: PendingHandshake,
    judgement: Judgement,
    renewTickets: () => void,
  ): void {
    if (judgement.forgotten) renewTickets();
    // It ended while it was judged; why has been told.
    if (pending.settled || socket.destroyed) {
      socket.destroy();
      return;
    }
    const connection = connectionOfHandshake(socket, host, pending, judgement);
    const { accepted, reason, detail } = outcomeOf(host, connection, judgement.forgotten, this.#now());
    pending.settle(accepted ? 'accepted' : 'rejected', reason, {
      tlsVersion: connection.tlsVersion,
      cipher: connection.cipher,
      resumed: connection.resumed,
      identity: connection.identity,
      detail,
    });
    if (!accepted && host.clientAuth.strict) {
      socket.destroy();
      return;
    }
    this.#deps.accept(socket, connection);
  }

  #failed(error: NodeJS.ErrnoException, socket: TLSSocket): void {
    const pending = this.#pendingOf(socket);
    if (pending !== null) {
      const verdict = pending.host?.clientAuth.strict === true ? verdictOfAborted(socket) : null;
      if (verdict?.status === 'failed')
        pending.settle('rejected', verdict.reason, { detail: verdict.detail });
      else pending.reject(failureOf(error), `${error.code ?? 'error'}: ${firstLine(error.message)}`);
    }
    socket.destroy();
  }

  /** Refuses with an alert, before any handshake. */
  #refuse(pending: PendingHandshake, reason: HandshakeFailure, detail: string, alert: Buffer): void {
    const { socket } = pending;
    pending.reject(reason, detail);
    socket.end(alert, () => socket.destroy());
  }

  /**
   * The TCP connection below a TLS one. Node offers no public way from one to the other where the handshake
   * failed; `_parent` has been there from Node 20 to 26, and without it the connection is destroyed.
   */
  #pendingOf(socket: TLSSocket): PendingHandshake | null {
    const { _parent: raw } = socket as TLSSocket & { readonly _parent?: Socket };
    return raw === undefined ? null : (this.#pending.get(raw) ?? null);
  }
}

function failureOf(error: NodeJS.ErrnoException): HandshakeFailure | 'no_certificate' {
  switch (error.code) {
    case 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE':
      return 'no_certificate';
    case 'ECONNRESET':
    case 'EPIPE':
      return 'client_abort';
    default:
      return 'protocol';
  }
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0]!.slice(0, 300);
}

import { constants, createHash, randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { Server, type TLSSocket, type TlsOptions } from 'node:tls';
import type { Host, Snapshot } from '../snapshot/snapshot.ts';
import { TrustStore } from './trust-store.ts';
import { cryptoOptions } from './crypto-settings.ts';

/** A host's certificate or trust store that TLS will not take. The old settings stay in force. */
export class TlsMaterialError extends Error {
  /** `Host.id`. */
  readonly host: string;

  constructor(host: string, cause: unknown) {
    super(`${host}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.name = 'TlsMaterialError';
    this.host = host;
  }
}

/** Told how handshakes end. */
export interface HandshakeHandlers {
  /**
   * @param trust What the certificate was verified against; null where none was asked for.
   * @param renewTickets Makes all tickets worthless that the host has given out.
   */
  secure(socket: TLSSocket, trust: TrustStore | null, renewTickets: () => void): void;
  failed(error: NodeJS.ErrnoException, socket: TLSSocket): void;
}

/** Milliseconds for which a ticket key serves. Node knows one key at a time: its tickets end with it. */
export const ticketKeyPeriod = 3_600_000;

/** Seconds for which a session can be resumed: nginx's ssl_session_timeout as ingress-nginx sets it. */
const sessionTimeout = 600;

interface HostServer {
  /** What of the snapshot its settings were made from. */
  readonly key: string;
  readonly server: Server;
  /** When its ticket key is due to be replaced, in milliseconds since 1970; Infinity without tickets. */
  ticketKeyUntil: number;
}

/**
 * One `tls.Server` per host, none of which listens: connections are handed to them once their ClientHello
 * has named the host. So each host asks for certificates by its own mode, against its own trust store, and
 * shares neither session nor ticket with another: ticket keys are random, its own, and gone with its settings
 * (rule 10).
 */
export class HostServers {
  readonly #handlers: HandshakeHandlers;
  readonly #now: () => number;
  #servers = new Map<string, HostServer>();

  /** @param now Milliseconds since 1970. */
  constructor(handlers: HandshakeHandlers, now: () => number = Date.now) {
    this.#handlers = handlers;
    this.#now = now;
  }

  /**
   * Makes ready for a snapshot; servers whose settings are unchanged are kept. All or nothing.
   * @throws TlsMaterialError for the first host whose material does not load; nothing has changed then.
   */
  prepare(snapshot: Snapshot): () => void {
    const servers = new Map<string, HostServer>();
    for (const host of snapshot.hosts.all) {
      const key = settingsKey(host, snapshot);
      const kept = this.#servers.get(host.id);
      servers.set(host.id, kept?.key === key ? kept : this.#create(key, host, snapshot));
    }
    return () => {
      this.#servers = servers;
    };
  }

  /** Runs the handshake for a connection whose bytes have been put back. */
  accept(socket: Socket, hostId: string): void {
    const entry = this.#servers.get(hostId);
    if (entry === undefined) throw new Error(`no TLS settings for host ${hostId}`);
    if (this.#now() >= entry.ticketKeyUntil) this.#renewTickets(entry);
    entry.server.emit('connection', socket);
  }

  #create(key: string, host: Host, snapshot: Snapshot): HostServer {
    try {
      const { clientAuth } = host;
      const trust = clientAuth.mode === 'off' ? null : new TrustStore(clientAuth.ca, clientAuth.crl);
      const server = new Server(tlsOptions(host, snapshot, trust));
      const ticketKeyUntil = snapshot.sessionTickets ? this.#now() + ticketKeyPeriod : Infinity;
      const entry: HostServer = { key, server, ticketKeyUntil };
      server.on('secureConnection', (socket) =>
        this.#handlers.secure(socket, trust, () => this.#renewTickets(entry)),
      );
      server.on('tlsClientError', (error, socket) => this.#handlers.failed(error, socket));
      return entry;
    } catch (error) {
      throw new TlsMaterialError(host.id, error);
    }
  }

  #renewTickets(entry: HostServer): void {
    entry.server.setTicketKeys(randomBytes(48));
    entry.ticketKeyUntil = this.#now() + ticketKeyPeriod;
  }
}

function tlsOptions(host: Host, snapshot: Snapshot, trust: TrustStore | null): TlsOptions {
  const { clientAuth } = host;
  const options: TlsOptions = {
    cert: host.certificate.cert,
    key: host.certificate.key,
    ...cryptoOptions(snapshot.crypto),
    minVersion: snapshot.minVersion,
    ALPNProtocols: ['http/1.1'],
    handshakeTimeout: snapshot.limits.handshakeTimeoutMs,
    honorCipherOrder: true,
    secureOptions:
      constants.SSL_OP_NO_RENEGOTIATION | (snapshot.sessionTickets ? 0 : constants.SSL_OP_NO_TICKET),
    ticketKeys: randomBytes(48),
    sessionTimeout,
    sessionIdContext: createHash('sha256').update(`${host.id} ${clientAuth.key}`).digest('hex').slice(0, 32),
    requestCert: clientAuth.mode !== 'off',
    rejectUnauthorized: clientAuth.strict,
  };
  if (trust === null) return options;
  options.ca = trust.certificates.map(String);
  if (clientAuth.crl !== null) options.crl = clientAuth.crl;
  return options;
}

function settingsKey(host: Host, snapshot: Snapshot): string {
  return createHash('sha256')
    .update(
      JSON.stringify([
        host.certificate,
        snapshot.crypto,
        host.clientAuth.key,
        snapshot.minVersion,
        snapshot.sessionTickets,
        snapshot.limits.handshakeTimeoutMs,
      ]),
    )
    .digest('hex');
}

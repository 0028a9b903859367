import { constants, createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import { Server, type TLSSocket, type TlsOptions } from 'node:tls';
import type { Host, Snapshot } from '../snapshot/snapshot.ts';
import { finish, type Steps } from '../steps.ts';
import { LoadedStore } from './loaded-store.ts';
import { TicketKeys, ticketKeyPeriod } from './ticket-keys.ts';
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
   * @param stores What to verify the certificate against; empty where none was asked for.
   * @param renewTickets Makes all tickets worthless that the host has given out.
   */
  secure(socket: TLSSocket, stores: readonly LoadedStore[], renewTickets: () => void): void;
  failed(error: NodeJS.ErrnoException, socket: TLSSocket): void;
  /** The OCSP response to staple for a host (`Host.id`) that staples; null: none. */
  staple(hostId: string): Buffer | null;
}

/** Seconds for which a session can be resumed: nginx's ssl_session_timeout as ingress-nginx sets it. */
const sessionTimeout = 600;

interface HostServer {
  /** A host that is this very object has the same settings, as long as `common` is the same. */
  readonly host: Host;
  readonly common: string;
  /** What of the snapshot its settings were made from. */
  readonly key: string;
  readonly server: Server;
  /** Of its ticket key among those of all hosts: changes with its settings. */
  readonly ticketName: string;
  /** `TicketKeys.version` at which its key was set. */
  ticketVersion: number;
}

/**
 * One `tls.Server` per host, none of which listens: connections are handed to them once their ClientHello
 * has named the host. So each host asks for certificates by its own mode, against its own trust store, and
 * shares neither session nor ticket with another: ticket keys are its own, and gone with its settings
 * (rule 10).
 */
export class HostServers {
  readonly #handlers: HandshakeHandlers;
  readonly #now: () => number;
  readonly #tickets: TicketKeys;
  /** When the ticket keys are due to be replaced, in milliseconds since 1970; never here where they are in common. */
  #ticketsUntil: number;
  #servers = new Map<string, HostServer>();

  /** @param now Milliseconds since 1970. */
  constructor(
    handlers: HandshakeHandlers,
    now: () => number = Date.now,
    tickets: TicketKeys = new TicketKeys(),
  ) {
    this.#handlers = handlers;
    this.#now = now;
    this.#tickets = tickets;
    this.#ticketsUntil = tickets.common ? Infinity : now() + ticketKeyPeriod;
  }

  /**
   * Makes ready for a snapshot; servers whose settings are unchanged are kept. All or nothing.
   * @throws TlsMaterialError for the first host whose material does not load; nothing has changed then.
   */
  prepare(snapshot: Snapshot): () => void {
    return finish(this.prepareSteps(snapshot));
  }

  /** `prepare`, step by step; handshakes may go on in between, with the settings as they are. One at a time. */
  *prepareSteps(snapshot: Snapshot): Steps<() => void> {
    const servers = new Map<string, HostServer>();
    const common = commonSettings(snapshot);
    for (const host of snapshot.hosts.all) {
      const kept = this.#servers.get(host.id);
      if (kept !== undefined && kept.common === common && kept.host === host) {
        servers.set(host.id, kept);
        yield;
        continue;
      }
      const key = settingsKey(host, common);
      servers.set(host.id, kept?.key === key ? { ...kept, host } : this.#create(key, common, host, snapshot));
      yield;
    }
    return () => {
      this.#servers = servers;
    };
  }

  /** Runs the handshake for a connection whose bytes have been put back. */
  accept(socket: Socket, hostId: string): void {
    const entry = this.#servers.get(hostId);
    if (entry === undefined) throw new Error(`no TLS settings for host ${hostId}`);
    this.#keepTicketKey(entry);
    entry.server.emit('connection', socket);
  }

  #create(key: string, common: string, host: Host, snapshot: Snapshot): HostServer {
    try {
      const { clientAuth } = host;
      const stores = clientAuth.stores.map((trust) => new LoadedStore(trust));
      const ticketName = createHash('sha256')
        .update(JSON.stringify([host.id, key]))
        .digest('hex');
      const ticketVersion = this.#tickets.version;
      const server = new Server(tlsOptions(host, snapshot, stores, this.#tickets.key(ticketName)));
      const entry: HostServer = { host, common, key, server, ticketName, ticketVersion };
      server.on('secureConnection', (socket) =>
        this.#handlers.secure(socket, stores, () => this.#tickets.renew(ticketName)),
      );
      if (host.stapling !== null) {
        server.on(
          'OCSPRequest',
          (_certificate, _issuer, answer: (error: null, response: Buffer | null) => void) =>
            answer(null, this.#handlers.staple(host.id)),
        );
      }
      server.on('tlsClientError', (error, socket) => this.#handlers.failed(error, socket));
      return entry;
    } catch (error) {
      throw new TlsMaterialError(host.id, error);
    }
  }

  /** Keys are set when they are next needed: there may be thousands of hosts, and few of them in use. */
  #keepTicketKey(entry: HostServer): void {
    const tickets = this.#tickets;
    if (this.#now() >= this.#ticketsUntil) {
      tickets.replaceAll();
      this.#ticketsUntil = this.#now() + ticketKeyPeriod;
    }
    if (entry.ticketVersion === tickets.version) return;
    entry.server.setTicketKeys(tickets.key(entry.ticketName));
    entry.ticketVersion = tickets.version;
  }
}

function tlsOptions(
  host: Host,
  snapshot: Snapshot,
  stores: readonly LoadedStore[],
  ticketKeys: Buffer,
): TlsOptions {
  const { clientAuth } = host;
  const options: TlsOptions = {
    cert: host.certificate.cert,
    key: host.certificate.key,
    ...cryptoOptions(snapshot.crypto),
    minVersion: snapshot.minVersion,
    ALPNProtocols: ['http/1.1'],
    // None of its own, which would be a second timer: the listener's runs from the connection's start.
    handshakeTimeout: -1,
    honorCipherOrder: true,
    secureOptions:
      constants.SSL_OP_NO_RENEGOTIATION | (snapshot.sessionTickets ? 0 : constants.SSL_OP_NO_TICKET),
    ticketKeys,
    sessionTimeout,
    sessionIdContext: createHash('sha256')
      .update(`${host.id} ${clientAuth.handshakeKey}`)
      .digest('hex')
      .slice(0, 32),
    requestCert: stores.length > 0,
    // With several trust stores the handshake's own verdict is on none of them: the listener ends it then.
    rejectUnauthorized: clientAuth.strict && stores.length === 1,
  };
  const [only] = stores;
  if (only === undefined) return options;
  options.ca = [...new Set(stores.flatMap((store) => store.certificates.certificates.map(String)))];
  if (stores.length > 1) {
    // What does not load is told now and not at a client's handshake.
    for (const store of stores) void store.context;
  }
  return options;
}

function settingsKey({ certificate, stapling, clientAuth }: Host, common: string): string {
  return createHash('sha256')
    .update(JSON.stringify([certificate, stapling !== null, clientAuth.handshakeKey, common]))
    .digest('hex');
}

/** The settings that all hosts have in common. */
function commonSettings({ crypto, minVersion, sessionTickets }: Snapshot): string {
  return JSON.stringify([crypto, minVersion, sessionTickets]);
}

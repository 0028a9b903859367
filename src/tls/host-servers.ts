import { constants, createHash, X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import { Server, type TLSSocket, type TlsOptions } from 'node:tls';
import { blocksFor } from '../config/pem.ts';
import type { Host, Snapshot } from '../snapshot/snapshot.ts';

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
  secure(socket: TLSSocket): void;
  failed(error: NodeJS.ErrnoException, socket: TLSSocket): void;
}

/**
 * One `tls.Server` per host, none of which listens: connections are handed to them once their ClientHello
 * has named the host. So each host asks for certificates by its own mode, against its own trust store, and
 * shares neither session nor ticket with another (rule 10).
 */
export class HostServers {
  readonly #handlers: HandshakeHandlers;
  #servers = new Map<string, { readonly key: string; readonly server: Server }>();

  constructor(handlers: HandshakeHandlers) {
    this.#handlers = handlers;
  }

  /**
   * Makes ready for a snapshot; servers whose settings are unchanged are kept. All or nothing.
   * @throws TlsMaterialError for the first host whose material does not load; nothing has changed then.
   */
  prepare(snapshot: Snapshot): () => void {
    const servers = new Map<string, { readonly key: string; readonly server: Server }>();
    for (const host of snapshot.hosts.all) {
      const key = settingsKey(host, snapshot);
      const kept = this.#servers.get(host.id);
      servers.set(host.id, kept?.key === key ? kept : { key, server: this.#create(host, snapshot) });
    }
    return () => {
      this.#servers = servers;
    };
  }

  /** Runs the handshake for a connection whose bytes have been put back. */
  accept(socket: Socket, hostId: string): void {
    const entry = this.#servers.get(hostId);
    if (entry === undefined) throw new Error(`no TLS settings for host ${hostId}`);
    entry.server.emit('connection', socket);
  }

  #create(host: Host, snapshot: Snapshot): Server {
    try {
      const server = new Server(tlsOptions(host, snapshot));
      server.on('secureConnection', (socket) => this.#handlers.secure(socket));
      server.on('tlsClientError', (error, socket) => this.#handlers.failed(error, socket));
      return server;
    } catch (error) {
      throw new TlsMaterialError(host.id, error);
    }
  }
}

function tlsOptions(host: Host, snapshot: Snapshot): TlsOptions {
  const { clientAuth } = host;
  const options: TlsOptions = {
    cert: host.certificate.cert,
    key: host.certificate.key,
    minVersion: snapshot.minVersion,
    ALPNProtocols: ['http/1.1'],
    handshakeTimeout: snapshot.limits.handshakeTimeoutMs,
    honorCipherOrder: true,
    // Sessions are never resumed: what a handshake proved is then always this connection's own (rule 10).
    secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
    sessionIdContext: createHash('sha256').update(`${host.id} ${clientAuth.key}`).digest('hex').slice(0, 32),
    requestCert: clientAuth.mode !== 'off',
    rejectUnauthorized: clientAuth.strict,
  };
  if (clientAuth.mode === 'off') return options;
  options.ca = trustedCertificates(clientAuth.ca);
  if (clientAuth.crl !== null) options.crl = clientAuth.crl;
  return options;
}

/**
 * The trust store, certificate by certificate. Node takes a `ca` that does not parse without a word, and for an
 * empty one it trusts the public CAs of the web (rule 1).
 */
function trustedCertificates(ca: string | null): string[] {
  const certificates = blocksFor('ca', ca ?? '');
  if (certificates.length === 0) throw new Error('the trust store holds no certificate');
  return certificates.map((pem) => new X509Certificate(pem).toString());
}

function settingsKey(host: Host, snapshot: Snapshot): string {
  return createHash('sha256')
    .update(
      JSON.stringify([
        host.certificate,
        host.clientAuth.key,
        snapshot.minVersion,
        snapshot.limits.handshakeTimeoutMs,
      ]),
    )
    .digest('hex');
}

import { connect as connectTcp, isIP, type Socket } from 'node:net';
import {
  checkServerIdentity,
  connect as connectTls,
  type ConnectionOptions,
  createSecureContext,
  getCACertificates,
} from 'node:tls';
import type { Endpoint, UpstreamTls } from '../../snapshot/snapshot.ts';
import { Deadline } from './deadline.ts';
import { failure, failureFrom } from './failure.ts';
import type { UpstreamFailure } from './outbound.ts';

/** Opens connections to one endpoint, all under the same TLS settings. */
export interface Dialer {
  /**
   * Resolves the name, connects, and for TLS shakes hands and verifies; all of it within `timeoutMs`.
   * `done` is called once and never before this returns; not at all after the returned function, which gives up.
   *
   * @param reader Takes what the socket reads, in place of its `data` event.
   */
  dial(
    timeoutMs: number,
    done: (failure: UpstreamFailure | null, socket: Socket | null) => void,
    reader?: SocketReader,
  ): () => void;
}

/**
 * Takes what a socket reads. Of a plain socket that is what stands in one buffer for all: nothing of it may be kept. A
 * buffer of its own for each read, 64 KiB of which most is cut off again, kept the garbage collector busy.
 */
export class SocketReader {
  /** Bytes that are overwritten when this returns. */
  take: (bytes: Buffer) => void = () => {};

  /** For `net.connect`. */
  get onread(): { buffer: Buffer; callback: (length: number, buffer: Uint8Array) => boolean } {
    return {
      buffer: readBuffer,
      callback: (length) => {
        this.take(readBuffer.subarray(0, length));
        return true;
      },
    };
  }
}

const readBuffer = Buffer.allocUnsafeSlow(64 * 1024);

/** Names are resolved by the system at every connect; both families are tried (RFC 8305). */
export function createDialer(endpoint: Endpoint, tls: UpstreamTls | null): Dialer {
  const { address: host, port, name } = endpoint;
  const base = { host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 };
  let options: ConnectionOptions | null = null;
  return {
    dial(timeoutMs, done, reader) {
      let socket: Socket;
      try {
        options ??= tls === null ? {} : tlsOptions(tls, host);
        if (tls !== null) {
          socket = connectTls({ ...options, ...base });
          if (reader !== undefined) socket.on('data', (bytes: Buffer) => reader.take(bytes));
        } else socket = connectTcp(reader === undefined ? base : { ...base, onread: reader.onread });
      } catch (error) {
        // A certificate or CA that OpenSSL does not read. Nothing is sent without it (rule 1).
        const immediate = setImmediate(() => done(failureFrom('upstream_tls', error), null));
        return () => clearImmediate(immediate);
      }
      return settle(socket, tls !== null, name, timeoutMs, done);
    },
  };
}

function settle(
  socket: Socket,
  secure: boolean,
  name: string,
  timeoutMs: number,
  done: (failure: UpstreamFailure | null, socket: Socket | null) => void,
): () => void {
  let connected = false;
  let settled = false;

  const finish = (reason: UpstreamFailure | null): void => {
    if (settled) return;
    settled = true;
    deadline.stop();
    if (reason === null) return done(null, socket);
    socket.destroy();
    done(reason, null);
  };
  const deadline = new Deadline(() => {
    const what = connected ? 'no TLS handshake' : 'no connection';
    finish(failure('upstream_connect_timeout', `${what} with ${name} within ${timeoutMs} ms`));
  });

  deadline.start(timeoutMs);
  // Stays for the socket's life: an error that nobody else listens for must not end the process.
  socket.on('error', (error) => {
    finish(failureFrom(connected && secure ? 'upstream_tls' : 'upstream_refused', error));
  });
  socket.once('connect', () => {
    connected = true;
    if (!secure) finish(null);
  });
  if (secure) socket.once('secureConnect', () => finish(null));
  return () => {
    if (settled) return;
    settled = true;
    deadline.stop();
    socket.destroy();
  };
}

/**
 * Verified by default (rule 8). Every upstream has its own secure context, so one identity and one set of CAs; and no
 * session is ever kept, since a resumed one skips the check of the name and may carry another identity
 * (CVE-2026-56850, CVE-2026-48934, CVE-2026-58040). Pooled connections make handshakes rare enough.
 */
function tlsOptions(tls: UpstreamTls, host: string): ConnectionOptions {
  const name = tls.serverName ?? host;
  return {
    secureContext: createSecureContext({
      ca: tls.ca ?? systemCertificates(),
      ...(tls.cert === null || tls.key === null ? {} : { cert: tls.cert, key: tls.key }),
      minVersion: tls.minVersion,
      maxVersion: tls.maxVersion,
      ...(tls.ciphers === null ? {} : { ciphers: tls.ciphers.join(':') }),
    }),
    // RFC 6066 §3: addresses are not sent as server names.
    servername: tls.sendServerName && isIP(name) === 0 ? name : '',
    checkServerIdentity: (_host, certificate) => checkServerIdentity(name, certificate),
    rejectUnauthorized: tls.verify,
    ALPNProtocols: ['http/1.1'],
  };
}

/** The system's store, or where it is empty, as in the smallest images, the CAs that come with Node. */
function systemCertificates(): string[] {
  const system = getCACertificates('system');
  return system.length > 0 ? system : getCACertificates('bundled');
}

import type { TLSSocket } from 'node:tls';
import type { Connection } from '../snapshot/connection.ts';
import type { Host } from '../snapshot/snapshot.ts';
import { readIdentity } from './identity-reader.ts';
import type { Identity } from './identity.ts';
import type { Verdict } from './verdict.ts';
import { refuseDeepChain, verdictOfSocket } from './verification.ts';

/** What was known before the handshake. */
export interface Accepted {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localPort: number;
  readonly serverName: string | null;
  readonly serverNameMatched: boolean;
}

/** Reads the facts of a finished handshake, once: the Connection that every later decision is made from. */
export function connectionOfHandshake(socket: TLSSocket, host: Host, accepted: Accepted): Connection {
  const { clientAuth } = host;
  const { verdict, identity } = judge(socket, host);
  return Object.freeze({
    listener: 'https',
    remoteAddress: accepted.remoteAddress,
    remotePort: accepted.remotePort,
    localPort: accepted.localPort,
    serverName: accepted.serverName,
    hostId: host.id,
    serverNameMatched: accepted.serverNameMatched,
    trustKey: clientAuth.key,
    verdict,
    identity,
    tlsVersion: socket.getProtocol(),
    cipher: socket.getCipher().name,
    resumed: socket.isSessionReused(),
  });
}

function judge(socket: TLSSocket, { clientAuth }: Host): { verdict: Verdict; identity: Identity | null } {
  const verdict = verdictOfSocket(socket, clientAuth.mode !== 'off');
  if (verdict.status === 'none') return { verdict, identity: null };
  const identity = identityOf(socket);
  if (identity === null) {
    const detail = 'the certificate could not be read';
    return {
      verdict: { status: 'failed', reason: 'malformed_cert', detail, untrustedOnly: false },
      identity,
    };
  }
  // The purpose of a chain's length is to bound whom a CA can vouch for: it only narrows a success.
  const deep = verdict.status === 'success' ? refuseDeepChain(socket, clientAuth) : null;
  return { verdict: deep ?? verdict, identity };
}

/** A certificate that OpenSSL takes and our stricter reader does not is no identity. */
function identityOf(socket: TLSSocket): Identity | null {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return null;
  try {
    return readIdentity(certificate.raw);
  } catch {
    return null;
  }
}

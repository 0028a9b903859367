import type { Socket } from 'node:net';
import { nothingJudged, type Connection } from '../snapshot/connection.ts';
import type { Peer } from '../tls/proxy-protocol.ts';

/** A connection without TLS: of no host, and nothing is known of who it is but an address. */
export function plainConnection(
  listener: Connection['listener'],
  socket: Pick<Socket, 'localPort'>,
  client: Peer,
): Connection {
  return Object.freeze({
    listener,
    remoteAddress: client.address,
    remotePort: client.port,
    localPort: socket.localPort ?? 0,
    serverName: null,
    hostId: null,
    serverNameMatched: false,
    trustKey: null,
    judged: nothingJudged,
    identity: null,
    tlsVersion: null,
    cipher: null,
    resumed: false,
  });
}

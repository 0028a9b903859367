import type { Socket } from 'node:net';
import { evaluate } from '../policy/evaluate.ts';
import type { Policy } from '../policy/policy.ts';
import { deniedBy } from '../policy/deny-list.ts';
import { type Connection, verdictFor } from '../snapshot/connection.ts';
import { createHostTable } from '../snapshot/host-table.ts';
import type { Host, Limits, Snapshot } from '../snapshot/snapshot.ts';
import type { Identity } from '../tls/identity.ts';

/** Half of a mebibyte of connections at the most, and no address has them all. */
export const adminLimits = Object.freeze({ connections: 128, connectionsPerAddress: 32 });

const limits: Pick<
  Limits,
  'connections' | 'connectionsPerAddress' | 'handshakes' | 'handshakesPerAddress' | 'handshakeTimeoutMs'
> = { ...adminLimits, handshakes: 32, handshakesPerAddress: 8, handshakeTimeoutMs: 10_000 };

/**
 * A snapshot of the admin listener's host alone: what TLS needs for a listener, whatever name it is asked for by. Its
 * sessions are not resumed, so that every connection's certificate is seen and proven whole.
 */
export function adminSnapshotOf(snapshot: Snapshot, host: Host): Snapshot {
  return Object.freeze({
    ...snapshot,
    hosts: createHostTable([host]),
    defaultHost: host,
    standIn: { unknown: 'default', absent: 'default' },
    sessionTickets: false,
    limits: { ...snapshot.limits, ...limits },
    listeners: {
      ...snapshot.listeners,
      https: { ...snapshot.listeners.admin, proxyProtocol: null },
    },
  } satisfies Snapshot);
}

/** What a client's certificate comes to under a policy. */
export type Certified =
  | { readonly allowed: true; readonly identity: Identity }
  | {
      readonly allowed: false;
      /** For the caller; tells nothing of the policy. */
      readonly line: string;
      /** For the log. */
      readonly detail: string;
      readonly identity: Identity | null;
      /** A certificate was shown, and is good: another token or connection is no way out. */
      readonly known: boolean;
    };

/**
 * Whether a connection's certificate is verified by the trust store in force now, on no deny list and let in by a
 * policy. Asked for each request, as for all others.
 *
 * @param now Milliseconds since 1970.
 */
export function certified(
  connection: Connection,
  { denyList, listeners: { admin } }: Pick<Snapshot, 'denyList' | 'listeners'>,
  policy: Policy,
  now: number,
): Certified {
  const { identity } = connection;
  const refused = (line: string, detail: string, known = false): Certified => ({
    allowed: false,
    line,
    detail,
    identity,
    known,
  });
  if (admin.host === null)
    return refused('no client certificates are taken here', 'no clientAuth is in force');
  const { clientAuth } = admin.host;
  const verdict = verdictFor(connection, clientAuth, now);
  if (verdict.status === 'none' || identity === null) {
    return refused('a client certificate or a token is wanted', 'no certificate');
  }
  if (verdict.status === 'failed') {
    return refused('the client certificate is not verified', `${verdict.reason}: ${verdict.detail}`);
  }
  const { validUntil = Infinity } = connection.judged.get(clientAuth.trust?.key ?? '') ?? {};
  if (now >= validUntil) return refused('come again on a new connection', 'ocsp_expired');
  const denied = deniedBy(denyList, identity);
  if (denied !== null) return refused('client certificate unauthorized', denied, true);
  const result = evaluate(policy, identity);
  return result.allowed
    ? { allowed: true, identity }
    : refused('client certificate unauthorized', `${result.reason}: ${result.detail}`, true);
}

/** Plain HTTP where TLS is spoken. */
export function sayHttps(socket: Socket): void {
  const body = 'this listener speaks https\n';
  socket.end(
    `HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
    () => socket.destroySoon(),
  );
  socket.setTimeout(1000, () => socket.destroy());
  socket.resume();
}

import { deniedBy } from '../policy/deny-list.ts';
import { verdictFor, type Connection } from './connection.ts';
import { reportsCertificates } from './report.ts';
import type { Snapshot } from './snapshot.ts';

/**
 * Tells of connections whether all that they were let in for is over under this snapshot: the host is gone or asks in
 * another way, the certificate is denied, or no route of the host would have it any more. What only some routes refuse
 * `decide` tells, with the next request. Plain HTTP and hosts that ask for no certificate trusted nobody to begin with.
 *
 * @returns `now` in milliseconds since 1970.
 */
export function trustEndedUnder(snapshot: Snapshot): (connection: Connection, now: number) => boolean {
  const hosts = new Map(snapshot.hosts.all.map((host) => [host.id, host]));
  return (connection, now) => {
    if (connection.trustKey === null) return false;
    if (deniedBy(snapshot.denyList, connection.identity) !== null) return true;
    const host = hosts.get(connection.hostId ?? '');
    if (host === undefined || host.clientAuth.key !== connection.trustKey) return true;
    // Whoever would be served has nothing to be closed for.
    if (reportsCertificates(host)) return false;
    const ways = [host.clientAuth, ...host.routes.all.map(({ clientAuth }) => clientAuth)];
    return ways.every(
      (way) => way.mode === 'require' && verdictFor(connection, way, now).status !== 'success',
    );
  };
}

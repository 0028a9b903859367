import type { ListenAddress, Snapshot } from './snapshot/snapshot.ts';

/** What of a snapshot only a start takes over. */
export type Started = Pick<Snapshot, 'workers' | 'listeners'>;

/** What to keep for later; the rest of the snapshot, with all its hosts, can go. */
export function startedWith({ workers, listeners }: Snapshot): Started {
  return { workers, listeners };
}

/**
 * What a reload asks for that needs a start: other workers, other addresses. A line each, for the log. A configuration
 * that goes back to what the program was started with asks for nothing. Pure.
 *
 * @param started What the program was started with.
 */
export function atNextStart(started: Started, now: Started): readonly string[] {
  const changes: [name: string, before: string, after: string][] = [
    ['workers', String(started.workers), String(now.workers)],
    ['listeners.reusePort', String(started.listeners.reusePort), String(now.listeners.reusePort)],
  ];
  for (const name of ['https', 'http', 'admin'] as const) {
    changes.push([`listeners.${name}`, where(started.listeners[name]), where(now.listeners[name])]);
  }
  changes.push(['TLS of listeners.admin', tls(started), tls(now)]);
  return changes
    .filter(([, before, after]) => before !== after)
    .map(([name, before, after]) => `${name} is ${before} until the next start, and then ${after}`);
}

function where(listener: ListenAddress | null): string {
  return listener === null ? 'off' : `${listener.address}:${listener.port}`;
}

function tls({ listeners: { admin } }: Started): string {
  return admin.host === null ? 'off' : 'on';
}

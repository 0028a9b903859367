import type { Limits, Snapshot } from '../snapshot/snapshot.ts';

/** The limits on what is open at once: they hold for the program, so each worker process gets its part of them. */
const shared = ['handshakes', 'handshakesPerAddress', 'connections', 'connectionsPerAddress'] as const;

/** A worker's snapshot: limits on what is open at once are divided, rounded up. */
export function shareOf(snapshot: Snapshot, workers: number): Snapshot {
  const limits: Partial<Record<(typeof shared)[number], number>> = {};
  for (const name of shared) limits[name] = Math.ceil(snapshot.limits[name] / workers);
  return Object.freeze({ ...snapshot, limits: Object.freeze<Limits>({ ...snapshot.limits, ...limits }) });
}

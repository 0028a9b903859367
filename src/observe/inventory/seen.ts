import type { Observability } from '../observe.ts';
import type { Entry } from './entry.ts';

/** Identities, and how much they tell. */
export interface Seen {
  /** The one that was seen last first. */
  readonly entries: readonly Entry[];
  /** Milliseconds since 1970 from which on everybody was noted. */
  readonly since: number;
  /** How many were given up for want of room: what is there is not everybody then. */
  readonly evicted: number;
}

/** Who was seen; waits for the file of an earlier run. */
export async function seenOf({
  inventory,
  keeper,
}: Pick<Observability, 'inventory' | 'keeper'>): Promise<Seen> {
  await keeper.settled;
  return { entries: inventory.list(), since: inventory.since, evicted: keeper.evicted };
}

import type { Entry } from '../../observe/inventory/entry.ts';
import type { Expiring, Inventory } from '../../observe/inventory/inventory.ts';
import { rotationOf, type RotationCa } from '../../observe/inventory/rotation.ts';
import type { Observability } from '../../observe/observe.ts';
import type { Snapshot } from '../../snapshot/snapshot.ts';

/** Who the clients are, as far as the page shows it. */
export interface ClientFacts {
  readonly kept: number;
  /** Milliseconds since 1970 from which on everybody was noted. */
  readonly since: number;
  readonly expiring: Expiring;
  /** The one that was seen last first, some of them. */
  readonly latest: readonly Entry[];
  /** Who comes through which CA; null: with this many it takes too long to be looked at all the time. */
  readonly cas: readonly RotationCa[] | null;
}

const maxLatest = 10;

/** Identities up to which each look counts them anew; of more, one in five seconds. */
const fewIdentities = 1000;
const manyEveryMs = 5000;

/** The CAs of hosts are read, and everybody is held against each of them. */
const rotation = { everyMs: 15_000, maxHosts: 20, maxIdentities: 2000, windowMs: 30 * 86_400_000 } as const;

interface Look {
  readonly at: number;
  readonly rotatedAt: number;
  readonly snapshot: Snapshot | null;
  readonly facts: ClientFacts;
}

const looks = new WeakMap<Inventory, Look>();

/** Null where none are kept. @param now Milliseconds since 1970. */
export function clientFacts(
  { inventory, keeper }: Pick<Observability, 'inventory' | 'keeper'>,
  snapshot: Snapshot | null,
  now: number,
): ClientFacts | null {
  if (inventory.limit === 0) return null;
  const { size, since } = inventory;
  const last = looks.get(inventory);
  if (last !== undefined && size > fewIdentities && now < last.at + manyEveryMs) return last.facts;
  const entries = inventory.list();
  const hasRotation =
    snapshot !== null && snapshot.hosts.all.length <= rotation.maxHosts && size <= rotation.maxIdentities;
  const isFresh = last?.snapshot === snapshot && now < last.rotatedAt + rotation.everyMs;
  const cas = !hasRotation
    ? null
    : isFresh
      ? last.facts.cas
      : rotationOf({ entries, since, evicted: keeper.evicted }, snapshot, {
          now,
          windowMs: rotation.windowMs,
        });
  const expiring = inventory.expiring(now);
  const facts = { kept: size, since, expiring, latest: entries.slice(0, maxLatest), cas };
  looks.set(inventory, { at: now, rotatedAt: isFresh ? last.rotatedAt : now, snapshot, facts });
  return facts;
}

import { ApiError } from './api-error.ts';

/** What a Lease says. */
export interface LeaseRecord {
  /** Empty: nobody has it. */
  readonly holder: string;
  /** Milliseconds that it holds after it was renewed. */
  readonly durationMs: number;
  readonly transitions: number;
  /** As the server wrote it. */
  readonly acquireTime: unknown;
  /** The same for as long as its holder has not renewed it. */
  readonly print: string;
  /** The whole object, which is written back. */
  readonly object: Readonly<Record<string, unknown>>;
}

/** No holder is waited for longer, in milliseconds, whatever it says of itself. */
const longestDurationMs = 60_000;

/** @throws ApiError for what is no Lease. */
export function readLease(object: unknown): LeaseRecord {
  const { kind, metadata, spec } = (object ?? {}) as Record<string, unknown>;
  if (kind !== 'Lease' || typeof metadata !== 'object' || metadata === null)
    throw new ApiError(0, 'Unreadable', 'the API server answered what is no Lease');
  const said = (spec ?? {}) as Record<string, unknown>;
  const { holderIdentity, leaseDurationSeconds, leaseTransitions, acquireTime, renewTime } = said;
  const seconds = typeof leaseDurationSeconds === 'number' ? leaseDurationSeconds : 0;
  return {
    holder: typeof holderIdentity === 'string' ? holderIdentity : '',
    durationMs: Math.min(Math.max(seconds * 1000, 1000), longestDurationMs),
    transitions: typeof leaseTransitions === 'number' ? leaseTransitions : 0,
    acquireTime,
    print: JSON.stringify([holderIdentity, leaseDurationSeconds, leaseTransitions, acquireTime, renewTime]),
    object: object as Readonly<Record<string, unknown>>,
  };
}

export interface LeaseWords {
  readonly holder: string;
  readonly durationMs: number;
  readonly now: Date;
}

/** A Lease that is there no more than a name yet. */
export function newLease(namespace: string, name: string, words: LeaseWords): object {
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { namespace, name },
    spec: specOf(words, 0, microTime(words.now)),
  };
}

/** The same Lease with another holder, or renewed by the one it has. With its resourceVersion: whoever is quicker wins. */
export function changedLease(before: LeaseRecord, words: LeaseWords): object {
  const isRenewal = before.holder === words.holder;
  const acquired = isRenewal ? before.acquireTime : microTime(words.now);
  // Whoever lets go of it is no new holder.
  const transitions = before.transitions + (isRenewal || words.holder === '' ? 0 : 1);
  return { ...before.object, spec: specOf(words, transitions, acquired) };
}

function specOf(
  { holder, durationMs, now }: LeaseWords,
  leaseTransitions: number,
  acquireTime: unknown,
): object {
  return {
    holderIdentity: holder,
    leaseDurationSeconds: Math.max(1, Math.round(durationMs / 1000)),
    leaseTransitions,
    acquireTime,
    renewTime: microTime(now),
  };
}

/** Kubernetes' MicroTime has six digits, no more and no fewer. */
function microTime(date: Date): string {
  return date.toISOString().replace('Z', '000Z');
}

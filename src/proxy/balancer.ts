import type { Health, Upstream } from '../snapshot/snapshot.ts';

/** How one endpoint fares. A value: every change makes a new one. Times are milliseconds of the caller's clock. */
export interface Condition {
  /** What active health checks say; true where there are none. */
  readonly healthy: boolean;
  /** Check results in a row that contradict `healthy`. */
  readonly contrary: number;
  /** Requests in a row that failed through the endpoint's fault. */
  readonly failures: number;
  /** Ejections in a row, without a success after one of them. */
  readonly ejections: number;
  /** Left out until then; 0 when it is not ejected. */
  readonly ejectedUntil: number;
}

/** What an endpoint starts with: trusted until it fails. */
export const initial: Condition = Object.freeze({
  healthy: true,
  contrary: 0,
  failures: 0,
  ejections: 0,
  ejectedUntil: 0,
});

/** An endpoint as the balancer sees it. */
export interface Candidate {
  readonly condition: Condition;
  /** Requests and tunnels under way. */
  readonly active: number;
}

/** Healthy and not ejected. */
export function isAvailable(condition: Condition, now: number): boolean {
  return condition.healthy && now >= condition.ejectedUntil;
}

/**
 * The index of the endpoint to take next, or -1 where there is none.
 *
 * Starts looking at `turn`, which is one past the endpoint taken last: so round robin stays even while
 * endpoints are skipped, and equals under `least_connections` take turns. Endpoints already tried for the
 * request are skipped, as are those that are ejected or unhealthy. When every healthy endpoint is ejected the
 * ejections are ignored: passive observation alone never takes the last endpoint away (nginx, which does not
 * apply max_fails to a single server, reasons alike); only active health checks do.
 *
 * @param turn - index to start from; any integer of 0 or more, taken modulo the number of candidates
 */
export function choose<C extends Candidate>(
  candidates: readonly C[],
  balance: Upstream['balance'],
  turn: number,
  tried: ReadonlySet<C>,
  now: number,
): number {
  const heedEjections = candidates.some(({ condition }) => isAvailable(condition, now));
  let best = -1;
  let fewest = Infinity;
  for (let step = 0; step < candidates.length; step++) {
    const index = (turn + step) % candidates.length;
    const candidate = candidates[index]!;
    const { condition } = candidate;
    if (tried.has(candidate)) continue;
    if (heedEjections ? !isAvailable(condition, now) : !condition.healthy) continue;
    if (balance === 'round_robin') return index;
    if (candidate.active < fewest) {
      best = index;
      fewest = candidate.active;
    }
  }
  return best;
}

/**
 * The first of an order of indices that may be taken now, or -1: by the rules of `choose`. For requests that would
 * rather have one endpoint than another.
 */
export function chooseFrom<C extends Candidate>(
  candidates: readonly C[],
  order: Iterable<number>,
  tried: ReadonlySet<C>,
  now: number,
): number {
  const heedEjections = candidates.some(({ condition }) => isAvailable(condition, now));
  for (const index of order) {
    const candidate = candidates[index];
    if (candidate === undefined || tried.has(candidate)) continue;
    const { condition } = candidate;
    if (heedEjections ? isAvailable(condition, now) : condition.healthy) return index;
  }
  return -1;
}

/**
 * Where round robin goes on after a reload: at the endpoint whose turn it was or, where that one is gone, the next one
 * that is still there. Starting over would give the first endpoints more than their share on every reload.
 */
export function turnAfter(before: readonly string[], turn: number, after: readonly string[]): number {
  for (let step = 0; step < before.length; step++) {
    const index = after.indexOf(before[(turn + step) % before.length]!);
    if (index !== -1) return index;
  }
  return turn;
}

/**
 * After a failed request. From `ejection.failures` failures in a row on, the endpoint is left out, each time
 * twice as long as the last time. An endpoint that comes back still has its count: its next failure ejects it
 * again. Failures of requests that were under way when it was ejected do not lengthen the ejection.
 *
 * @param othersAvailable - false keeps the endpoint in: the last one is never ejected
 */
export function failed(
  condition: Condition,
  ejection: Upstream['ejection'],
  othersAvailable: boolean,
  now: number,
): Condition {
  const failures = condition.failures + 1;
  if (failures < ejection.failures || !othersAvailable || now < condition.ejectedUntil) {
    return { ...condition, failures };
  }
  return {
    ...condition,
    failures,
    ejections: condition.ejections + 1,
    ejectedUntil: now + ejectionMs(ejection, condition.ejections),
  };
}

/** How long an ejection lasts that follows `before` others: doubling, up to `maxDurationMs`. */
export function ejectionMs(ejection: Upstream['ejection'], before: number): number {
  return Math.min(ejection.durationMs * 2 ** before, ejection.maxDurationMs);
}

/** After a request that went well. One that began before an ejection says nothing about the time since. */
export function succeeded(condition: Condition, now: number): Condition {
  if (condition.failures === 0 && condition.ejections === 0) return condition;
  if (now < condition.ejectedUntil) return condition;
  return { ...condition, failures: 0, ejections: 0 };
}

/** With an ejection that is over cleared; the same value where there is none or it still lasts. */
export function readmitted(condition: Condition, now: number): Condition {
  if (condition.ejectedUntil === 0 || now < condition.ejectedUntil) return condition;
  return { ...condition, ejectedUntil: 0 };
}

/** After an active health check. Turning healthy wipes what was held against the endpoint before. */
export function checked(condition: Condition, passed: boolean, health: Health): Condition {
  if (passed === condition.healthy) {
    return condition.contrary === 0 ? condition : { ...condition, contrary: 0 };
  }
  const contrary = condition.contrary + 1;
  const needed = condition.healthy ? health.unhealthyAfter : health.healthyAfter;
  if (contrary < needed) return { ...condition, contrary };
  return passed ? initial : { ...condition, contrary: 0, healthy: false };
}

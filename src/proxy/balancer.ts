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

/** How long an endpoint took to answer lately: a moving average, and when it was last touched, in milliseconds. */
export interface Latency {
  readonly ms: number;
  readonly at: number;
}

/** How soon an average forgets, in milliseconds: after this, 1/e of it is left (`DECAY_TIME` of ingress-nginx's ewma.lua). */
const decayMs = 10_000;

/** The average after another response. Between responses it falls to 0, so an endpoint that was slow is tried again. */
export function observed(before: Latency | null, ms: number, now: number): Latency {
  if (before === null) return { ms, at: now };
  const kept = Math.exp(-Math.max(now - before.at, 0) / decayMs);
  return { ms: before.ms * kept + ms * (1 - kept), at: now };
}

/** What an endpoint starts with that joins others: their average, so that it is not overrun before it has answered once. */
export function startingLatency(others: readonly (Latency | null)[], now: number): Latency | null {
  const scores = others.flatMap((one) => (one === null ? [] : [latencyScore(one, now)]));
  if (scores.length === 0) return null;
  return { ms: scores.reduce((sum, one) => sum + one, 0) / scores.length, at: now };
}

/** Less is better; 0 for one that nothing is known of. */
export function latencyScore(latency: Latency | null, now: number): number {
  return latency === null ? 0 : observed(latency, 0, now).ms;
}

/**
 * Of two endpoints at random the one that answered faster lately ("the power of two choices"), as ingress-nginx's ewma;
 * -1 where there is none. Endpoints are skipped by the rules of `choose`.
 *
 * @param draws two numbers from 0 up to, not including, 1
 */
export function chooseFaster<C extends Candidate & { readonly latency: Latency | null }>(
  candidates: readonly C[],
  [first, second]: readonly [number, number],
  tried: ReadonlySet<C>,
  now: number,
): number {
  const left = takeable(candidates, tried, now);
  if (left.length < 2) return left[0] ?? -1;
  const one = Math.floor(first * left.length);
  const other = (one + 1 + Math.floor(second * (left.length - 1))) % left.length;
  const [a, b] = [left[one]!, left[other]!];
  return latencyScore(candidates[a]!.latency, now) <= latencyScore(candidates[b]!.latency, now) ? a : b;
}

/** The indices of all endpoints that may be taken now, by the rules of `choose`. */
function takeable<C extends Candidate>(
  candidates: readonly C[],
  tried: ReadonlySet<C>,
  now: number,
): number[] {
  const heedEjections = candidates.some(({ condition }) => isAvailable(condition, now));
  return candidates.flatMap((candidate, index) => {
    const { condition } = candidate;
    const may = !tried.has(candidate) && (heedEjections ? isAvailable(condition, now) : condition.healthy);
    return may ? [index] : [];
  });
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
  balance: Exclude<Upstream['balance'], 'ewma'>,
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

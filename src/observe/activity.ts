import type { HandshakeReason, RequestReason } from '../snapshot/reason.ts';
import type { HandshakeEvent, Observer, ReloadEvent, RequestEvent } from './observer.ts';

/** Milliseconds of one step, and how many steps are kept: five minutes. */
export const stepMs = 2000;
export const steps = 150;

/** Latency is asked of the last minute. */
const latencySteps = 30;

/** Bounds of latency rise by a quarter of a power of two, from 50 µs to a minute: quantiles are off by 9 % at most. */
const firstBoundMs = 0.05;
const latencyBuckets = 84;

/** Reloads that are kept. */
const maxReloads = 20;

/** What is counted in each step. */
export const countedKinds = ['handshakes', 'rejected', 'requests', 'refused', 'failed'] as const;
export type Counted = (typeof countedKinds)[number];

/** The last five minutes of a process, as plain data. */
export interface ActivityState {
  /** Which step is the last, in steps since 1970. It is under way. */
  readonly until: number;
  /** Of each step, the last one last. `refused`: answered with 4xx; `failed`: with 5xx. */
  readonly counts: Readonly<Record<Counted, readonly number[]>>;
  /** Reasons of what was rejected, refused, failed or broken off in these minutes. */
  readonly handshakeReasons: Readonly<Record<string, number>>;
  readonly requestReasons: Readonly<Record<string, number>>;
  /** Requests of the last minute by latency, tunnels aside. */
  readonly latency: readonly number[];
}

interface Step {
  number: number;
  readonly counts: Record<Counted, number>;
  readonly handshakeReasons: Map<HandshakeReason, number>;
  readonly requestReasons: Map<RequestReason, number>;
  readonly latency: Uint32Array;
}

/** An attempt to load a configuration. */
export interface PastReload extends ReloadEvent {
  /** Milliseconds since 1970. */
  readonly time: number;
}

/**
 * What happened in the last five minutes, for the status page: counted as it happens, since the metrics know only sums.
 * Its memory is fixed, some 110 kB; a request costs it 0.1 µs.
 */
export class Activity implements Observer {
  readonly #now: () => number;
  readonly #ring: readonly Step[] = Array.from({ length: steps }, () => ({
    number: -1,
    counts: noCounts(),
    handshakeReasons: new Map(),
    requestReasons: new Map(),
    latency: new Uint32Array(latencyBuckets),
  }));
  /** The step under way, and when it began: found without a division. */
  #current = this.#ring[0]!;
  #from = Infinity;
  #reloads: readonly PastReload[] = [];

  /** @param now Milliseconds since 1970. */
  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  handshake({ result, reason }: HandshakeEvent): void {
    const step = this.#step();
    step.counts.handshakes++;
    if (result === 'accepted') return;
    step.counts.rejected++;
    count(step.handshakeReasons, reason);
  }

  request({ status, reason, durationMs, upgrade }: RequestEvent): void {
    const step = this.#step();
    step.counts.requests++;
    if (status >= 500) step.counts.failed++;
    else if (status >= 400 && reason !== 'ok') step.counts.refused++;
    if (reason !== 'ok' && (status >= 400 || status === 0 || reason === 'upstream_truncated'))
      count(step.requestReasons, reason);
    if (!upgrade) step.latency[bucketOf(durationMs)]!++;
  }

  reload(event: ReloadEvent): void {
    const problems = event.problems.slice(0, 20);
    const past = Object.freeze({ ...event, problems, time: this.#now() });
    this.#reloads = Object.freeze([past, ...this.#reloads].slice(0, maxReloads));
  }

  connectionOpened(): void {}
  connectionClosed(): void {}
  connectionRefused(): void {}
  connectionEnded(): void {}
  ocsp(): void {}
  staple(): void {}
  upstream(): void {}

  /** The latest first. */
  get reloads(): readonly PastReload[] {
    return this.#reloads;
  }

  state(): ActivityState {
    const until = this.#number();
    const kept = Array.from({ length: steps }, (_, index) => {
      const number = until - steps + 1 + index;
      const step = this.#ring[number % steps];
      return step?.number === number ? step : null;
    });
    const latency = Array.from({ length: latencyBuckets }, () => 0);
    for (const step of kept.slice(-latencySteps)) {
      step?.latency.forEach((times, bucket) => (latency[bucket]! += times));
    }
    const all = (kind: Counted): readonly number[] => kept.map((step) => step?.counts[kind] ?? 0);
    return {
      until,
      counts: {
        handshakes: all('handshakes'),
        rejected: all('rejected'),
        requests: all('requests'),
        refused: all('refused'),
        failed: all('failed'),
      },
      handshakeReasons: sumOf(kept.map((step) => step?.handshakeReasons)),
      requestReasons: sumOf(kept.map((step) => step?.requestReasons)),
      latency,
    };
  }

  #number(): number {
    return Math.max(0, Math.floor(this.#now() / stepMs));
  }

  #step(): Step {
    const now = this.#now();
    if (now >= this.#from && now < this.#from + stepMs) return this.#current;
    const number = Math.max(0, Math.floor(now / stepMs));
    const step = this.#ring[number % steps]!;
    this.#from = number * stepMs;
    this.#current = step;
    if (step.number === number) return step;
    step.number = number;
    Object.assign(step.counts, noCounts());
    step.handshakeReasons.clear();
    step.requestReasons.clear();
    step.latency.fill(0);
    return step;
  }
}

/** Several processes as one; each by its own clock, which is the same one. */
export function foldActivity(states: readonly ActivityState[]): ActivityState {
  const until = Math.max(0, ...states.map((state) => state.until));
  const all = (kind: Counted): number[] => {
    const sums = Array.from({ length: steps }, () => 0);
    for (const state of states) {
      state.counts[kind].forEach((value, index) => {
        const at = index - (until - state.until);
        if (at >= 0) sums[at]! += value;
      });
    }
    return sums;
  };
  const latency = Array.from({ length: latencyBuckets }, () => 0);
  for (const state of states) state.latency.forEach((times, bucket) => (latency[bucket]! += times));
  const reasons = (of: 'handshakeReasons' | 'requestReasons'): Record<string, number> =>
    sumOf(states.map((state) => new Map(Object.entries(state[of]))));
  return {
    until,
    counts: {
      handshakes: all('handshakes'),
      rejected: all('rejected'),
      requests: all('requests'),
      refused: all('refused'),
      failed: all('failed'),
    },
    handshakeReasons: reasons('handshakeReasons'),
    requestReasons: reasons('requestReasons'),
    latency,
  };
}

/** A quantile of latency in milliseconds, 0 to 1; null where there were no requests. */
export function latencyQuantile(latency: readonly number[], quantile: number): number | null {
  const total = latency.reduce((sum, times) => sum + times, 0);
  if (total === 0) return null;
  let rest = Math.ceil(total * quantile);
  const bucket = latency.findIndex((times) => (rest -= times) <= 0);
  return bucket <= 0 ? firstBoundMs : firstBoundMs * 2 ** ((bucket - 0.5) / 4);
}

function bucketOf(durationMs: number): number {
  if (!(durationMs > firstBoundMs)) return 0;
  return Math.min(Math.ceil(Math.log2(durationMs / firstBoundMs) * 4), latencyBuckets - 1);
}

function noCounts(): Record<Counted, number> {
  return { handshakes: 0, rejected: 0, requests: 0, refused: 0, failed: 0 };
}

function count<Key>(counts: Map<Key, number>, key: Key): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function sumOf(all: readonly (ReadonlyMap<string, number> | undefined)[]): Record<string, number> {
  const sums = new Map<string, number>();
  for (const counts of all) {
    for (const [key, value] of counts ?? []) sums.set(key, (sums.get(key) ?? 0) + value);
  }
  return Object.fromEntries(sums);
}

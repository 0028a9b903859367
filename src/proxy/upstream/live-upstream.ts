import type { Observer } from '../../observe/observer.ts';
import type { Endpoint, Upstream } from '../../snapshot/snapshot.ts';
import {
  checked,
  choose,
  chooseFaster,
  chooseFrom,
  type Condition,
  failed,
  initial,
  isAvailable,
  observed,
  readmitted,
  startingLatency,
  succeeded,
  turnAfter,
} from '../balancer.ts';
import { ringOf } from '../affinity.ts';
import { HealthChecks } from './health.ts';
import { LiveEndpoint } from './live-endpoint.ts';
import type { Preference } from './outbound.ts';

/** What the upstream side reports to, and its sources of time and chance. */
export interface Surroundings {
  readonly observer: Pick<Observer, 'upstream'>;
  /** A clock that never goes back, in milliseconds. */
  readonly now: () => number;
  /** Evenly from 0 up to, not including, 1. */
  readonly random: () => number;
}

/** How one endpoint stands, for the admin listener. */
export interface UpstreamStatus {
  readonly upstream: string;
  readonly endpoint: string;
  /** What active health checks say; true where there are none. */
  readonly healthy: boolean;
  /** How much longer it is ejected, in milliseconds; 0 when it is not. */
  readonly ejectedForMs: number;
  /** Requests and tunnels under way. */
  readonly active: number;
  /** Failures in a row. */
  readonly failures: number;
  /** Connections kept idle. */
  readonly idle: number;
}

/** One upstream at run time: its endpoints, whose turn it is, and what is held against whom. */
export class LiveUpstream {
  readonly upstream: Upstream;
  readonly endpoints: readonly LiveEndpoint[];
  readonly #surroundings: Surroundings;
  readonly #checks: HealthChecks | null;
  #turn: number;

  /**
   * @param previous - what stood under the same name: endpoints whose connections would be the same ones are taken
   *   over with all that is known of them, so that a change of one pod does not cost the others their connections
   */
  constructor(upstream: Upstream, previous: LiveUpstream | null, surroundings: Surroundings) {
    this.upstream = upstream;
    this.#surroundings = surroundings;
    const kept = previous !== null && sameConnections(previous.upstream, upstream) ? previous.endpoints : [];
    this.endpoints = distinct(upstream.endpoints).map((endpoint) => {
      const old = kept.find(({ name }) => name === endpoint.name);
      return old ?? new LiveEndpoint(endpoint, upstream, surroundings.now);
    });
    if (upstream.balance === 'ewma') {
      const start = startingLatency(
        kept.map(({ latency }) => latency),
        surroundings.now(),
      );
      for (const one of this.endpoints) one.latency ??= start;
    }
    const names = this.endpoints.map(({ name }) => name);
    // Proxies that start together must not all begin with the same endpoint.
    this.#turn =
      previous === null
        ? Math.floor(surroundings.random() * names.length)
        : turnAfter(
            previous.endpoints.map(({ name }) => name),
            previous.#turn,
            names,
          );
    this.#checks = upstream.health === null ? null : new HealthChecks(this, upstream.health, surroundings);
    // Nothing would ever find them healthy again.
    if (this.#checks === null) {
      for (const one of this.endpoints) if (!one.condition.healthy) one.condition = initial;
    }
  }

  /** The endpoint to try next, or null when there is none. */
  pick(
    tried: ReadonlySet<LiveEndpoint>,
    preference: Preference | null = null,
    now: number = this.#surroundings.now(),
  ): LiveEndpoint | null {
    this.#readmit(now);
    if (preference !== null) {
      const preferred = chooseFrom(this.endpoints, this.#order(preference), tried, now);
      if (preferred !== -1) return this.endpoints[preferred]!;
    }
    const { balance } = this.upstream;
    const { random } = this.#surroundings;
    const index =
      balance === 'ewma'
        ? chooseFaster(this.endpoints, [random(), random()], tried, now)
        : choose(this.endpoints, balance, this.#turn, tried, now);
    const picked = this.endpoints[index];
    if (picked === undefined) return null;
    this.#turn = (index + 1) % this.endpoints.length;
    return picked;
  }

  /** The endpoints that a request would rather have, best first. */
  #order({ endpoint, key, subset = 1 }: Preference): Iterable<number> {
    if (endpoint !== undefined) return [this.endpoints.findIndex(({ name }) => name === endpoint)];
    if (key === undefined) return [];
    const order = ringOf(this.upstream).from(key);
    if (subset === 1) return order;
    const all = [...order];
    return [...this.#shuffled(all.slice(0, subset)), ...all.slice(subset)];
  }

  #shuffled(indices: readonly number[]): number[] {
    const { random } = this.#surroundings;
    return indices
      .map((index) => ({ index, draw: random() }))
      .toSorted((a, b) => a.draw - b.draw)
      .map(({ index }) => index);
  }

  /** How long responses take counts. */
  get measures(): boolean {
    return this.upstream.balance === 'ewma';
  }

  /** A response took so long, from choosing the endpoint to its last byte. */
  measured(one: LiveEndpoint, ms: number): void {
    if (!this.measures) return;
    one.latency = observed(one.latency, ms, this.#surroundings.now());
  }

  /** A request was answered in whole. */
  succeeded(one: LiveEndpoint): void {
    if (one.condition === initial) return;
    one.condition = succeeded(one.condition, this.#surroundings.now());
  }

  /** A request failed through the endpoint's fault: counts towards its ejection. */
  failed(one: LiveEndpoint): void {
    const now = this.#surroundings.now();
    const before = one.condition;
    const others = this.endpoints.some((other) => other !== one && isAvailable(other.condition, now));
    one.condition = failed(before, this.upstream.ejection, others, now);
    const { ejectedUntil, ejections } = one.condition;
    if (ejections > before.ejections) this.#report(one, { kind: 'ejected', forMs: ejectedUntil - now });
  }

  /** The result of an active health check. */
  checked(one: LiveEndpoint, passed: boolean, detail: string): void {
    const { health } = this.upstream;
    if (health === null) return;
    const before: Condition = one.condition;
    one.condition = checked(before, passed, health);
    if (before.healthy === one.condition.healthy) return;
    if (before.ejectedUntil > 0 && one.condition.ejectedUntil === 0)
      this.#report(one, { kind: 'readmitted' });
    this.#report(one, { kind: passed ? 'healthy' : 'unhealthy', detail });
  }

  retried(one: LiveEndpoint, detail: string): void {
    this.#report(one, { kind: 'retry', detail });
  }

  status(): UpstreamStatus[] {
    const now = this.#surroundings.now();
    this.#readmit(now);
    return this.endpoints.map(({ name, condition, active, idle }) => ({
      upstream: this.upstream.name,
      endpoint: name,
      healthy: condition.healthy,
      ejectedForMs: Math.max(condition.ejectedUntil - now, 0),
      active,
      failures: condition.failures,
      idle,
    }));
  }

  /** Stops checking and closes what is idle; requests under way finish. `next`'s endpoints go on under it. */
  retire(next: LiveUpstream | null): void {
    this.#checks?.stop();
    for (const one of this.endpoints) if (next?.endpoints.includes(one) !== true) one.retire();
  }

  /** Seen when someone looks: an ejection needs no timer to end. */
  #readmit(now: number): void {
    for (const one of this.endpoints) {
      const condition = readmitted(one.condition, now);
      if (condition === one.condition) continue;
      one.condition = condition;
      this.#report(one, { kind: 'readmitted' });
    }
  }

  #report(one: LiveEndpoint, event: Report): void {
    this.#surroundings.observer.upstream({ upstream: this.upstream.name, endpoint: one.name, ...event });
  }
}

type Report =
  | { readonly kind: 'retry' | 'healthy' | 'unhealthy'; readonly detail: string }
  | { readonly kind: 'ejected'; readonly forMs: number }
  | { readonly kind: 'readmitted' };

/** A connection made under the one would be the same under the other: addresses aside, same identity and trust. */
function sameConnections(a: Upstream, b: Upstream): boolean {
  return JSON.stringify([a.tls, a.keepAlive]) === JSON.stringify([b.tls, b.keepAlive]);
}

/** An endpoint named twice is one endpoint: trying it again would not be trying another. */
function distinct(endpoints: readonly Endpoint[]): Endpoint[] {
  return [...new Map(endpoints.map((endpoint) => [endpoint.name, endpoint])).values()];
}

import type { Snapshot, Upstream } from '../snapshot/snapshot.ts';
import type { Families } from './families.ts';
import { unknown } from './labels.ts';
import type { UpstreamEvent } from './observer.ts';
import type { HistogramSeries } from './series.ts';

/** What is counted of upstreams and their endpoints; of those in the snapshot, and of no others. */
export class UpstreamSeries {
  readonly #families: Families;
  #upstreams: ReadonlyMap<string, Upstream> = new Map();
  readonly #endpoints = new Map<string, ReadonlySet<string>>();
  readonly #durations = new Map<string, HistogramSeries>();

  constructor(families: Families) {
    this.#families = families;
  }

  describe(snapshot: Snapshot): void {
    const before = this.#upstreams;
    const after = snapshot.upstreams;
    this.#upstreams = after;
    for (const upstream of before.values()) {
      if (after.get(upstream.name) !== upstream) this.#forget(upstream, after.get(upstream.name) ?? null);
    }
    // One that is the very same object has all of its series.
    for (const upstream of after.values()) {
      const previous = before.get(upstream.name);
      if (previous !== upstream) this.#add(upstream, previous?.key === upstream.key);
    }
  }

  /** Forgets what the next of the same name does not have. */
  #forget({ name, endpoints, key }: Upstream, next: Upstream | null): void {
    const families = this.#families;
    if (next === null) {
      families.upstreamDuration.forget({ upstream: name });
      families.upstreamRetries.forget({ upstream: name });
      families.upstreamCopiesFailed.forget({ upstream: name });
      this.#endpoints.delete(name);
      this.#durations.delete(name);
    }
    const kept = new Set(next?.endpoints.map((endpoint) => endpoint.name));
    for (const endpoint of endpoints) {
      const labels = { upstream: name, endpoint: endpoint.name };
      if (!kept.has(endpoint.name)) families.upstreamEjections.forget(labels);
      // Pools of an upstream that changed start anew, and with them the health of its endpoints.
      if (next?.key === key && kept.has(endpoint.name)) continue;
      families.endpointEjected.forget(labels);
      families.endpointHealthy.forget(labels);
    }
  }

  #add({ name, endpoints }: Upstream, kept: boolean): void {
    const families = this.#families;
    this.#endpoints.set(name, new Set(endpoints.map((one) => one.name)));
    this.#durations.set(name, families.upstreamDuration.series({ upstream: name }));
    families.upstreamRetries.series({ upstream: name });
    families.upstreamCopiesFailed.series({ upstream: name });
    for (const endpoint of endpoints) {
      const labels = { upstream: name, endpoint: endpoint.name };
      families.upstreamEjections.series(labels);
      families.endpointEjected.series(labels);
      const healthy = families.endpointHealthy.series(labels);
      if (!kept) healthy.value = 1;
    }
  }

  /** The head of a response came after `seconds`. */
  answered(upstream: string, seconds: number): void {
    const series =
      this.#durations.get(upstream) ?? this.#families.upstreamDuration.series({ upstream: unknown });
    series.observe(seconds);
  }

  event(event: UpstreamEvent): void {
    const families = this.#families;
    const endpoints = this.#endpoints.get(event.upstream);
    // An upstream of an older snapshot may still be heard of while its last requests end.
    if (endpoints === undefined) return;
    if (event.kind === 'retry') {
      families.upstreamRetries.series({ upstream: event.upstream }).value++;
      return;
    }
    if (event.kind === 'copy_failed') {
      families.upstreamCopiesFailed.series({ upstream: event.upstream }).value++;
      return;
    }
    if (!endpoints.has(event.endpoint)) return;
    const labels = { upstream: event.upstream, endpoint: event.endpoint };
    switch (event.kind) {
      case 'ejected':
        families.upstreamEjections.series(labels).value++;
        families.endpointEjected.series(labels).value = 1;
        return;
      case 'readmitted':
        families.endpointEjected.series(labels).value = 0;
        return;
      case 'healthy':
      case 'unhealthy':
        families.endpointHealthy.series(labels).value = event.kind === 'healthy' ? 1 : 0;
    }
  }
}

import type { Snapshot, Upstream } from '../snapshot/snapshot.ts';
import type { Families } from './families.ts';
import { unknown } from './labels.ts';
import type { UpstreamEvent } from './observer.ts';
import type { HistogramSeries } from './series.ts';

/** What is counted of upstreams and their endpoints; of those in the snapshot, and of no others. */
export class UpstreamSeries {
  readonly #families: Families;
  #upstreams: ReadonlyMap<string, Upstream> = new Map();
  #endpoints: ReadonlyMap<string, ReadonlySet<string>> = new Map();
  #durations = new Map<string, HistogramSeries>();

  constructor(families: Families) {
    this.#families = families;
  }

  describe(snapshot: Snapshot): void {
    const families = this.#families;
    const before = this.#upstreams;
    const after = snapshot.upstreams;
    this.#upstreams = after;
    this.#endpoints = new Map(
      Array.from(after.values(), ({ name, endpoints }) => [name, new Set(endpoints.map((one) => one.name))]),
    );
    const has = (upstream: string, endpoint: string): boolean =>
      this.#endpoints.get(upstream)?.has(endpoint) ?? false;
    const known = (upstream: string): boolean => upstream === unknown || after.has(upstream);
    families.upstreamDuration.retain(({ upstream }) => known(upstream));
    families.upstreamRetries.retain(({ upstream }) => known(upstream));
    families.upstreamCopiesFailed.retain(({ upstream }) => known(upstream));
    families.upstreamEjections.retain(({ upstream, endpoint }) => has(upstream, endpoint));
    // Pools of an upstream that changed start anew, and with them the health of its endpoints.
    const same = (upstream: string): boolean => before.get(upstream)?.key === after.get(upstream)?.key;
    families.endpointEjected.retain(({ upstream, endpoint }) => same(upstream) && has(upstream, endpoint));
    families.endpointHealthy.retain(({ upstream, endpoint }) => same(upstream) && has(upstream, endpoint));

    this.#durations = new Map();
    for (const { name, endpoints, key } of after.values()) {
      this.#durations.set(name, families.upstreamDuration.series({ upstream: name }));
      families.upstreamRetries.series({ upstream: name });
      families.upstreamCopiesFailed.series({ upstream: name });
      const kept = before.get(name)?.key === key;
      for (const endpoint of endpoints) {
        const labels = { upstream: name, endpoint: endpoint.name };
        families.upstreamEjections.series(labels);
        families.endpointEjected.series(labels);
        const healthy = families.endpointHealthy.series(labels);
        if (!kept) healthy.value = 1;
      }
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

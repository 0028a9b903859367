import type { Snapshot } from '../snapshot/snapshot.ts';
import type { Families } from './families.ts';
import type { OcspEvent, StapleEvent } from './observer.ts';

const results: readonly OcspEvent['result'][] = ['good', 'revoked', 'unknown', 'unavailable'];

/** What responders say of clients' certificates, and what is stapled to our own. For hosts of the snapshot alone. */
export class OcspSeries {
  readonly #families: Families;
  #asking: ReadonlySet<string> = new Set();
  #stapling: ReadonlySet<string> = new Set();

  constructor(families: Families) {
    this.#families = families;
  }

  /** Takes over the hosts of a snapshot; those that ask, and those that staple, are there from the start. */
  describe({ hosts }: Snapshot): void {
    const { ocspChecks, stapleNextUpdate } = this.#families;
    const asking = hosts.all.filter(({ clientAuth }) => clientAuth.stores.some(({ ocsp }) => ocsp !== null));
    const stapling = hosts.all.filter((host) => host.stapling !== null);
    this.#asking = new Set(asking.map(({ id }) => id));
    this.#stapling = new Set(stapling.map(({ id }) => id));
    ocspChecks.retain(({ host }) => this.#asking.has(host));
    stapleNextUpdate.retain(({ host }) => this.#stapling.has(host));
    for (const host of this.#asking) for (const result of results) ocspChecks.series({ host, result });
    for (const host of this.#stapling) stapleNextUpdate.series({ host });
  }

  checked({ host, result }: OcspEvent): void {
    // One that was under way when its host left has no series.
    if (this.#asking.has(host)) this.#families.ocspChecks.series({ host, result }).value++;
  }

  stapled({ host, nextUpdate }: StapleEvent): void {
    if (!this.#stapling.has(host)) return;
    this.#families.stapleNextUpdate.series({ host }).value = (nextUpdate ?? 0) / 1000;
  }
}

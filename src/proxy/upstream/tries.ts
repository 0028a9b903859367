import { failure } from './failure.ts';
import type { LiveEndpoint } from './live-endpoint.ts';
import type { LiveUpstream } from './live-upstream.ts';
import type { Preference, UpstreamFailure } from './outbound.ts';

/** The endpoints tried for one request, at most as many as the route's rules or `Upstream.tries` say. */
export class Tries {
  readonly upstream: LiveUpstream;
  readonly #preference: Preference | null;
  readonly #most: number;
  readonly #tried = new Set<LiveEndpoint>();

  constructor(upstream: LiveUpstream, preference: Preference | null, most: number | null) {
    this.upstream = upstream;
    this.#preference = preference;
    this.#most = most ?? upstream.upstream.tries;
  }

  /** The next endpoint, its request counted as under way until `done`; null when there is none left to try. */
  next(): LiveEndpoint | null {
    if (this.#tried.size >= this.#most) return null;
    const one = this.upstream.pick(this.#tried, this.#preference);
    if (one === null) return null;
    this.#tried.add(one);
    one.active++;
    return one;
  }

  /** As `next`, after a failure that may be tried again; reports the retry. */
  another(why: UpstreamFailure): LiveEndpoint | null {
    const one = this.next();
    if (one !== null) this.upstream.retried(one, `${why.reason}: ${why.detail}`);
    return one;
  }

  done(one: LiveEndpoint): void {
    one.active--;
  }
}

/** What a request ends with that finds no endpoint at all. */
export function noEndpoint(name: string): UpstreamFailure {
  return failure('upstream_none', `upstream ${name} has no endpoint available`);
}

import { failure } from './failure.ts';
import type { LiveEndpoint } from './live-endpoint.ts';
import type { LiveUpstream } from './live-upstream.ts';
import type { Preference, UpstreamFailure } from './outbound.ts';

const none: ReadonlySet<LiveEndpoint> = new Set();

/** The endpoints tried for one request, at most as many as the route's rules or `Upstream.tries` say. */
export class Tries {
  readonly upstream: LiveUpstream;
  readonly #preference: Preference | null;
  readonly #most: number;
  /** Grows with the second: most requests need one, and nothing to remember it by. */
  #tried: ReadonlySet<LiveEndpoint> = none;
  #first: LiveEndpoint | null = null;

  constructor(upstream: LiveUpstream, preference: Preference | null, most: number | null) {
    this.upstream = upstream;
    this.#preference = preference;
    this.#most = most ?? upstream.upstream.tries;
  }

  /** The next endpoint, its request counted as under way until `done`; null when there is none left to try. @param now - on the upstream's clock */
  next(now?: number): LiveEndpoint | null {
    if (this.#first !== null) {
      if (this.#tried.size + (this.#tried === none ? 1 : 0) >= this.#most) return null;
      if (this.#tried === none) this.#tried = new Set([this.#first]);
    } else if (this.#most < 1) return null;
    const one = this.upstream.pick(this.#tried, this.#preference, now);
    if (one === null) return null;
    if (this.#first === null) this.#first = one;
    else this.#tried = new Set([...this.#tried, one]);
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

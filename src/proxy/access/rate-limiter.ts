import type { RateLimit } from '../../snapshot/access.ts';

/** Clients kept account of, over all routes; the one that has not come for the longest is forgotten first. */
const maxClients = 65_536;

export type RateRefusal = 'rate_limited' | 'too_many_requests';

interface Account {
  /** By rate of the limit: how many requests the client is ahead of its rate. */
  readonly excess: number[];
  at: number;
  underWay: number;
}

/**
 * nginx's limit_req (leaky bucket, `nodelay`) and limit_conn, by client address and route: a client may be `burst`
 * requests ahead of its rate, and the request that would be one more is refused and counts for nothing.
 */
export class RateLimiter {
  readonly #now: () => number;
  readonly #accounts = new Map<string, Account>();

  /** @param now Milliseconds of a clock that never goes back. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Clients that are kept account of. */
  get size(): number {
    return this.#accounts.size;
  }

  /**
   * Counts a request of a client; gives back why it is refused, or what is to be called when it is over.
   *
   * @param routeId `Route.id`.
   */
  take(limit: RateLimit, routeId: string, address: string): RateRefusal | (() => void) {
    if (limit.exempt?.contains(address) === true) return () => {};
    const key = `${address} ${routeId}`;
    const now = this.#now();
    const account = this.#accounts.get(key) ?? { excess: [], at: now, underWay: 0 };
    const excess = limit.rates.map(({ perSecond, burst }, index) => {
      const before = account.excess[index];
      // The first request of a client is not ahead of anything.
      if (before === undefined) return 0;
      const ahead = Math.max(0, before - (perSecond * (now - account.at)) / 1000 + 1);
      return ahead > burst ? null : ahead;
    });
    if (excess.includes(null)) return 'rate_limited';
    if (account.underWay >= limit.connections) return 'too_many_requests';
    account.excess.splice(0, Infinity, ...excess.map(Number));
    account.at = now;
    account.underWay++;
    this.#keep(key, account);
    return () => {
      account.underWay--;
    };
  }

  #keep(key: string, account: Account): void {
    this.#accounts.delete(key);
    this.#accounts.set(key, account);
    if (this.#accounts.size <= maxClients) return;
    for (const [oldest, { underWay }] of this.#accounts) {
      if (underWay > 0) continue;
      this.#accounts.delete(oldest);
      return;
    }
  }
}

import type { Forward, Respond } from '../../snapshot/decision.ts';
import { respond } from '../../snapshot/respond.ts';
import { Authenticator } from '../access/authenticator.ts';
import { RateLimiter } from '../access/rate-limiter.ts';
import { valuesOf } from '../headers/field.ts';
import type { Exchange } from './exchange.ts';

/**
 * What stands between a decision to forward and the upstream, and cannot be decided by a pure function: how much the
 * client asked for lately, and its password. In nginx's order: limits (preaccess), then authentication (access).
 */
export class Admission {
  readonly #authenticator = new Authenticator();
  readonly #limiter = new RateLimiter();

  /** Null at once for routes without any of it: nothing is waited for there. */
  admit(exchange: Exchange, decision: Forward): Promise<Respond | null> | Respond | null {
    const { host, route } = decision;
    const limit = route.rateLimit;
    if (limit !== null) {
      const taken = this.#limiter.take(limit, route.id, exchange.clientAddress);
      if (typeof taken === 'string') return respond(taken, host, route, { status: limit.status });
      exchange.atEnd(taken);
    }
    return decision.authenticate ? this.#authenticate(exchange, decision) : null;
  }

  async #authenticate(exchange: Exchange, { host, route }: Forward): Promise<Respond | null> {
    const auth = route.access?.basicAuth ?? null;
    // Asked to authenticate, and nothing to do it by: rule 1.
    if (auth === null) return respond('unauthorized', host, route, 'the route has no users');
    const headers = valuesOf(exchange.request.rawHeaders, 'authorization');
    const result = await this.#authenticator.authenticate(auth, headers.length === 1 ? headers[0]! : null);
    switch (result) {
      case 'yes':
        return null;
      case 'busy':
        return respond('authentication_busy', host, route, 'too many passwords wait to be compared');
      case 'no':
        return respond('unauthorized', host, route, {
          detail:
            headers.length === 0 ? 'no credentials were sent' : 'the credentials are not those of a user',
          headers: ['WWW-Authenticate', `Basic realm="${auth.realm}"`],
        });
    }
  }
}

import type { ExternalAuth } from '../../snapshot/access.ts';
import type { Forward, Respond } from '../../snapshot/decision.ts';
import { targetFactsOf } from '../../snapshot/carry-out.ts';
import { respond } from '../../snapshot/respond.ts';
import { AnswerMemory } from '../access/answer-memory.ts';
import { Authenticator } from '../access/authenticator.ts';
import { askExternally, type AuthAnswer, type Send } from '../access/external-auth.ts';
import { RateLimiter } from '../access/rate-limiter.ts';
import { valuesOf } from '../headers/field.ts';
import type { Exchange } from './exchange.ts';
import { keyFactsOf } from './key-facts.ts';
import { Pace } from './pace.ts';
import { outboundHeaders } from './forward.ts';

/**
 * What stands between a decision to forward and the upstream, and cannot be decided by a pure function: how much the
 * client asked for lately, its password, and what an external service says of it. In nginx's order: limits
 * (preaccess), then authentication (access); with `satisfy: any` the first authentication that succeeds is enough.
 */
export class Admission {
  readonly #authenticator = new Authenticator();
  readonly #answers = new AnswerMemory();
  readonly #limiter = new RateLimiter();
  readonly #send: Send;

  constructor(send: Send) {
    this.#send = send;
  }

  /** Null at once for routes without any of it: nothing is waited for there. */
  admit(exchange: Exchange, decision: Forward): Promise<Respond | null> | Respond | null {
    const { host, route } = decision;
    const limit = route.rateLimit;
    if (limit !== null) {
      const taken = this.#limiter.take(limit, route.id, exchange.clientAddress);
      if (typeof taken === 'string') {
        const status = taken === 'rate_limited' ? limit.status : limit.connectionsStatus;
        return respond(taken, host, route, { status });
      }
      exchange.atEnd(taken);
      if (limit.pace !== null && limit.exempt?.contains(exchange.clientAddress) !== true) {
        exchange.pace = new Pace(limit.pace.bytesPerSecond, limit.pace.after);
      }
    }
    return decision.authenticate ? this.#authenticate(exchange, decision) : null;
  }

  async #authenticate(exchange: Exchange, decision: Forward): Promise<Respond | null> {
    const { host, route } = decision;
    const { access } = route;
    let refusal: Respond | null = null;
    for (const ask of [
      access?.basicAuth ? () => this.#askPassword(exchange, decision) : null,
      access?.external ? () => this.#askService(exchange, decision) : null,
    ]) {
      if (ask === null || exchange.over) continue;
      const result = await ask();
      if (result === null && access?.satisfy === 'any') return null;
      if (result !== null && access?.satisfy === 'all') return result;
      refusal ??= result;
    }
    // Asked to authenticate, and nothing to do it by: rule 1.
    const isBare = access === null || (access.basicAuth === null && access.external === null);
    return isBare ? respond('unauthorized', host, route, 'the route has no users') : refusal;
  }

  /** What was said of one certificate is never taken for another's. */
  #memoryKey(exchange: Exchange, { route }: Forward, { cache }: ExternalAuth): string | null {
    const facts = cache === null ? null : keyFactsOf(exchange, route, Date.now());
    const key = cache === null || facts === null ? '' : cache.key.render(facts);
    return key === '' ? null : JSON.stringify([route.id, facts?.identity?.sha256 ?? null, key]);
  }

  async #askPassword(exchange: Exchange, { host, route }: Forward): Promise<Respond | null> {
    const auth = route.access!.basicAuth!;
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

  async #askService(exchange: Exchange, decision: Forward): Promise<Respond | null> {
    const auth = decision.route.access!.external!;
    const left = new AbortController();
    exchange.atEnd(() => left.abort());
    const { head } = exchange.judgement;
    const { connection } = exchange.downstream;
    if (head === null) return respond('internal', decision.host, decision.route, 'no head to ask about');
    const facts = targetFactsOf(decision.route, connection, head);
    const key = this.#memoryKey(exchange, decision, auth);
    const known = key === null ? null : this.#answers.find(key);
    const answer =
      known ??
      (await askExternally(
        this.#send,
        {
          auth,
          headers: outboundHeaders(exchange, decision),
          method: exchange.request.method ?? '',
          facts,
          timeouts: decision.route.timeouts,
        },
        left.signal,
      ));
    if (known === null && key !== null && answer.kind === 'answer') {
      const forMs = auth.cache?.durations.get(answer.status);
      if (forMs !== undefined) this.#answers.remember(key, answer, forMs);
    }
    if (answer.kind === 'answer' && answer.status >= 200 && answer.status < 300) {
      exchange.grant(answer.requestHeaders, answer.cookies);
      return null;
    }
    return refusalOf(decision, auth, answer, (template) => template.render(facts), facts);
  }
}

/** auth_request: 401 and 403 are passed on, everything else is an error of the service, never a way in. */
function refusalOf(
  { host, route }: Forward,
  auth: ExternalAuth,
  answer: AuthAnswer,
  render: (template: NonNullable<ExternalAuth['signin']>) => string,
  { scheme, authority, path, query }: ReturnType<typeof targetFactsOf>,
): Respond {
  if (answer.kind === 'failure') return respond('authentication_failed', host, route, answer.detail);
  const given = answer.cookies.flatMap((cookie) => ['Set-Cookie', cookie]);
  const cookies = auth.alwaysSetCookie ? given : [];
  if (answer.status === 403) return respond('forbidden', host, route, { headers: cookies });
  if (answer.status !== 401) {
    return respond('authentication_failed', host, route, {
      detail: `the service answered ${answer.status}`,
      headers: cookies,
    });
  }
  if (auth.signin === null) {
    const challenges = answer.challenges.flatMap((challenge) => ['WWW-Authenticate', challenge]);
    return respond('unauthorized', host, route, { headers: [...challenges, ...cookies] });
  }
  const url = render(auth.signin);
  const back = encodeURIComponent(`${scheme}://${authority}${path}${query}`);
  const parameter =
    auth.signinParameter === '' ? '' : `${url.includes('?') ? '&' : '?'}${auth.signinParameter}=${back}`;
  return respond('sign_in', host, route, { location: url + parameter, headers: given });
}

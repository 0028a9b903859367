import { type RetryRules, usualRetry } from '../../snapshot/retry.ts';
import type { AttemptFailure, AttemptListener } from './attempt.ts';
import type { Carrier, Ongoing } from './carrier.ts';
import type { LiveEndpoint } from './live-endpoint.ts';
import type { LiveUpstream } from './live-upstream.ts';
import type {
  OutboundCall,
  OutboundFacts,
  ResponseHandler,
  UpstreamFailure,
  UpstreamRecord,
} from './outbound.ts';
import type { Pooled } from './pool.ts';
import { blames, mayRetry, mayRetryStatus, type Standing } from './retry.ts';
import { noEndpoint, Tries } from './tries.ts';

/** RFC 9110 §9.2.2. TRACE is refused long before. */
const idempotent: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);

/**
 * One request from the first endpoint tried to the end of the response. Retries by rule 9 and the route's rules
 * (`mayRetry`): nothing of a response has reached the client, no byte of the body has been read, and either nothing was
 * sent or the request may be sent twice. Statuses and read time-outs are answers, unless the route says otherwise.
 *
 * A kept connection that turns out closed is no endpoint tried: the request goes to the same endpoint once more, over a
 * new connection, and only what becomes of that counts.
 */
export class Call<C extends Pooled, Head> implements OutboundCall, AttemptListener<Head> {
  readonly record: UpstreamRecord;
  readonly #request: OutboundFacts;
  readonly #carrier: Carrier<C, Head>;
  readonly #handler: ResponseHandler<Head>;
  readonly #rules: RetryRules;
  readonly #tries: Tries | null;
  readonly #now: () => number;
  readonly #over: (call: Call<C, Head>) => void;
  #endpoint: LiveEndpoint | null = null;
  #connection: C | null = null;
  #attempt: Ongoing | null = null;
  #cancel: (() => void) | null = null;
  #startedAt = 0;
  #chosenAt = 0;
  #sentAt = 0;
  /** Something of a response has been passed on. */
  #told = false;
  #finished = false;

  /**
   * Does nothing before `start`.
   * @param upstream - null for one that is not configured
   * @param over - called once, when nothing of the call is left
   */
  constructor(
    request: OutboundFacts,
    carrier: Carrier<C, Head>,
    handler: ResponseHandler<Head>,
    upstream: LiveUpstream | null,
    now: () => number,
    over: (call: Call<C, Head>) => void,
  ) {
    this.#request = request;
    this.#carrier = carrier;
    this.#handler = handler;
    this.#rules = request.retry ?? usualRetry;
    this.#tries =
      upstream === null ? null : new Tries(upstream, request.preference ?? null, this.#rules.tries);
    this.#now = now;
    this.#over = over;
    this.record = { upstream: request.upstream, endpoint: null, tries: 0, headMs: null, status: null };
  }

  /** To be called once, when the caller holds the call: the handler may hear of it before this returns. */
  start(): void {
    if (this.#finished) return;
    if (this.#tries === null) return this.#fail(noEndpoint(this.#request.upstream));
    const now = this.#now();
    this.#startedAt = now;
    const endpoint = this.#tries.next(now);
    if (endpoint === null) this.#fail(noEndpoint(this.#request.upstream));
    else this.#ask(endpoint, now);
  }

  abort(): void {
    if (this.#finished) return;
    this.#cancel?.();
    this.#attempt?.abort();
    this.#finish();
  }

  resume(): void {
    this.#attempt?.resume();
  }

  /** Ends the call for our own reasons, as if the upstream had closed the connection. */
  cut(why: UpstreamFailure): void {
    if (this.#finished) return;
    const begun = this.record.status !== null;
    this.abort();
    this.#handler.onError(begun ? { ...why, reason: 'upstream_truncated' } : why);
  }

  information(status: number, head: Head): void {
    this.#told = true;
    this.#handler.onInformation(status, head);
  }

  response(status: number, head: Head): void {
    this.record.status = status;
    this.record.headMs = this.#now() - this.#sentAt;
    if (this.#triedElsewhere(status)) return;
    this.#told = true;
    this.#handler.onResponse(status, head);
  }

  data(chunk: Buffer): boolean {
    return this.#handler.onData(chunk);
  }

  end(): void {
    const endpoint = this.#endpoint!;
    const connection = this.#connection!;
    this.#tries!.upstream.succeeded(endpoint);
    this.#measure(endpoint);
    this.#carrier.release(endpoint, connection);
    this.#finish();
    this.#handler.onEnd();
  }

  failed(how: AttemptFailure): void {
    const standing = this.#standing(how);
    const again = mayRetry(this.#rules, how.failure, standing);
    if (how.stale) {
      // The endpoint has not been tried at all: this is no retry that a route could turn off.
      if (!mayRetry(usualRetry, how.failure, standing)) return this.#fail(how.failure);
      this.#tries!.upstream.retried(this.#endpoint!, `kept connection: ${how.failure.detail}`);
      return this.#connect(this.#endpoint!);
    }
    if (how.failure.reason === 'upstream_read_timeout') this.#measure(this.#endpoint!);
    if (how.blame) this.#tries!.upstream.failed(this.#endpoint!);
    this.#next(how.failure, again);
  }

  /** Drops a response whose status is reason enough to ask another endpoint, where there is one. */
  #triedElsewhere(status: number): boolean {
    const standing = this.#standing({ unsent: false, answered: true });
    if (!mayRetryStatus(this.#rules, status, standing) || this.#late) return false;
    const endpoint = this.#endpoint!;
    const { upstream } = this.#tries!;
    const next = this.#tries!.next();
    if (next === null) return false;
    upstream.retried(next, `status ${status}`);
    this.#attempt!.abort();
    if (blames(status)) upstream.failed(endpoint);
    this.record.status = null;
    this.record.headMs = null;
    this.#try(next, noEndpoint(this.#request.upstream));
    return true;
  }

  /** A failure that comes fast is no fast answer: it is not measured. */
  #measure(endpoint: LiveEndpoint): void {
    const { upstream } = this.#tries!;
    if (upstream.measures) upstream.measured(endpoint, this.#now() - this.#chosenAt);
  }

  #standing(how: Pick<AttemptFailure, 'unsent' | 'answered'>): Standing {
    const { unsent, answered } = how;
    return {
      idempotent: idempotent.has(this.#request.method),
      unsent,
      answered,
      spent: this.#carrier.consumed,
      told: this.#told,
    };
  }

  get #late(): boolean {
    return this.#now() - this.#startedAt >= this.#rules.timeoutMs;
  }

  #next(why: UpstreamFailure, again: boolean): void {
    const next = again && !this.#late ? this.#tries!.another(why) : null;
    this.#try(next, why);
  }

  #try(endpoint: LiveEndpoint | null, why: UpstreamFailure): void {
    if (endpoint === null) return this.#fail(why);
    if (this.#endpoint !== null) this.#tries!.done(this.#endpoint);
    this.#ask(endpoint, this.#now());
  }

  #ask(endpoint: LiveEndpoint, now: number): void {
    this.#endpoint = endpoint;
    this.record.endpoint = endpoint.name;
    this.#chosenAt = now;
    const kept = this.#carrier.poolOf(endpoint).take(now);
    if (kept === null) this.#connect(endpoint);
    else this.#send(kept, now);
  }

  #connect(endpoint: LiveEndpoint): void {
    this.#cancel = this.#carrier
      .poolOf(endpoint)
      .open(this.#request.timeouts.connectMs, (failure, connection) => {
        this.#cancel = null;
        if (connection !== null) return this.#send(connection, this.#now());
        this.record.tries++;
        this.#tries!.upstream.failed(endpoint);
        this.#next(
          failure!,
          mayRetry(this.#rules, failure!, this.#standing({ unsent: true, answered: false })),
        );
      });
  }

  #send(connection: C, now: number): void {
    this.record.tries++;
    this.#connection = connection;
    this.#sentAt = now;
    this.#attempt = this.#carrier.attempt(connection, this);
    this.#attempt.start();
  }

  #fail(why: UpstreamFailure): void {
    this.#finish();
    this.#handler.onError(why);
  }

  #finish(): void {
    this.#finished = true;
    if (this.#endpoint !== null) this.#tries!.done(this.#endpoint);
    this.#endpoint = null;
    this.#over(this);
  }
}

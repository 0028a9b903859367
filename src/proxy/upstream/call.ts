import { type RetryRules, usualRetry } from '../../snapshot/retry.ts';
import { Attempt, type AttemptFailure, type AttemptListener } from './attempt.ts';
import { RequestBody } from './body.ts';
import type { Connection, WireRequest } from './connection.ts';
import type { LiveEndpoint } from './live-endpoint.ts';
import type { LiveUpstream } from './live-upstream.ts';
import type {
  OutboundCall,
  OutboundRequest,
  ResponseHandler,
  UpstreamFailure,
  UpstreamRecord,
} from './outbound.ts';
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
export class Call implements OutboundCall, AttemptListener {
  readonly record: UpstreamRecord;
  readonly #request: OutboundRequest;
  readonly #wire: WireRequest;
  readonly #handler: ResponseHandler;
  readonly #rules: RetryRules;
  readonly #startedAt: number;
  readonly #tries: Tries | null;
  readonly #now: () => number;
  readonly #over: (call: Call) => void;
  #endpoint: LiveEndpoint | null = null;
  #connection: Connection | null = null;
  #attempt: Attempt | null = null;
  #cancel: (() => void) | null = null;
  #chosenAt = 0;
  #sentAt = 0;
  /** Something of a response has been passed on. */
  #told = false;
  #finished = false;

  /**
   * @param upstream - null for one that is not configured
   * @param over - called once, when nothing of the call is left
   */
  constructor(
    request: OutboundRequest,
    handler: ResponseHandler,
    upstream: LiveUpstream | null,
    now: () => number,
    over: (call: Call) => void,
  ) {
    this.#request = request;
    this.#handler = handler;
    this.#rules = request.retry ?? usualRetry;
    this.#startedAt = now();
    this.#tries =
      upstream === null ? null : new Tries(upstream, request.preference ?? null, this.#rules.tries);
    this.#now = now;
    this.#over = over;
    const { method, target, headers, body } = request;
    // A length of 0 is no body. undici then says `Content-Length: 0` where the method has a meaning for one.
    const sent = body === null || body.length === 0 ? null : new RequestBody(body);
    this.#wire = {
      method,
      target,
      // undici takes the one header that ends its connection.
      headers: request.close === true ? [...headers, 'Connection', 'close'] : headers,
      body: sent,
      headLimit: request.headLimit ?? Infinity,
    };
    this.record = { upstream: request.upstream, endpoint: null, tries: 0, headMs: null, status: null };
    // Nothing is told to the handler before the caller holds the call.
    queueMicrotask(() => {
      if (!this.#finished) this.#try(this.#tries?.next() ?? null, noEndpoint(request.upstream));
    });
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

  information(status: number, headers: readonly string[]): void {
    this.#told = true;
    this.#handler.onInformation(status, headers);
  }

  response(status: number, headers: readonly string[]): void {
    this.record.status = status;
    this.record.headMs = this.#now() - this.#sentAt;
    if (this.#triedElsewhere(status)) return;
    this.#told = true;
    this.#handler.onResponse(status, headers);
  }

  data(chunk: Buffer): boolean {
    return this.#handler.onData(chunk);
  }

  end(): void {
    const endpoint = this.#endpoint!;
    const connection = this.#connection!;
    this.#tries!.upstream.succeeded(endpoint);
    this.#measure(endpoint);
    // By then undici has closed it, if the response or leftover bytes call for that.
    queueMicrotask(() => endpoint.pool.release(connection));
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
    this.#tries!.upstream.measured(endpoint, this.#now() - this.#chosenAt);
  }

  #standing(how: Pick<AttemptFailure, 'unsent' | 'answered'>): Standing {
    const { unsent, answered } = how;
    return {
      idempotent: idempotent.has(this.#request.method),
      unsent,
      answered,
      spent: this.#wire.body?.consumed === true,
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
    this.#endpoint = endpoint;
    this.record.endpoint = endpoint.name;
    this.#chosenAt = this.#now();
    const kept = endpoint.pool.take();
    if (kept === null) this.#connect(endpoint);
    else this.#send(kept);
  }

  #connect(endpoint: LiveEndpoint): void {
    this.#cancel = endpoint.pool.open(this.#request.timeouts.connectMs, (failure, connection) => {
      this.#cancel = null;
      if (connection !== null) return this.#send(connection);
      this.record.tries++;
      this.#tries!.upstream.failed(endpoint);
      this.#next(
        failure!,
        mayRetry(this.#rules, failure!, this.#standing({ unsent: true, answered: false })),
      );
    });
  }

  #send(connection: Connection): void {
    this.record.tries++;
    this.#connection = connection;
    this.#sentAt = this.#now();
    this.#attempt = new Attempt(connection, this.#wire, this.#request.timeouts, this);
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

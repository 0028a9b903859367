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
import { noEndpoint, Tries } from './tries.ts';

/** RFC 9110 §9.2.2. TRACE is refused long before. */
const idempotent: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);

/**
 * One request from the first endpoint tried to the end of the response. Retries by rule 9: nothing of a response has
 * come, no byte of the body has been read, and either nothing was sent or the connection broke under an idempotent
 * request. Statuses and read time-outs are answers: they are never retried.
 *
 * A kept connection that turns out closed is no endpoint tried: the request goes to the same endpoint once more, over a
 * new connection, and only what becomes of that counts.
 */
export class Call implements OutboundCall, AttemptListener {
  readonly record: UpstreamRecord;
  readonly #request: OutboundRequest;
  readonly #wire: WireRequest;
  readonly #handler: ResponseHandler;
  readonly #tries: Tries | null;
  readonly #now: () => number;
  readonly #over: (call: Call) => void;
  #endpoint: LiveEndpoint | null = null;
  #connection: Connection | null = null;
  #attempt: Attempt | null = null;
  #cancel: (() => void) | null = null;
  #sentAt = 0;
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
    this.#tries = upstream === null ? null : new Tries(upstream, request.preference ?? null);
    this.#now = now;
    this.#over = over;
    const { method, target, headers, body } = request;
    // A length of 0 is no body. undici then says `Content-Length: 0` where the method has a meaning for one.
    const sent = body === null || body.length === 0 ? null : new RequestBody(body);
    this.#wire = { method, target, headers, body: sent };
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
    this.#handler.onInformation(status, headers);
  }

  response(status: number, headers: readonly string[]): void {
    this.record.status = status;
    this.record.headMs = this.#now() - this.#sentAt;
    this.#handler.onResponse(status, headers);
  }

  data(chunk: Buffer): boolean {
    return this.#handler.onData(chunk);
  }

  end(): void {
    const endpoint = this.#endpoint!;
    const connection = this.#connection!;
    this.#tries!.upstream.succeeded(endpoint);
    // By then undici has closed it, if the response or leftover bytes call for that.
    queueMicrotask(() => endpoint.pool.release(connection));
    this.#finish();
    this.#handler.onEnd();
  }

  failed(how: AttemptFailure): void {
    const again = this.#mayRetry(how);
    if (how.stale) {
      if (!again) return this.#fail(how.failure);
      this.#tries!.upstream.retried(this.#endpoint!, `kept connection: ${how.failure.detail}`);
      return this.#connect(this.#endpoint!);
    }
    if (how.blame) this.#tries!.upstream.failed(this.#endpoint!);
    this.#next(how.failure, again);
  }

  #mayRetry({ failure, answered, unsent }: AttemptFailure): boolean {
    if (answered || this.#wire.body?.consumed === true) return false;
    if (failure.reason !== 'upstream_reset' && failure.reason !== 'upstream_tls') return false;
    return unsent || idempotent.has(this.#request.method);
  }

  #next(why: UpstreamFailure, again: boolean): void {
    const next = again ? this.#tries!.another(why) : null;
    this.#try(next, why);
  }

  #try(endpoint: LiveEndpoint | null, why: UpstreamFailure): void {
    if (endpoint === null) return this.#fail(why);
    if (this.#endpoint !== null) this.#tries!.done(this.#endpoint);
    this.#endpoint = endpoint;
    this.record.endpoint = endpoint.name;
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
      // Nothing was sent, so any method may be tried elsewhere; `consumed` is false as long as nothing was.
      this.#next(failure!, this.#wire.body?.consumed !== true);
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

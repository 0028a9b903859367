import type { Decision, Forward, Respond } from '../../snapshot/decision.ts';
import type { RequestReason } from '../../snapshot/reason.ts';
import { respond } from '../../snapshot/respond.ts';
import type { Route } from '../../snapshot/snapshot.ts';
import { renderAnswer } from '../answer.ts';
import { monotonicMs } from '../clock.ts';
import { discardableBytes } from '../full/request-body.ts';
import { frameResponse, type ResponseFraming } from '../full/response-framing.ts';
import { answerHeaders } from '../headers/answer-headers.ts';
import { planResponseHeaders } from '../headers/response.ts';
import type { AttemptListener } from '../upstream/attempt.ts';
import type { Carrier, Ongoing } from '../upstream/carrier.ts';
import type { LiveEndpoint } from '../upstream/live-endpoint.ts';
import type {
  OutboundCall,
  OutboundFacts,
  ResponseHandler,
  UpstreamFailure,
  UpstreamRecord,
} from '../upstream/outbound.ts';
import type { PlainConnection, PlainRequest } from '../upstream/plain-connection.ts';
import type { Pool } from '../upstream/pool.ts';
import { lastChunk } from '../wire/chunked-reader.ts';
import type { ResponseHead } from '../wire/response-head.ts';
import { answerText, dateLine, hasDate } from './answer-text.ts';
import type { ExpressConnection } from './express-connection.ts';
import type { HeaderBlock } from './header-block.ts';
import { type BodyOwner, RequestBody } from './request-body.ts';
import type { PlainMethod } from './request-line.ts';

/** A plain request that was decided on. */
export interface PlainRequestFacts {
  readonly method: PlainMethod;
  /** As sent. */
  readonly target: string;
  readonly block: HeaderBlock;
  readonly requestId: string;
  readonly decision: Decision;
}

/** A head for the client that was made of an upstream's, and what it was made for. */
interface Rendering {
  readonly route: Route;
  readonly head: boolean;
  readonly close: boolean;
  readonly scheme: 'https' | 'http';
  readonly framing: ResponseFraming;
  readonly text: string;
  readonly needsDate: boolean;
}

/**
 * One request of the express lane and its one answer, from the decision to the report; what the full lane's Exchange
 * is there, over bytes. Comes out as exactly one of an answer or a broken connection, and as exactly one RequestEvent.
 */
export class ExpressExchange
  implements
    Carrier<PlainConnection, ResponseHead>,
    ResponseHandler<ResponseHead>,
    PlainRequest,
    OutboundFacts,
    BodyOwner
{
  readonly facts: PlainRequestFacts;
  /** Null where the request has none. */
  readonly body: RequestBody | null;
  /** The head for the upstream; set before the call starts. */
  head = '';
  over = false;
  readonly #connection: ExpressConnection;
  readonly #startedAt: number;
  #status = 0;
  #reason: RequestReason = 'ok';
  #detail: string | null = null;
  #bytesSent = 0;
  #framing: ResponseFraming | null = null;
  #chunked = false;
  #call: OutboundCall | null = null;
  #record: UpstreamRecord | null = null;
  /** The answer is complete, and waits for the client to take it. */
  #ended = false;

  constructor(connection: ExpressConnection, facts: PlainRequestFacts, startedAt: number) {
    this.#connection = connection;
    this.facts = facts;
    this.#startedAt = startedAt;
    const { framing } = facts.block;
    const { route } = facts.decision;
    this.body =
      framing.kind === 'none' || (framing.kind === 'length' && framing.length === 0)
        ? null
        : new RequestBody(framing, route?.bodyLimit ?? Infinity, this);
  }

  /** Of a decision to forward. */
  get #route(): Route {
    return (this.facts.decision as Forward).route;
  }

  get method(): PlainMethod {
    return this.facts.method;
  }

  get upstream(): string {
    return this.#route.upstream;
  }

  get timeouts(): Route['timeouts'] {
    return this.#route.timeouts;
  }

  get retry(): Route['retry'] {
    return this.#route.retry;
  }

  get headLimit(): number {
    return this.#route.responseHeadLimit;
  }

  get close(): boolean {
    return this.#route.closesConnections;
  }

  /** The upstream's part is under way: cancelled if the exchange ends first. */
  attach(call: OutboundCall): void {
    this.#call = call;
    this.#record = call.record;
  }

  /** Answers by itself what was decided to be answered. */
  respond(decision: Respond): void {
    this.#answer(decision);
  }

  poolOf(endpoint: LiveEndpoint): Pool<PlainConnection> {
    return endpoint.plain;
  }

  attempt(connection: PlainConnection, listener: AttemptListener<ResponseHead>): Ongoing {
    return connection.prepare(this, listener);
  }

  release(endpoint: LiveEndpoint, connection: PlainConnection): void {
    endpoint.plain.release(connection);
  }

  get consumed(): boolean {
    return this.body?.consumed === true;
  }

  flush(): boolean {
    if (this.over || this.#ended) return true;
    if (this.#connection.out.flush()) return true;
    this.#connection.watchStall();
    return false;
  }

  /** The client takes more. */
  drained(): void {
    if (this.over) return;
    if (this.#ended) this.#finish();
    else this.#call?.resume();
  }

  onInformation(status: number, head: ResponseHead): void {
    // Clients are told to go on by us; what the upstream says of that is its own affair.
    if (this.over || this.#status !== 0 || status === 100) return;
    try {
      const text = answerText(status, planResponseHeaders(head.headers), { close: false });
      this.#connection.out.add(`${text}\r\n`);
    } catch {
      // Headers that cannot be written are not worth the response that is still to come.
    }
  }

  onResponse(status: number, head: ResponseHead): void {
    if (this.over || this.#status !== 0) return;
    const close = this.#connection.ending || this.facts.block.close || this.bodyPending;
    let rendering: Rendering | null;
    try {
      rendering = this.#render(status, head, close);
    } catch (error) {
      this.fail('upstream_protocol', `a response that cannot be written: ${String(error)}`);
      return;
    }
    if (rendering === null) {
      this.fail('upstream_protocol', `a response ${status} whose framing is ambiguous`);
      return;
    }
    const { framing, text, needsDate } = rendering;
    this.#framing = framing;
    this.#chunked = framing.length === null && !framing.bodyless;
    const date = needsDate ? dateLine(this.#connection.lane.now()) : '';
    const coding = this.#chunked ? 'Transfer-Encoding: chunked\r\n' : '';
    this.#connection.out.head(`${text}${date}${coding}\r\n`);
    this.#status = status;
    if (close) this.#connection.takeNoMore();
  }

  onData(chunk: Buffer): boolean {
    if (this.over) return false;
    this.#bytesSent += chunk.length;
    const { out } = this.#connection;
    if (!this.#chunked) out.add(chunk);
    else {
      out.add(`${chunk.length.toString(16)}\r\n`);
      out.add(chunk);
      out.add('\r\n');
    }
    return true;
  }

  onEnd(): void {
    if (this.over) return;
    const expected = this.#framing?.length ?? null;
    if (expected !== null && expected !== this.#bytesSent) {
      this.fail('upstream_truncated', `${this.#bytesSent} of ${expected} bytes came`);
      return;
    }
    if (this.#chunked) this.#connection.out.add(lastChunk);
    this.#end();
  }

  onError({ reason, detail }: UpstreamFailure): void {
    this.fail(reason, detail);
  }

  bodyFailed(reason: 'bad_framing' | 'body_too_large', detail: string): void {
    this.fail(reason, detail);
  }

  bodyFlows(flows: boolean): void {
    this.#connection.bodyFlows(flows);
  }

  /** Some of the request's body is still to come. */
  get bodyPending(): boolean {
    return this.body !== null && !this.body.complete;
  }

  /**
   * Something went wrong. Answered where nothing was sent yet; otherwise the connection is broken, so that
   * the client cannot take what it has for the whole.
   */
  fail(reason: Exclude<RequestReason, 'ok'>, detail: string | null): void {
    if (this.over || this.#reason !== 'ok') return;
    this.#call?.abort();
    if (this.#status !== 0 || reason === 'client_abort' || reason === 'upstream_truncated') {
      this.#reason = reason;
      this.#detail = detail;
      this.body?.drop();
      this.#connection.out.drop();
      this.#connection.breakOff();
      this.#finish();
      return;
    }
    this.#answer(respond(reason, null, null, detail));
  }

  /** The connection is gone before the answer was through. */
  gone(): void {
    if (this.over) return;
    if (this.#reason === 'ok') this.#reason = 'client_abort';
    this.#call?.abort();
    this.body?.drop();
    this.#finish();
  }

  #render(status: number, head: ResponseHead, close: boolean): Rendering | null {
    const { method } = this.facts;
    const route = this.#route;
    const scheme = this.#connection.connection.listener;
    const last = head.rendering as Rendering | null;
    const isHead = method === 'HEAD';
    if (
      last !== null &&
      last.route === route &&
      last.head === isHead &&
      last.close === close &&
      last.scheme === scheme &&
      // What CORS says depends on the request.
      route.cors === null
    ) {
      return last;
    }
    const framing = frameResponse(method, status, planResponseHeaders(head.headers), head.headers);
    if (framing === null || status > 999) return null;
    const headers = this.#edited(framing.headers);
    const rendering: Rendering = {
      route,
      head: isHead,
      close,
      scheme,
      framing: { ...framing, headers: [] },
      text: answerText(status, headers, { close }),
      needsDate: !hasDate(headers),
    };
    head.rendering = rendering;
    return rendering;
  }

  #edited(headers: readonly string[]): readonly string[] {
    const { decision, block } = this.facts;
    return answerHeaders(headers, decision, this.#connection.connection.listener, block.rawHeaders);
  }

  #answer(decision: Respond): void {
    const { reason, status, location, content, headers, detail } = decision;
    const { block, requestId, method } = this.facts;
    this.#reason = reason;
    this.#detail = detail;
    const answer = renderAnswer({
      reason,
      status,
      requestId,
      accept: block.accept,
      location,
      content,
      headers,
    });
    const close =
      decision.close || this.#connection.ending || block.close || (this.bodyPending && !this.#discardable);
    this.body?.drop();
    const { out } = this.#connection;
    out.drop();
    let text: string;
    try {
      const edited = this.#edited(answer.headers);
      text = answerText(answer.status, edited, { close });
      if (!hasDate(edited)) text += dateLine(this.#connection.lane.now());
    } catch (error) {
      this.#detail = String(error);
      this.#connection.breakOff();
      this.#finish();
      return;
    }
    out.head(`${text}\r\n`);
    this.#status = status;
    if (close) this.#connection.takeNoMore();
    if (method !== 'HEAD' && answer.body.length > 0) {
      this.#bytesSent = answer.body.length;
      out.add(answer.body);
    }
    this.#end();
  }

  /** The rest of the body is small and sure to come. */
  get #discardable(): boolean {
    const { framing } = this.facts.block;
    return framing.kind === 'length' && framing.length <= discardableBytes;
  }

  /** Everything is on its way to the client. */
  #end(): void {
    this.#ended = true;
    if (this.#connection.out.flush()) this.#finish();
    else this.#connection.watchStall();
  }

  #finish(): void {
    if (this.over) return;
    this.over = true;
    this.body?.drop();
    const { method, target, block, requestId, decision } = this.facts;
    const { connection } = this.#connection;
    const now = monotonicMs();
    this.#connection.report({
      id: requestId,
      connection,
      method,
      authority: block.authority,
      target,
      userAgent: block.userAgent,
      decision,
      status: this.#status,
      reason: this.#reason,
      detail: this.#detail,
      bytesReceived: this.body?.received ?? 0,
      bytesSent: this.#bytesSent,
      durationMs: now - this.#startedAt,
      upstream: this.#record,
      upgrade: false,
    });
    this.#connection.done(this, now);
  }
}

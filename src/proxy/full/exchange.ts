import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RequestEvent } from '../../observe/observer.ts';
import type { RequestSpan } from '../../observe/tracing.ts';
import { respond } from '../../snapshot/respond.ts';
import type { Forward, Respond } from '../../snapshot/decision.ts';
import type { RefusalReason, RequestReason } from '../../snapshot/reason.ts';
import { renderAnswer } from '../answer.ts';
import { answerHeaders } from '../headers/answer-headers.ts';
import { valuesOf } from '../headers/field.ts';
import { planResponseHeaders } from '../headers/response.ts';
import { readBuffers } from '../read-buffers.ts';
import type { OutboundCall, UpstreamRecord } from '../upstream/outbound.ts';
import type { Downstream } from './downstream.ts';
import { judge, type Judgement } from './judgement.ts';
import type { Lane } from './lane.ts';
import { askForErrorPage } from './error-page.ts';
import type { Pace } from './pace.ts';
import { relay } from './relay.ts';
import { discardableBytes, RequestBody } from './request-body.ts';
import { frameResponse } from './response-framing.ts';

/** Written to send a head alone: `flushHeaders` would write its 8-bit bytes as UTF-8. */
const nothing = Buffer.alloc(0);

/**
 * One request and its one answer, from the parsed head to the report. Whatever happens in between — an
 * upstream that fails, a client that leaves, a body that never ends — comes out as exactly one of: an answer,
 * or a broken connection; and as exactly one RequestEvent.
 */
export class Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly downstream: Downstream;
  /** As sent; the request's own url is rewritten for the router. */
  readonly target: string;
  /** The client waits for `100 Continue` before it sends its body. */
  readonly expectsContinue: boolean;
  /** The request asked for a tunnel and is on its way to get it. */
  readonly upgrade: boolean;
  readonly #lane: Lane;
  readonly #startedAt = performance.now();
  #judgement: Judgement | null;
  #doom: { reason: RefusalReason; detail: string } | null = null;
  #status = 0;
  #reason: RequestReason = 'ok';
  #detail: string | null = null;
  #bytesSent = 0;
  #expectedBytes: number | null = null;
  #call: Pick<OutboundCall, 'abort' | 'resume'> | null = null;
  #record: UpstreamRecord | null = null;
  #body: RequestBody | null = null;
  #continued = false;
  /** The client has more to read than it takes; the upstream is paused. */
  #held = false;
  #over = false;
  /** What is answered if the error page that was asked for does not come; null: none was asked for. */
  #fallback: Respond | null = null;
  #pace: Pace | null = null;
  readonly #atEnd: (() => void)[] = [];
  #span: RequestSpan | null = null;
  #granted: Exchange['granted'] = null;
  #cookies: readonly string[] = [];

  constructor(
    lane: Lane,
    downstream: Downstream,
    request: IncomingMessage,
    response: ServerResponse,
    options: { expectsContinue?: boolean; judgement?: Judgement; upgrade?: boolean } = {},
  ) {
    this.#lane = lane;
    this.downstream = downstream;
    this.request = request;
    this.response = response;
    this.target = request.url ?? '';
    this.expectsContinue = options.expectsContinue ?? false;
    this.upgrade = options.upgrade ?? false;
    this.#judgement = options.judgement ?? null;
    if (!this.#isHttp11) response.useChunkedEncodingByDefault = false;
  }

  get judgement(): Judgement {
    this.#judgement ??= judge(this.#lane, this.downstream.connection, this.request, this.target);
    return this.#judgement;
  }

  /** Listens for the end. Called when all earlier requests of the connection are answered. */
  begin(): void {
    this.request.on('error', () => {});
    this.response.on('error', () => {});
    this.response.on('finish', this.#onFinish);
    this.response.on('close', this.#onClose);
    this.#beginSpan();
    if (this.#doom !== null) this.fail(this.#doom.reason, this.#doom.detail);
  }

  /** The headers for the upstream, told where in the trace they stand, if there is one. */
  traced(headers: readonly string[]): readonly string[] {
    return this.#span === null ? headers : this.#span.carry(headers);
  }

  #beginSpan(): void {
    const { tracing } = this.#lane;
    if (tracing === null) return;
    const { head } = this.judgement;
    const { connection } = this.downstream;
    this.#span = tracing.begin({
      method: this.request.method ?? '',
      target: this.target,
      authority: head?.authority ?? '',
      scheme: head?.told?.scheme ?? connection.listener,
      clientAddress: this.clientAddress,
      userAgent: this.#header('user-agent'),
      connection,
      rawHeaders: this.request.rawHeaders,
    });
  }

  /** The request's body turned out broken while earlier requests were still being answered. */
  doom(reason: RefusalReason, detail: string): void {
    this.#doom ??= { reason, detail };
  }

  /** Decides on the request. Where the decision is to respond, does so. */
  decide(): Forward | null {
    if (this.#status !== 0 || this.#over) return null;
    const { decision } = this.judgement;
    if (decision.action === 'forward') return decision;
    this.#answer(decision);
    return null;
  }

  /** The body for the upstream, or null where the request has none. Nothing is read before it is asked for. */
  openBody(limit: number): RequestBody | null {
    if (this.judgement.framing.kind === 'none') return null;
    this.#body = new RequestBody(this.request, {
      limit,
      timeoutMs: this.judgement.snapshot.limits.bodyTimeoutMs,
      onStart: () => {
        if (!this.expectsContinue || this.#status !== 0 || this.#over) return;
        this.#continued = true;
        this.response.writeContinue();
      },
      onFailure: (reason, detail) => this.fail(reason, detail),
    });
    return this.#body;
  }

  /** The upstream's part is under way: cancelled if the exchange ends first. */
  attach(call: Pick<OutboundCall, 'abort' | 'resume'>): void {
    this.#call = call;
    if (this.#over || this.#reason !== 'ok') call.abort();
  }

  /** What is to be reported of the upstream's part. */
  record(record: UpstreamRecord): void {
    this.#record = record;
  }

  /** Passes a 1xx on, to clients that know them (RFC 9110 §15.2). */
  inform(status: number, rawHeaders: readonly string[]): void {
    // Our own 100 is sent when the body is asked for; the upstream's says nothing about that.
    if (this.#over || this.#status !== 0 || status === 100 || !this.#isHttp11) return;
    try {
      this.response.writeInformation(status, [...planResponseHeaders(rawHeaders)]);
    } catch {
      // Headers that cannot be written are not worth the response that is still to come.
    }
  }

  /** Sets cookies beside those of the upstream; what a route changes about its cookies leaves ours alone. */
  addCookies(cookies: readonly string[]): void {
    this.#cookies = [...this.#cookies, ...cookies];
  }

  /** Starts the upstream's response towards the client. */
  start(status: number, rawHeaders: readonly string[]): void {
    if (this.#over || this.#status !== 0) return;
    if (this.#intercepts(status)) {
      const { host, route } = this.judgement.decision;
      this.#showErrorPage(status, respond('error_page_failed', host, route, { status }));
      return;
    }
    const framing = frameResponse(
      this.request.method ?? '',
      status,
      planResponseHeaders(rawHeaders),
      rawHeaders,
    );
    if (framing === null || status < 200 || status > 999) {
      this.fail('upstream_protocol', `a response ${status} whose framing is ambiguous`);
      return;
    }
    const untilClose = !this.#isHttp11 && framing.length === null;
    const close = this.#closes || this.#bodyPending || untilClose;
    try {
      this.#writeHead(status, framing.headers, close);
    } catch (error) {
      this.fail('upstream_protocol', `a response that cannot be written: ${String(error)}`);
      return;
    }
    this.#expectedBytes = framing.length;
    // The head goes out with the first bytes of the body where both came together, and alone where not.
    process.nextTick(() => {
      if (this.#bytesSent === 0 && !this.response.writableEnded && !this.#over) this.response.write(nothing);
    });
  }

  /** False: write nothing more until the upstream's `resume` is called. */
  write(chunk: Buffer): boolean {
    if (this.#over) return false;
    this.#bytesSent += chunk.length;
    readBuffers.read(chunk.length);
    const wait = this.#pace?.sent(chunk.length) ?? 0;
    const flows = this.response.write(chunk);
    if (flows && wait === 0) return true;
    if (this.#held) return false;
    this.#held = true;
    if (flows) {
      setTimeout(this.#onDrain, wait);
      return false;
    }
    this.downstream.watchStall();
    this.response.once('drain', this.#onDrain);
    return false;
  }

  /** How fast the response may go. */
  set pace(pace: Pace) {
    this.#pace = pace;
  }

  /** The upstream's response is complete. */
  end(): void {
    if (this.#over) return;
    if (this.#expectedBytes !== null && this.#expectedBytes !== this.#bytesSent) {
      this.fail('upstream_truncated', `${this.#bytesSent} of ${this.#expectedBytes} bytes came`);
      return;
    }
    this.response.end();
    if (this.response.writableLength > 0) this.downstream.watchStall();
  }

  /**
   * Something went wrong. Answered where nothing was sent yet; otherwise the connection is broken, so that
   * the client cannot take what it has for the whole.
   */
  fail(reason: Exclude<RequestReason, 'ok'>, detail: string | null): void {
    if (this.#over || (this.#reason !== 'ok' && this.#fallback === null)) return;
    this.#call?.abort();
    if (this.#fallback !== null && this.#status === 0 && reason !== 'client_abort') {
      this.#writeAnswer(this.#fallback);
      return;
    }
    this.#detail = detail;
    if (this.#status !== 0 || reason === 'client_abort' || reason === 'upstream_truncated') {
      this.#reason = reason;
      this.#body?.destroy();
      this.downstream.breakOff();
      return;
    }
    this.#answer(respond(reason, null, null, detail));
  }

  /** A decision to forward that came to nothing: the request is answered here. */
  refuse(decision: Respond): void {
    if (this.#over || this.#reason !== 'ok' || this.#status !== 0) return;
    this.#answer(decision);
  }

  /** What an external service that let the request in adds to it, and to its response. */
  grant(
    requestHeaders: ReadonlyMap<string, readonly [name: string, value: string | null]>,
    cookies: readonly string[],
  ): void {
    const route = this.judgement.decision.route?.requestHeaders ?? [];
    this.#granted = new Map([...route, ...requestHeaders]);
    this.#cookies = cookies;
  }

  get granted(): ReadonlyMap<string, readonly [name: string, value: string | null]> | null {
    return this.#granted;
  }

  /** Calls back once, when all is over. */
  atEnd(callback: () => void): void {
    this.#atEnd.push(callback);
  }

  get over(): boolean {
    return this.#over;
  }

  /** Where the request comes from, as a trusted proxy in front tells it. */
  get clientAddress(): string {
    return this.judgement.head?.told?.address ?? this.downstream.connection.remoteAddress;
  }

  /** The tunnel stands: the response is out of our hands. `finishTunnel` ends the exchange. */
  switchProtocols(): void {
    this.#status = 101;
  }

  /** The tunnel is closed. */
  finishTunnel(bytesReceived: number, bytesSent: number, detail: string | null): void {
    this.#bytesSent = bytesSent;
    this.#detail ??= detail;
    this.#finish(bytesReceived);
  }

  #answer(decision: Respond): void {
    if (!this.#intercepts(decision.status)) this.#writeAnswer(decision);
    else this.#showErrorPage(decision.status, decision);
  }

  /** The route has another upstream's answer stand in for this status; its own answer stands for itself. */
  #intercepts(status: number): boolean {
    const pages = this.judgement.decision.route?.errorPages ?? null;
    return pages !== null && this.#fallback === null && pages.statuses.has(status);
  }

  /** @param fallback What the client gets where there is no page to be had. */
  #showErrorPage(status: number, fallback: Respond): void {
    const { decision, head, requestId } = this.judgement;
    const { route } = decision;
    if (route === null || route.errorPages === null || head === null) {
      this.#writeAnswer(fallback);
      return;
    }
    this.#fallback = fallback;
    if (fallback.reason !== 'error_page_failed') {
      this.#reason = fallback.reason;
      this.#detail = fallback.detail;
    }
    this.#call?.abort();
    const { method = '', rawHeaders } = this.request;
    const { authority } = head;
    const { clientAddress, target } = this;
    const { timeouts } = route;
    const error = { status, method, target, authority, clientAddress, requestId, rawHeaders, timeouts };
    this.#call = askForErrorPage(this.#lane.upstreams, route.errorPages, error, relay(this));
  }

  #writeAnswer(decision: Respond): void {
    const { reason, status, location, content, headers, detail } = decision;
    this.#reason = reason;
    this.#detail = detail;
    const answer = renderAnswer({
      reason,
      status,
      requestId: this.judgement.requestId,
      accept: this.#header('accept'),
      location,
      content,
      headers,
    });
    const close = decision.close || this.#closes || (this.#bodyPending && !this.#discardable);
    if (close) this.#body?.destroy();
    else if (this.#body !== null) this.#body.discard();
    else this.request.resume();
    try {
      this.#writeHead(answer.status, answer.headers, close);
    } catch (error) {
      this.#detail = String(error);
      this.downstream.breakOff();
      return;
    }
    if (this.request.method !== 'HEAD') this.#bytesSent = answer.body.length;
    this.response.end(answer.body);
    if (this.response.writableLength > 0) this.downstream.watchStall();
  }

  #writeHead(status: number, headers: readonly string[], close: boolean): void {
    // Without this node:http adds Connection and Keep-Alive headers of its own.
    this.response.removeHeader('connection');
    const edited = this.#edited(headers);
    const connection = close ? ['Connection', 'close'] : this.#isHttp11 ? [] : ['Connection', 'keep-alive'];
    this.response.writeHead(status, [
      ...connection,
      ...edited,
      ...this.#cookies.flatMap((cookie) => ['Set-Cookie', cookie]),
    ]);
    this.#status = status;
    if (close) this.downstream.takeNoMore();
  }

  /** As the route wants the headers of its answers, the upstream's and our own. */
  #edited(headers: readonly string[]): readonly string[] {
    const { listener } = this.downstream.connection;
    return answerHeaders(headers, this.judgement.decision, listener, this.request.rawHeaders);
  }

  get #isHttp11(): boolean {
    return this.request.httpVersion === '1.1';
  }

  /** The connection ends with this response whatever the response is. */
  get #closes(): boolean {
    // A client that was not told to go on may send its body all the same, or not (RFC 9110 §10.1.1).
    const unanswered = this.expectsContinue && !this.#continued;
    return unanswered || this.downstream.ending || !this.response.shouldKeepAlive;
  }

  get #bodyPending(): boolean {
    return this.judgement.framing.kind !== 'none' && !this.request.complete;
  }

  /** The rest of the body is small and sure to come. */
  get #discardable(): boolean {
    const { framing } = this.judgement;
    return framing.kind === 'length' && framing.length <= discardableBytes;
  }

  #header(name: string): string | null {
    return valuesOf(this.request.rawHeaders, name)[0] ?? null;
  }

  readonly #onDrain = (): void => {
    this.#held = false;
    this.downstream.unwatchStall();
    if (!this.#over) this.#call?.resume();
  };

  readonly #onFinish = (): void => {
    if (this.#over) return;
    this.#finish(this.#body?.bytes ?? 0);
    this.downstream.done(this);
  };

  /** The connection is gone before the answer was through. */
  readonly #onClose = (): void => {
    if (this.#over) return;
    if (this.#reason === 'ok') this.#reason = 'client_abort';
    this.#call?.abort();
    this.#body?.destroy();
    this.#finish(this.#body?.bytes ?? 0);
  };

  #finish(bytesReceived: number): void {
    if (this.#over) return;
    this.#over = true;
    for (const callback of this.#atEnd) callback();
    // An upstream may answer without having taken all of the body.
    this.#body?.discard();
    const { head, requestId, decision } = this.judgement;
    const event: RequestEvent = {
      id: requestId,
      connection: this.downstream.connection,
      method: this.request.method ?? '',
      authority: head?.authority ?? this.#header('host') ?? '',
      target: this.target,
      userAgent: this.#header('user-agent'),
      decision,
      status: this.#status,
      reason: this.#reason,
      detail: this.#detail,
      bytesReceived,
      bytesSent: this.#bytesSent,
      durationMs: performance.now() - this.#startedAt,
      upstream: this.#record,
      upgrade: this.upgrade,
    };
    this.#span?.end(event);
    this.downstream.report(event);
  }
}

import type * as Api from '@opentelemetry/api';
import { overallVerdict, type Connection } from '../snapshot/connection.ts';
import { isRefusal, methodIndex, otherMethod } from './labels.ts';
import type { RequestEvent } from './observer.ts';
import { shorten } from './shorten.ts';
import { readTraceParent, withTraceParent } from './trace-parent.ts';
import { version } from './version.ts';

/** What a span begins with. Plain data, so that whoever has it can begin one. */
export interface TracedRequest {
  readonly method: string;
  /** As sent, with the query, of which nothing is told: it may hold secrets. */
  readonly target: string;
  /** The Host header, or empty. */
  readonly authority: string;
  readonly scheme: 'https' | 'http';
  /** The client's, as a trusted proxy in front tells it. */
  readonly clientAddress: string;
  readonly userAgent: string | null;
  readonly connection: Connection;
  /** Name, value, …. */
  readonly rawHeaders: readonly string[];
}

/** One request's span. Nothing of it throws. */
export interface RequestSpan {
  /** Headers for the upstream with this span as their place in the trace. */
  carry(headers: readonly string[]): readonly string[];
  /** Once, with what came of the request. */
  end(event: RequestEvent): void;
}

export interface Tracing {
  /** Null where the SDK failed: the request goes on without a span. */
  begin(request: TracedRequest): RequestSpan | null;
}

/** Where every copy of the API of major version 1 keeps what was registered with it. */
const registry = Symbol.for('opentelemetry.js.api.1');

/**
 * Spans through `@opentelemetry/api`, where the operator has loaded an SDK that registered a TracerProvider
 * (`NODE_OPTIONS='--import ./otel.mjs'`); null where not, and then the API is not even loaded.
 */
export async function loadTracing(): Promise<Tracing | null> {
  const registered = (globalThis as Record<symbol, unknown>)[registry] as
    { readonly trace?: unknown } | undefined;
  if (registered?.trace === undefined) return null;
  return createTracing(await import('@opentelemetry/api'));
}

/** A span for each request, named and described by the semantic conventions for HTTP servers (OpenTelemetry 1.3x). */
export function createTracing(api: typeof Api): Tracing {
  const tracer = api.trace.getTracer('mtls-ingress', version);
  return {
    begin(request) {
      try {
        const parent = contextOf(api, request.rawHeaders);
        const attributes = requestAttributes(request);
        const name = methodName(request.method);
        return spanOf(api, tracer.startSpan(name, { kind: api.SpanKind.SERVER, attributes }, parent));
      } catch {
        return null;
      }
    },
  };
}

function contextOf(api: typeof Api, rawHeaders: readonly string[]): Api.Context {
  const parent = readTraceParent(rawHeaders);
  if (parent === null) return api.ROOT_CONTEXT;
  const { traceId, spanId, flags, state } = parent;
  return api.trace.setSpanContext(api.ROOT_CONTEXT, {
    traceId,
    spanId,
    traceFlags: flags,
    isRemote: true,
    ...(state === null ? {} : { traceState: api.createTraceState(state) }),
  });
}

function spanOf(api: typeof Api, span: Api.Span): RequestSpan {
  return {
    carry(headers) {
      try {
        const context = span.spanContext();
        if (!api.isSpanContextValid(context)) return headers;
        const { traceId, spanId, traceFlags: flags, traceState } = context;
        return withTraceParent(headers, { traceId, spanId, flags, state: traceState?.serialize() || null });
      } catch {
        return headers;
      }
    },
    end(event) {
      try {
        const { route } = event.decision;
        if (route !== null) span.updateName(`${methodName(event.method)} ${shorten(route.path, 256)}`);
        span.setAttributes(resultAttributes(event));
        if (isFault(event)) span.setStatus({ code: api.SpanStatusCode.ERROR });
        span.end();
      } catch {
        // A span that is lost costs nobody an answer.
      }
    },
  };
}

/** Whoever can send a request picks its method: only known ones are names. */
function methodName(method: string): string {
  return methodIndex(method) === otherMethod ? 'HTTP' : method;
}

function requestAttributes(request: TracedRequest): Api.Attributes {
  const { method, target, scheme, clientAddress, userAgent, connection } = request;
  const known = methodIndex(method) !== otherMethod;
  const query = target.indexOf('?');
  const { name, port } = placeOf(request.authority);
  return {
    'http.request.method': known ? method : '_OTHER',
    ...(known ? {} : { 'http.request.method_original': shorten(method, 32) }),
    'url.scheme': scheme,
    'url.path': shorten(query === -1 ? target : target.slice(0, query), 1024),
    ...(name === '' ? {} : { 'server.address': name }),
    ...(port === null ? {} : { 'server.port': port }),
    'client.address': shorten(clientAddress, 64),
    'network.peer.address': shorten(connection.remoteAddress, 64),
    'network.peer.port': connection.remotePort,
    'network.protocol.name': 'http',
    ...(userAgent === null ? {} : { 'user_agent.original': shorten(userAgent, 256) }),
    ...tlsAttributes(connection),
  };
}

/** Of a certificate that was not verified nothing is told. */
function tlsAttributes(connection: Connection): Api.Attributes {
  const { tlsVersion, identity } = connection;
  if (tlsVersion === null) return {};
  const tls: Api.Attributes = {
    'tls.protocol.name': 'tls',
    'tls.protocol.version': tlsVersion.replace(/^TLSv/, ''),
    'tls.resumed': connection.resumed,
  };
  if (identity === null || overallVerdict(connection).status !== 'success') return tls;
  return {
    ...tls,
    'tls.client.subject': shorten(identity.subjectText, 1024),
    'tls.client.issuer': shorten(identity.issuerText, 1024),
    'tls.client.hash.sha256': identity.sha256.toUpperCase(),
  };
}

function placeOf(authority: string): { readonly name: string; readonly port: number | null } {
  const [, name = '', port] = /^(\[[^\]]*\]|[^:]*)(?::([0-9]{1,5}))?$/.exec(authority) ?? [];
  return { name: shorten(name.toLowerCase(), 256), port: port === undefined ? null : Number(port) };
}

function resultAttributes(event: RequestEvent): Api.Attributes {
  const { status, reason, decision, upstream } = event;
  const { wouldDeny } = decision;
  return {
    ...(status === 0 ? {} : { 'http.response.status_code': status }),
    ...(decision.route === null ? {} : { 'http.route': shorten(decision.route.path, 256) }),
    ...(isFault(event) ? { 'error.type': reason === 'ok' ? String(status) : reason } : {}),
    'mtls_ingress.request_id': event.id,
    'mtls_ingress.reason': reason,
    ...(decision.host === null ? {} : { 'mtls_ingress.host': decision.host.id }),
    ...(wouldDeny === undefined ? {} : { 'mtls_ingress.would_deny': wouldDeny.reason }),
    ...(upstream === null ? {} : { 'mtls_ingress.upstream': upstream.upstream }),
  };
}

/** Of a server's span a 4xx is no error: the client's is. */
function isFault({ status, reason }: RequestEvent): boolean {
  return status >= 500 || (reason !== 'ok' && !isRefusal(reason));
}

import { splitAuthority, type Authority } from '../snapshot/host-name.ts';
import type { RefusalReason } from '../snapshot/reason.ts';
import type { RequestHead } from '../snapshot/request-head.ts';
import { isFieldValue, isToken, valuesOf } from './headers/field.ts';

/** A head as node's parser gives it. */
export interface RequestHeadInput {
  readonly method: string;
  /** The request target as sent. */
  readonly target: string;
  /** `1.1` and the like. */
  readonly httpVersion: string;
  /** Name, value, name, value …, one character per byte. */
  readonly rawHeaders: readonly string[];
  readonly limits?: { readonly headerCount: number };
}

/** How the request's body is delimited (RFC 9112 §6.3). */
export type Framing =
  | { readonly kind: 'none' }
  /** Content-Length, in bytes. */
  | { readonly kind: 'length'; readonly length: number }
  | { readonly kind: 'chunked' };

export type RequestHeadResult =
  { readonly ok: true; readonly head: RequestHead; readonly framing: Framing } | Refusal;

export interface Refusal {
  readonly ok: false;
  readonly reason: RefusalReason;
  /** For the operator, on one line and bounded. Never sent to the client. */
  readonly detail: string;
}

/**
 * Reads a request head as strictly as a proxy must. Node's parser lets through what an origin server may put
 * up with; here, where two programs read one request, everything that the second might read otherwise is
 * refused (RFC 9112 §3.2, §5, §6.3, §11.2): a second Host, a Transfer-Encoding that is not just `chunked`,
 * both kinds of framing, versions other than 1.0 and 1.1, a target that contradicts Host, bytes that no
 * target or field may hold.
 */
export function readRequestHead(input: RequestHeadInput): RequestHeadResult {
  const refusal = checkVersion(input) ?? checkFields(input) ?? checkMethod(input.method);
  if (refusal !== null) return refusal;
  const host = readHost(input);
  if (!host.ok) return host;
  const framing = readFraming(input);
  if (!framing.ok) return framing;
  const target = readTarget(input.target, host.authority);
  if (!target.ok) return target;
  return {
    ok: true,
    head: {
      method: input.method,
      path: target.path,
      query: target.query,
      host: host.authority.host,
      authority: host.text,
    },
    framing: framing.framing,
  };
}

function checkVersion({ httpVersion }: RequestHeadInput): Refusal | null {
  if (httpVersion === '1.1' || httpVersion === '1.0') return null;
  return refuse('bad_version', `HTTP version ${quote(httpVersion)}`);
}

function checkFields({ rawHeaders, limits }: RequestHeadInput): Refusal | null {
  if (rawHeaders.length % 2 !== 0) return refuse('bad_request', 'a header name without a value');
  const count = rawHeaders.length / 2;
  if (limits !== undefined && count > limits.headerCount) {
    return refuse('head_too_large', `${count} headers, the limit is ${limits.headerCount}`);
  }
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    if (!isToken(name)) return refuse('bad_request', `header name ${quote(name)} is no token`);
    if (!isFieldValue(rawHeaders[index + 1] ?? '')) {
      return refuse('bad_request', `control characters in the value of ${quote(name)}`);
    }
  }
  return null;
}

function checkMethod(method: string): Refusal | null {
  if (!isToken(method)) return refuse('bad_request', `method ${quote(method)} is no token`);
  // CONNECT would turn a pooled upstream connection into the client's (CVE-2026-71324), TRACE would show the
  // client the headers that we add. In any case: to a lax backend `trace` is TRACE.
  if (/^(?:CONNECT|TRACE)$/i.test(method)) return refuse('method_refused', `method ${method}`);
  return null;
}

function readHost({ httpVersion, rawHeaders }: RequestHeadInput): HostRead | Refusal {
  const [text, ...others] = valuesOf(rawHeaders, 'host');
  if (text === undefined) {
    // HTTP/1.0 allows it; but nothing says then which host is meant, and a guess could be a protected one.
    return refuse('bad_host', httpVersion === '1.0' ? 'HTTP/1.0 without a Host header' : 'no Host header');
  }
  if (others.length > 0) return refuse('bad_host', `${others.length + 1} Host headers`);
  const authority = splitAuthority(text);
  if (authority === null) return refuse('bad_host', `Host ${quote(text)} is no host with an optional port`);
  return { ok: true, text, authority };
}

interface HostRead {
  readonly ok: true;
  readonly text: string;
  readonly authority: Authority;
}

function readFraming({ httpVersion, rawHeaders }: RequestHeadInput): FramingRead | Refusal {
  const codings = valuesOf(rawHeaders, 'transfer-encoding');
  const lengths = valuesOf(rawHeaders, 'content-length');
  if (codings.length > 0) {
    if (httpVersion === '1.0') return refuse('bad_framing', 'Transfer-Encoding in an HTTP/1.0 request');
    if (lengths.length > 0) return refuse('bad_framing', 'Transfer-Encoding together with Content-Length');
    if (codings.length > 1 || codings[0]?.toLowerCase() !== 'chunked') {
      return refuse('bad_framing', `Transfer-Encoding ${quote(codings.join(', '))}`);
    }
    return { ok: true, framing: { kind: 'chunked' } };
  }
  const [text, ...others] = lengths;
  if (text === undefined) return { ok: true, framing: { kind: 'none' } };
  if (others.length > 0) return refuse('bad_framing', `${others.length + 1} Content-Length headers`);
  const length = Number(text);
  if (!/^[0-9]{1,16}$/.test(text) || !Number.isSafeInteger(length)) {
    return refuse('bad_framing', `Content-Length ${quote(text)}`);
  }
  return { ok: true, framing: { kind: 'length', length } };
}

interface FramingRead {
  readonly ok: true;
  readonly framing: Framing;
}

function readTarget(target: string, host: Authority): TargetRead | Refusal {
  if (!/^[!"$-~]+$/.test(target)) {
    return refuse(
      'bad_path',
      `target ${quote(target)} is empty or holds \`#\`, a space, control or 8-bit bytes`,
    );
  }
  if (target.startsWith('/')) return splitQuery(target);
  const absolute = /^(https?):\/\/([^/?]*)(.*)$/i.exec(target);
  if (absolute === null) {
    // Of the other forms, authority-form belongs to CONNECT. `OPTIONS *` asks about no host's resource, so
    // there is no route and no policy for it; nginx answers 400 as well.
    return refuse('bad_request', `target ${quote(target)} is neither a path nor an http URL`);
  }
  const [, scheme = '', authority = '', rest = ''] = absolute;
  const named = splitAuthority(authority);
  if (named === null) return refuse('bad_host', `target ${quote(target)} names no host`);
  // RFC 9112 §3.2.2 would have us believe the target; a backend that believes Host would then serve another.
  const defaultPort = scheme.toLowerCase() === 'https' ? 443 : 80;
  if (named.host !== host.host || (named.port ?? defaultPort) !== (host.port ?? defaultPort)) {
    return refuse('bad_host', `target ${quote(target)} contradicts Host`);
  }
  return splitQuery(rest.startsWith('/') ? rest : `/${rest}`);
}

interface TargetRead {
  readonly ok: true;
  readonly path: string;
  readonly query: string;
}

function splitQuery(target: string): TargetRead {
  const mark = target.indexOf('?');
  return mark === -1
    ? { ok: true, path: target, query: '' }
    : { ok: true, path: target.slice(0, mark), query: target.slice(mark) };
}

function refuse(reason: RefusalReason, detail: string): Refusal {
  return { ok: false, reason, detail };
}

/** What the client sent, for the log: escaped and cut. */
function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}

import type { Connection } from '../../snapshot/connection.ts';
import type { RequestHead } from '../../snapshot/request-head.ts';
import { valuesOf } from './field.ts';

/** Headers that we set, or take away, on every request whatever the client sent under these names. */
export const ownNames: ReadonlySet<string> = new Set([
  'host',
  'x-request-id',
  'x-real-ip',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-proto',
  'x-forwarded-scheme',
  'x-scheme',
  'x-original-forwarded-for',
  'x-original-forwarded-host',
  // What the client expects, we answer; body and `100 Continue` to the upstream are the sender's affair.
  'expect',
  // CGI makes HTTP_PROXY of it, and the backend's own requests go there (httpoxy).
  'proxy',
]);

export interface ForwardedInput {
  readonly rawHeaders: readonly string[];
  readonly head: RequestHead;
  readonly connection: Connection;
  readonly requestId: string;
  readonly scheme: 'https' | 'http';
  /** `Snapshot.forwarded.append`. */
  readonly appendForwardedFor: boolean;
}

/**
 * What ingress-nginx tells an upstream about the request (nginx.tmpl, and lua_ingress.lua for port and scheme). The
 * client's own X-Forwarded-* are not believed but replaced, and kept under X-Original-Forwarded-*; what a trusted proxy
 * in front says is passed on (`use-forwarded-headers`). As there, X-Forwarded-Port is 443 for https whatever port the
 * listener has: in front of it stands a Service or load balancer.
 */
export function forwardedHeaders(input: ForwardedInput): string[] {
  const { rawHeaders, head, connection, requestId } = input;
  const { told } = head;
  const address = told?.address ?? connection.remoteAddress;
  const scheme = told?.scheme ?? input.scheme;
  const original = valuesOf(rawHeaders, 'x-forwarded-for').join(', ');
  const appends = told !== undefined && input.appendForwardedFor && original !== '';
  const headers = [
    'X-Request-ID',
    requestId,
    'X-Real-IP',
    address,
    'X-Forwarded-For',
    appends ? `${original}, ${connection.remoteAddress}` : address,
    'X-Forwarded-Host',
    told?.host ?? head.authority,
    'X-Forwarded-Port',
    told?.port ?? (scheme === 'https' ? '443' : String(connection.localPort)),
    'X-Forwarded-Proto',
    scheme,
    'X-Forwarded-Scheme',
    scheme,
    'X-Scheme',
    scheme,
  ];
  if (original !== '') headers.push('X-Original-Forwarded-For', original);
  const originalHost = valuesOf(rawHeaders, 'x-forwarded-host').join(', ');
  if (originalHost !== '') headers.push('X-Original-Forwarded-Host', originalHost);
  return headers;
}

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
}

/**
 * What ingress-nginx tells an upstream about the request, with `use-forwarded-headers` off (nginx.tmpl, and
 * lua_ingress.lua for port and scheme): the client's own X-Forwarded-* are not believed but replaced, and kept
 * under X-Original-Forwarded-*. As there, X-Forwarded-Port is 443 for https whatever port the listener has:
 * in front of it stands a Service or load balancer.
 */
export function forwardedHeaders({
  rawHeaders,
  head,
  connection,
  requestId,
  scheme,
}: ForwardedInput): string[] {
  const address = connection.remoteAddress;
  const headers = [
    'X-Request-ID',
    requestId,
    'X-Real-IP',
    address,
    'X-Forwarded-For',
    address,
    'X-Forwarded-Host',
    head.authority,
    'X-Forwarded-Port',
    scheme === 'https' ? '443' : String(connection.localPort),
    'X-Forwarded-Proto',
    scheme,
    'X-Forwarded-Scheme',
    scheme,
    'X-Scheme',
    scheme,
  ];
  const original = valuesOf(rawHeaders, 'x-forwarded-for').join(', ');
  if (original !== '') headers.push('X-Original-Forwarded-For', original);
  const originalHost = valuesOf(rawHeaders, 'x-forwarded-host').join(', ');
  if (originalHost !== '') headers.push('X-Original-Forwarded-Host', originalHost);
  return headers;
}

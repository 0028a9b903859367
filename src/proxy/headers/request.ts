import type { Route } from '../../snapshot/snapshot.ts';
import { type ForwardedInput, forwardedHeaders, ownNames } from './forwarded.ts';
import { connectionNamed, hopByHopNames } from './hop-by-hop.ts';
import { planIdentityHeaders } from './identity.ts';
import { isIdentityHeaderName } from './names.ts';

export interface RequestHeadersInput extends ForwardedInput {
  readonly route: Pick<Route, 'clientAuth' | 'identityHeaders' | 'upstreamHost' | 'requestHeaders'>;
  /** In place of the route's own: those together with what an external service said; null: none was asked. */
  readonly granted?: ReadonlyMap<string, readonly [name: string, value: string | null]> | null;
  /** We asked for the password ourselves: it is nobody else's business. */
  readonly withoutCredentials?: boolean;
  /** The certificate does not count for this request: nobody is told of an identity. */
  readonly unverified?: boolean;
  /** `Snapshot.identityHeaderNames`. */
  readonly snapshotIdentityHeaderNames: ReadonlySet<string>;
}

/** nginx calls all others invalid and drops them (`ignore_invalid_headers on`, `underscores_in_headers off`). */
const passableName = /^[a-z0-9-]+$/;

const nobodyAsked: Route['clientAuth'] = Object.freeze({ mode: 'off', trust: null });

/** What only we may set, and what nobody may. */
export function isReservedHeader(lower: string): boolean {
  return removed.has(lower) || isIdentityHeaderName(lower);
}

/** Headers of a question to an external service that only we set: isReservedHeader's, and where the request was going. */
export function isReservedInQuestion(lower: string): boolean {
  return questionNames.has(lower) || isReservedHeader(lower);
}

/** What ingress-nginx sets on the request of auth_request, beside what every request has. */
const questionNames: ReadonlySet<string> = new Set([
  'x-original-url',
  'x-original-method',
  'x-sent-from',
  'x-auth-request-redirect',
]);

const removed: ReadonlySet<string> = new Set([...hopByHopNames, ...ownNames]);

/**
 * The headers of a request as they go to the upstream: name, value, …. First Host as the client sent it, then
 * the client's headers in their order, then ours. Taken off, in any letter case and however often:
 * - those of one hop and of framing, and those that Connection names. What we set comes after that, so
 *   `Connection: ssl-client-verify` takes nothing away (CVE-2024-45410, CVE-2026-29054);
 * - every name under which an identity is handed on, of any dialect or template anywhere in the snapshot, on
 *   every host (rule 4);
 * - names with anything but letters, digits and hyphens: `ssl_client_verify` and `ssl.client.verify` become
 *   the same variable as `ssl-client-verify` in CGI-like backends (CVE-2026-33433, CVE-2026-52845);
 * - Expect and Proxy; Authorization, where it was for us (ingress-nginx's template clears it there).
 *
 * The head must have passed `readRequestHead`. The identity headers are planned once per connection and route
 * (`planIdentityHeaders`); the rest depends on the request.
 */
export function planRequestHeaders(input: RequestHeadersInput): string[] {
  const { rawHeaders, head, snapshotIdentityHeaderNames } = input;
  const requestHeaders = input.granted ?? input.route.requestHeaders;
  const named = connectionNamed(rawHeaders);
  const planned = ['Host', input.route.upstreamHost ?? head.authority];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    const lower = name.toLowerCase();
    if (
      removed.has(lower) ||
      !passableName.test(lower) ||
      isIdentityHeaderName(lower) ||
      snapshotIdentityHeaderNames.has(lower) ||
      requestHeaders.has(lower) ||
      named?.has(lower) === true ||
      (input.withoutCredentials === true && lower === 'authorization')
    ) {
      continue;
    }
    planned.push(name, rawHeaders[index + 1] ?? '');
  }
  planned.push(...forwardedHeaders(input));
  for (const [name, value] of requestHeaders.values()) if (value !== null) planned.push(name, value);
  const clientAuth = input.unverified === true ? nobodyAsked : input.route.clientAuth;
  planned.push(...planIdentityHeaders(input.connection, clientAuth, input.route.identityHeaders));
  return planned;
}

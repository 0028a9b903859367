import type { ExternalAuth } from '../../snapshot/access.ts';
import type { Timeouts } from '../../snapshot/snapshot.ts';
import type { TargetFacts } from '../../snapshot/target-template.ts';
import { valuesOf } from '../headers/field.ts';
import { planResponseHeaders } from '../headers/response.ts';
import type { OutboundCall, OutboundRequest, ResponseHandler } from '../upstream/outbound.ts';

/** What is asked, for one request. */
export interface Question {
  readonly auth: ExternalAuth;
  /** The headers that the request itself would go to its upstream with. */
  readonly headers: readonly string[];
  readonly method: string;
  readonly facts: TargetFacts;
  readonly timeouts: Timeouts;
}

/** What the service said. */
export type AuthAnswer =
  | {
      readonly kind: 'answer';
      readonly status: number;
      /** Lower-case name, to name and value; null where the answer has none: the client's own is taken off then. */
      readonly requestHeaders: ReadonlyMap<string, readonly [name: string, value: string | null]>;
      readonly cookies: readonly string[];
      readonly challenges: readonly string[];
    }
  | { readonly kind: 'failure'; readonly detail: string };

/** Sends a request to an upstream: `Upstreams.send`. */
export type Send = (request: OutboundRequest, handler: ResponseHandler) => OutboundCall;

/** Headers of the question that are ours to set. */
const replaced: ReadonlySet<string> = new Set([
  'host',
  'x-original-url',
  'x-original-method',
  'x-sent-from',
  'x-auth-request-redirect',
  // The question has no body.
  'content-type',
  'content-encoding',
]);

/**
 * Asks an external service whether a request may pass, as ingress-nginx's auth-url does (nginx.tmpl, the internal
 * location of `auth_request`): the request's own headers, the identity among them, no body, and where it was going. The
 * answer's body is not read. Never rejects.
 */
export function askExternally(send: Send, question: Question, signal: AbortSignal): Promise<AuthAnswer> {
  return new Promise((resolve) => {
    const settle = (answer: AuthAnswer): void => {
      signal.removeEventListener('abort', onAbort);
      resolve(answer);
    };
    const call = send(requestOf(question), {
      onInformation: () => {},
      onResponse(status, headers) {
        settle(answerOf(question.auth, status, headers));
        // On a later turn: the call may still be at work on this one.
        queueMicrotask(() => call.abort());
      },
      onData: () => true,
      onEnd: () => {},
      onError: ({ detail }) => settle({ kind: 'failure', detail }),
    });
    const onAbort = (): void => {
      call.abort();
      settle({ kind: 'failure', detail: 'the client left' });
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort);
  });
}

function requestOf({ auth, headers, method, facts, timeouts }: Question): OutboundRequest {
  const { scheme, authority, path, query } = facts;
  const outbound = ['Host', auth.host ?? authority];
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] ?? '';
    const lower = name.toLowerCase();
    if (!replaced.has(lower) && !auth.headers.has(lower)) outbound.push(name, headers[index + 1] ?? '');
  }
  for (const [name, template] of auth.headers.values()) {
    const value = template.render(facts);
    if (value !== '') outbound.push(name, value);
  }
  outbound.push(
    'X-Original-URL',
    `${scheme}://${authority}${path}${query}`,
    'X-Original-Method',
    method,
    'X-Sent-From',
    'nginx-ingress-controller',
    'X-Auth-Request-Redirect',
    auth.redirect.render(facts),
  );
  return {
    upstream: auth.upstream,
    method: auth.method,
    target: auth.target.render(facts),
    headers: outbound,
    body: null,
    timeouts,
  };
}

function answerOf(auth: ExternalAuth, status: number, rawHeaders: readonly string[]): AuthAnswer {
  const headers = planResponseHeaders(rawHeaders);
  return {
    kind: 'answer',
    status,
    requestHeaders: new Map(
      auth.responseHeaders.map((name) => {
        const values = valuesOf(headers, name.toLowerCase());
        return [name.toLowerCase(), [name, values.length === 0 ? null : values.join(', ')] as const];
      }),
    ),
    cookies: valuesOf(headers, 'set-cookie'),
    challenges: valuesOf(headers, 'www-authenticate'),
  };
}

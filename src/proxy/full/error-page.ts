import type { ErrorPages } from '../../snapshot/error-pages.ts';
import type { Timeouts } from '../../snapshot/snapshot.ts';
import { valuesOf } from '../headers/field.ts';
import type { OutboundCall, ResponseHandler } from '../upstream/outbound.ts';
import type { LaneUpstreams } from './lane.ts';

/** The request whose answer is an error. */
export interface Erroneous {
  readonly status: number;
  readonly method: string;
  /** As the client sent it. */
  readonly target: string;
  readonly authority: string;
  readonly clientAddress: string;
  readonly requestId: string;
  readonly rawHeaders: readonly string[];
  readonly timeouts: Timeouts;
}

/**
 * Asks the upstream of error pages for the one that goes with an error (ingress-nginx's `@custom_…` locations): `/`, with
 * the error in X-Code, what the client accepts in X-Format if it says so, where it wanted to go in X-Original-URI. Without a body, and
 * GET for all methods but HEAD: nginx would repeat a POST there.
 */
export function askForErrorPage(
  upstreams: Pick<LaneUpstreams, 'send'>,
  pages: ErrorPages,
  error: Erroneous,
  handler: ResponseHandler,
): OutboundCall {
  const accepted = valuesOf(error.rawHeaders, 'accept').join(', ');
  return upstreams.send(
    {
      upstream: pages.upstream,
      method: error.method === 'HEAD' ? 'HEAD' : 'GET',
      target: '/',
      headers: [
        'Host',
        error.authority,
        'X-Code',
        String(error.status),
        ...(accepted === '' ? [] : ['X-Format', accepted]),
        'X-Original-URI',
        error.target,
        'X-Request-ID',
        error.requestId,
        'X-Forwarded-For',
        error.clientAddress,
        ...pages.headers,
      ],
      body: null,
      timeouts: error.timeouts,
    },
    handler,
  );
}

import type { Forward } from '../../snapshot/decision.ts';
import type { Connection } from '../../snapshot/connection.ts';
import type { RequestHead } from '../../snapshot/request-head.ts';
import type { Route, Snapshot } from '../../snapshot/snapshot.ts';
import { planRequestHeaders, type RequestHeadersInput } from './request.ts';

/** What the headers of one request to an upstream are made from. */
export interface OutboundHeadersInput {
  readonly snapshot: Pick<Snapshot, 'identityHeaderNames' | 'forwarded'>;
  readonly connection: Connection;
  readonly head: RequestHead;
  readonly route: Route;
  /** `Forward.wouldDeny`. */
  readonly wouldDeny: Forward['wouldDeny'] | null;
  /** The client's: name, value, …. */
  readonly rawHeaders: readonly string[];
  readonly requestId: string;
  /** What an external service said; null: none was asked. */
  readonly granted: RequestHeadersInput['granted'];
}

/**
 * The headers of a request as a route sends it on: ours set, theirs cleaned, nothing of framing or of one hop.
 * @throws Error where the identity cannot be told: the request is not to be sent then.
 */
export function outboundHeadersOf(input: OutboundHeadersInput): string[] {
  const { snapshot, connection, head, route, rawHeaders, requestId, granted, wouldDeny } = input;
  return planRequestHeaders({
    rawHeaders,
    head,
    connection,
    route,
    snapshotIdentityHeaderNames: snapshot.identityHeaderNames,
    requestId,
    scheme: connection.listener,
    appendForwardedFor: snapshot.forwarded.append,
    granted: granted ?? null,
    unverified: wouldDeny?.unverified === true,
    withoutCredentials: (route.access?.basicAuth ?? null) !== null,
  });
}

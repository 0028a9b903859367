import { shorten } from '../../observe/shorten.ts';
import { outboundHeadersOf, type OutboundHeadersInput } from '../../proxy/headers/outbound.ts';
import type { Framing } from '../../proxy/request-head.ts';
import { type CanaryChoice, chooseCanary } from '../canary.ts';
import type { Forward } from '../decision.ts';
import type { Route, Snapshot } from '../snapshot.ts';

/** The request that the backend would get. */
export interface ExplainedUpstreamRequest {
  /** Where it may go: one, or several where chance decides. Shares add up to 1. */
  readonly destinations: readonly ExplainedDestination[];
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  /** As they go out; X-Request-ID is drawn for each request unless the client brings one. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: 'none' | 'chunked' | { readonly length: number };
}

export interface ExplainedDestination {
  readonly upstream: string;
  readonly by: 'route' | CanaryChoice['by'];
  readonly share: number;
  readonly tls: boolean;
  /** `address:port`, the first of them. */
  readonly endpoints: readonly string[];
  readonly moreEndpoints: number;
}

const shownEndpoints = 16;

/** Or why it cannot be sent: its identity cannot be told to the upstream, and without it does not go out. */
export function explainUpstreamRequest(
  decision: Forward,
  framing: Framing,
  input: Omit<OutboundHeadersInput, 'route' | 'wouldDeny' | 'granted' | 'snapshot'> & {
    readonly snapshot: Snapshot;
  },
): ExplainedUpstreamRequest | { readonly problem: string } {
  const { route, target } = decision;
  let planned: readonly string[];
  try {
    planned = outboundHeadersOf({ ...input, route, wouldDeny: decision.wouldDeny, granted: null });
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
  const headers: (readonly [string, string])[] = [];
  for (let index = 0; index < planned.length; index += 2) {
    headers.push([planned[index] ?? '', planned[index + 1] ?? '']);
  }
  return {
    destinations: destinationsOf(route, input.rawHeaders, input.snapshot),
    method: input.head.method,
    target,
    headers,
    body: framing.kind === 'length' ? { length: framing.length } : framing.kind,
  };
}

/** Chance decides between the canaries that neither a header nor a cookie speaks for or against. */
function destinationsOf(
  route: Route,
  rawHeaders: readonly string[],
  snapshot: Snapshot,
): readonly ExplainedDestination[] {
  const say = (name: string, by: ExplainedDestination['by'], share: number): ExplainedDestination => {
    const upstream = snapshot.upstreams.get(name);
    const endpoints = upstream?.endpoints ?? [];
    return {
      upstream: name,
      by,
      share,
      tls: (upstream?.tls ?? null) !== null,
      endpoints: endpoints.slice(0, shownEndpoints).map((endpoint) => shorten(endpoint.name, 260)),
      moreEndpoints: Math.max(0, endpoints.length - shownEndpoints),
    };
  };
  if (route.canaries.length === 0) return [say(route.upstream, 'route', 1)];
  const first = chooseCanary(route.canaries, rawHeaders, 0);
  if (first.by !== 'weight') return [say(first.canary?.upstream ?? route.upstream, first.by, 1)];
  // Shares lie side by side: the canary that a draw leads to changes where one of them ends.
  const destinations: ExplainedDestination[] = [];
  let draw = 0;
  while (draw < 1) {
    const { canary } = chooseCanary(route.canaries, rawHeaders, draw);
    if (canary === null) break;
    const share = Math.min(canary.share, 1 - draw);
    if (share <= 0) break;
    destinations.push(say(canary.upstream, 'weight', share));
    draw += share;
  }
  if (draw < 1) destinations.push(say(route.upstream, 'weight', 1 - draw));
  return destinations;
}

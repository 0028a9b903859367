import type { Forward } from '../../snapshot/decision.ts';
import { outboundHeadersOf } from '../headers/outbound.ts';
import type { OutboundBody, OutboundRequest } from '../upstream/outbound.ts';
import { outboundBody } from './buffered-body.ts';
import { chooseDestination } from './destination.ts';
import type { Exchange } from './exchange.ts';
import type { Lane } from './lane.ts';
import { relay } from './relay.ts';

/** Sends a request to the upstream its decision names and lets what comes back flow to the client. */
export function forward(lane: Lane, exchange: Exchange, decision: Forward): void {
  const { route } = decision;
  const { framing } = exchange.judgement;
  if (framing.kind === 'length' && framing.length > route.bodyLimit) {
    exchange.fail('body_too_large', `Content-Length ${framing.length}, the limit is ${route.bodyLimit}`);
    return;
  }
  const body = exchange.openBody(route.bodyLimit);
  const length = framing.kind === 'length' ? framing.length : null;
  if (body === null) {
    dispatch(lane, exchange, decision, null);
  } else if (route.bufferRequest || route.mirror?.body === true) {
    const release = lane.bodies.read(body, length, (buffered) => {
      if (!exchange.over) dispatch(lane, exchange, decision, outboundBody(body, buffered, length));
    });
    exchange.atEnd(release);
  } else {
    dispatch(lane, exchange, decision, { stream: body, length });
  }
}

function dispatch(lane: Lane, exchange: Exchange, decision: Forward, body: OutboundBody | null): void {
  const { route, target } = decision;
  const destination = chooseDestination(lane, exchange, decision);
  const request: OutboundRequest = {
    upstream: destination.upstream,
    preference: destination.preference,
    retry: route.retry,
    method: exchange.request.method ?? '',
    target,
    headers: outboundHeaders(exchange, decision),
    body,
    timeouts: route.timeouts,
    headLimit: route.responseHeadLimit,
    close: route.closesConnections,
  };
  const call = lane.upstreams.send(
    request,
    relay(exchange, () => destination.cookies(call.record.endpoint)),
  );
  exchange.record(call.record);
  exchange.attach(call);
  const { mirror } = route;
  // A body that only streams by cannot be sent twice.
  const copies = body === null || body.chunks !== undefined || mirror?.body === false;
  if (mirror !== null && copies) lane.mirror.copy(lane.upstreams, mirror, request);
}

/** The request's headers for the upstream: ours set, theirs cleaned, nothing of framing or of one hop. */
export function outboundHeaders(exchange: Exchange, decision: Forward): readonly string[] {
  const { head, snapshot, requestId } = exchange.judgement;
  if (head === null) throw new Error('a request without a head was decided to be forwarded');
  const headers = outboundHeadersOf({
    snapshot,
    connection: exchange.downstream.connection,
    head,
    route: decision.route,
    wouldDeny: decision.wouldDeny,
    rawHeaders: exchange.request.rawHeaders,
    requestId,
    granted: exchange.granted,
  });
  return exchange.traced(headers);
}

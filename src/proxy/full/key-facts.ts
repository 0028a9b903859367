import { verdictFor } from '../../snapshot/connection.ts';
import type { KeyFacts } from '../../snapshot/key-template.ts';
import { normalisePath } from '../../snapshot/path.ts';
import type { Route } from '../../snapshot/snapshot.ts';
import type { Exchange } from './exchange.ts';

/** What keys of a route's request are made from; null where the head was refused. */
export function keyFactsOf(exchange: Exchange, route: Route, now: number): KeyFacts | null {
  const { head, decision } = exchange.judgement;
  if (head === null) return null;
  const { connection } = exchange.downstream;
  // What was said of an identity does not hold for a request that is served in spite of its certificate.
  const counts = decision.wouldDeny?.unverified !== true;
  const proven = counts && verdictFor(connection, route.clientAuth, now).status === 'success';
  return {
    path: normalisePath(head.path)?.path ?? head.path,
    query: head.query,
    host: head.host,
    address: exchange.clientAddress,
    rawHeaders: exchange.request.rawHeaders,
    identity: proven ? connection.identity : null,
  };
}

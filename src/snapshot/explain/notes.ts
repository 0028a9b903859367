import { valuesOf } from '../../proxy/headers/field.ts';
import type { Framing } from '../../proxy/request-head.ts';
import type { Connection } from '../connection.ts';
import type { Decision } from '../decision.ts';

/**
 * What stands between a decision and its end that no pure function can tell: limits, passwords, other services,
 * responders. A sentence each.
 */
export function notesOf(
  decision: Decision,
  rawHeaders: readonly string[],
  framing: Framing,
  connection: Connection,
): readonly string[] {
  const notes: string[] = [];
  const trusts = decision.host?.clientAuth.stores ?? [];
  if (connection.identity !== null && trusts.some(({ ocsp }) => ocsp !== null)) {
    notes.push('no OCSP responder was asked here; at a handshake one is');
  }
  if (decision.action === 'respond') {
    const pages = decision.route?.errorPages ?? null;
    if (pages?.statuses.has(decision.status) === true) {
      notes.push(`the upstream ${pages.upstream} is asked for the page that goes with it`);
    }
    return notes;
  }
  const { route, authenticate } = decision;
  const { access, rateLimit, affinity, mirror, bodyLimit } = route;
  if (rateLimit !== null) notes.push('the client’s rate is limited first: what it asked for before counts');
  if (authenticate && access?.basicAuth)
    notes.push(`a password is asked for first (${access.basicAuth.realm})`);
  if (authenticate && access?.external) {
    notes.push(`the upstream ${access.external.upstream} is asked about it first, and may add headers`);
  }
  if (framing.kind === 'length' && framing.length > bodyLimit) {
    notes.push(`it is answered with 413: a body of ${framing.length} bytes, the limit is ${bodyLimit}`);
  }
  if (affinity !== null) {
    notes.push(`a client with the cookie ${affinity.cookie} stays where it was served before`);
  }
  if (mirror !== null) notes.push(`a copy goes to the upstream ${mirror.upstream}`);
  if (valuesOf(rawHeaders, 'upgrade').length > 0 && route.upgrade.length > 0) {
    notes.push(
      `an upgrade to ${route.upgrade.join(', ')} becomes a tunnel, with Upgrade and Connection passed on`,
    );
  }
  return notes;
}

import { failureInFull } from './verdict.ts';
import { verdictFor, type Connection } from '../snapshot/connection.ts';
import type { HandshakeReason } from '../snapshot/reason.ts';
import { reportsCertificates } from '../snapshot/report.ts';
import type { ClientAuth, Host } from '../snapshot/snapshot.ts';
import { passes } from './verification.ts';

/** How a handshake is counted and logged. */
export interface HandshakeOutcome {
  /** The client gets somewhere with it: at the host, or at one of its routes. */
  readonly accepted: boolean;
  readonly reason: HandshakeReason;
  /** For the operator; null where nothing failed. */
  readonly detail: string | null;
}

/**
 * What became of a handshake. Of a host whose routes ask in several ways the one counts that the client gets furthest
 * with: a certificate of a route's own CA is no failure because the host trusts another.
 *
 * @param now Milliseconds since 1970.
 */
export function outcomeOf(
  host: Host,
  connection: Connection,
  forgotten: boolean,
  now: number,
): HandshakeOutcome {
  const { all, asking, reports } = waysOf(host);
  if (asking.length === 0) return { accepted: true, reason: 'ok', detail: null };
  const known = asking
    .filter(({ trust }) => connection.judged.has(trust?.key ?? ''))
    .map((clientAuth) => ({ mode: clientAuth.mode, verdict: verdictFor(connection, clientAuth, now) }));
  const succeeded = known.some(({ verdict }) => verdict.status === 'success');
  if (succeeded) return { accepted: true, reason: 'ok', detail: null };
  const best = known.find(({ mode, verdict }) => passes(mode, verdict)) ?? known[0];
  if (forgotten || best === undefined) {
    const detail = 'the session was resumed, and what was verified for it no longer holds';
    return { accepted: false, reason: 'other', detail };
  }
  const { mode, verdict } = best;
  const accepted = passes(mode, verdict) || asking.length < all.length || reports;
  if (verdict.status === 'failed')
    return { accepted, reason: verdict.reason, detail: failureInFull(verdict) };
  return { accepted, reason: accepted ? 'ok' : 'no_certificate', detail: null };
}

/** The ways in which a host and its routes ask for certificates, and those that do. */
interface Ways {
  readonly all: readonly ClientAuth[];
  readonly asking: readonly ClientAuth[];
  /** Whom a check of certificates would refuse is served all the same, somewhere. */
  readonly reports: boolean;
}

/** A host does not change, and may have hundreds of routes. */
const ways = new WeakMap<Host, Ways>();

function waysOf(host: Host): Ways {
  const known = ways.get(host);
  if (known !== undefined) return known;
  const all = [...new Set([host.clientAuth, ...host.routes.all.map(({ clientAuth }) => clientAuth)])];
  const asking = all.filter(({ mode }) => mode !== 'off');
  const made = { all, asking, reports: !host.clientAuth.strict && reportsCertificates(host) };
  ways.set(host, made);
  return made;
}

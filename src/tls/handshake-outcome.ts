import { failureInFull } from './verdict.ts';
import { verdictFor, type Connection } from '../snapshot/connection.ts';
import type { HandshakeReason } from '../snapshot/reason.ts';
import type { Host } from '../snapshot/snapshot.ts';
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
  const all = [...new Set([host.clientAuth, ...host.routes.all.map(({ clientAuth }) => clientAuth)])];
  const asking = all.filter(({ mode }) => mode !== 'off');
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
  const accepted = passes(mode, verdict) || asking.length < all.length;
  if (verdict.status === 'failed')
    return { accepted, reason: verdict.reason, detail: failureInFull(verdict) };
  return { accepted, reason: accepted ? 'ok' : 'no_certificate', detail: null };
}

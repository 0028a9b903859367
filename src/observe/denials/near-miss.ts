import type { HandshakeReason, RequestReason } from '../../snapshot/reason.ts';
import type { Identity } from '../../tls/identity.ts';

const minute = 60_000;
const units = [
  ['day', 1440 * minute],
  ['hour', 60 * minute],
  ['minute', minute],
] as const;

/** `3 days`, `1 hour`, `less than a minute`. */
export function roughly(ms: number): string {
  for (const [unit, length] of units) {
    const count = Math.floor(ms / length);
    if (count > 0) return `${count} ${unit}${count === 1 ? '' : 's'}`;
  }
  return 'less than a minute';
}

/**
 * What was seen and what was wanted, in words: what the decision or the handshake already says of it, and of dates how
 * far off they were.
 *
 * @param now Milliseconds since 1970.
 */
export function nearMiss(
  reason: HandshakeReason | RequestReason,
  detail: string | null,
  identity: Identity | null,
  now: number,
): string | null {
  if (identity === null) return detail;
  const { notBefore, notAfter } = identity;
  switch (reason) {
    case 'expired':
      if (now <= notAfter) return joined(detail, 'not its own: a CA certificate above it has expired');
      return `expired since ${date(notAfter)}, ${roughly(now - notAfter)} ago`;
    case 'not_yet_valid':
      if (now >= notBefore) return joined(detail, 'not its own: a CA certificate above it is not valid yet');
      return `valid from ${date(notBefore)}, in ${roughly(notBefore - now)}: is the clock of its CA right?`;
    default:
      return detail;
  }
}

function joined(detail: string | null, more: string): string {
  return detail === null ? more : `${detail}; ${more}`;
}

function date(time: number): string {
  const at = new Date(time);
  return Number.isNaN(at.getTime()) ? 'a date beyond all others' : at.toISOString().replace('.000Z', 'Z');
}

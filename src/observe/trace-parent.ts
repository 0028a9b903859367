import { valuesOf } from '../proxy/headers/field.ts';

/** Where a request belongs in a trace, as its client says (W3C Trace Context). */
export interface TraceParent {
  /** 32 hex digits. */
  readonly traceId: string;
  /** 16 hex digits: the span that the request comes from. */
  readonly spanId: string;
  /** 0 to 255. */
  readonly flags: number;
  /** As sent; null where there is none, or more of it than has to be passed on. */
  readonly state: string | null;
}

/** W3C Trace Context §3.3.1.5: at least so many characters are to be passed on. */
const maxState = 512;

/**
 * Reads `traceparent` and `tracestate`; null where there is none, several, or one that is not whole (§3.2): a trace
 * begins here then. Versions to come may have more behind what is known of this one.
 */
export function readTraceParent(rawHeaders: readonly string[]): TraceParent | null {
  const [value, ...others] = valuesOf(rawHeaders, 'traceparent');
  if (value === undefined || others.length > 0) return null;
  const match = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/.exec(value);
  if (match === null) return null;
  const [, version, traceId = '', spanId = '', flags = '', more] = match;
  if (version === 'ff' || (version === '00' && more !== undefined)) return null;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return null;
  const state = valuesOf(rawHeaders, 'tracestate').join(',');
  return {
    traceId,
    spanId,
    flags: Number.parseInt(flags, 16),
    state: state === '' || state.length > maxState ? null : state,
  };
}

/** A request's headers (name, value, …) with this place in the trace instead of what the client said. */
export function withTraceParent(
  headers: readonly string[],
  { traceId, spanId, flags, state }: TraceParent,
): string[] {
  const kept: string[] = [];
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] ?? '';
    const lower = name.toLowerCase();
    if (lower !== 'traceparent' && lower !== 'tracestate') kept.push(name, headers[index + 1] ?? '');
  }
  kept.push('traceparent', `00-${traceId}-${spanId}-${flags.toString(16).padStart(2, '0')}`);
  if (state !== null) kept.push('tracestate', state);
  return kept;
}

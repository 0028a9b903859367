import type { Snapshot } from '../snapshot/snapshot.ts';
import { valuesOf } from './headers/field.ts';
import { readPreflight } from './headers/preflight.ts';
import { readTold } from './headers/told.ts';
import { readRequestHead, type RequestHeadInput, type RequestHeadResult } from './request-head.ts';

/**
 * All that a request's head says: `readRequestHead`, then what it expects, what a trusted proxy in front tells of the
 * client, and whether it is a browser's question before a request. What is decided on, by lanes and explanations alike.
 *
 * @param peer The connection's own address.
 */
export function readWholeHead(
  snapshot: Pick<Snapshot, 'limits' | 'forwarded'>,
  peer: string,
  input: Omit<RequestHeadInput, 'limits'>,
): RequestHeadResult {
  const read = readRequestHead({ ...input, limits: snapshot.limits });
  if (!read.ok) return read;
  const expectation = unknownExpectation(input);
  if (expectation !== null) return { ok: false, reason: 'bad_expectation', detail: expectation };
  const told = readTold(input.rawHeaders, peer, snapshot.forwarded.trust);
  const preflight = readPreflight(read.head.method, input.rawHeaders);
  if (told === null && preflight === null) return read;
  const head = {
    ...read.head,
    ...(told === null ? {} : { told }),
    ...(preflight === null ? {} : { preflight }),
  };
  return { ok: true, head, framing: read.framing };
}

/** RFC 9110 §10.1.1: `100-continue` is the only expectation there is; HTTP/1.0 clients have none. */
function unknownExpectation({
  httpVersion,
  rawHeaders,
}: Pick<RequestHeadInput, 'httpVersion' | 'rawHeaders'>): string | null {
  if (httpVersion !== '1.1') return null;
  const values = valuesOf(rawHeaders, 'expect');
  if (values.length === 0) return null;
  return values.length === 1 && values[0]?.toLowerCase() === '100-continue' ? null : values.join(', ');
}

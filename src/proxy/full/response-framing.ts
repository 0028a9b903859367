import { valuesOf } from '../headers/field.ts';

/** How a response's body is delimited for the client. */
export interface ResponseFraming {
  /** What was planned, with Content-Length where it belongs. */
  readonly headers: string[];
  /** Bytes the body must have; null where the upstream did not say. */
  readonly length: number | null;
  /** The response ends with its head: to HEAD, 204 and 304 (RFC 9112 §6.3). */
  readonly bodyless: boolean;
}

/**
 * Frames an upstream's response for the client.
 * @param planned The headers as they go out, without any of framing (`planResponseHeaders`).
 * @param raw The headers as they came.
 * @returns Null where the upstream's framing can be read in more than one way.
 */
export function frameResponse(
  method: string,
  status: number,
  planned: readonly string[],
  raw: readonly string[],
): ResponseFraming | null {
  const lengths = new Set(valuesOf(raw, 'content-length'));
  const codings = valuesOf(raw, 'transfer-encoding');
  // Anything but chunked would reach the client still coded, and no header would say so.
  if (codings.length > 1 || (codings.length === 1 && codings[0]?.trim().toLowerCase() !== 'chunked'))
    return null;
  const [written] = lengths;
  if (lengths.size > 1 || (written !== undefined && !/^[0-9]{1,15}$/.test(written))) return null;
  if (written !== undefined && codings.length > 0) return null;
  const length = written === undefined ? null : Number(written);
  const bodyless = method === 'HEAD' || status === 204 || status === 304;
  const headers = [...planned];
  // Last on purpose: node:http rewrites the bytes of a Content-Disposition that comes after a Content-Length.
  if (length !== null && status !== 204) headers.push('Content-Length', String(length));
  return { headers, length: bodyless ? 0 : length, bodyless };
}

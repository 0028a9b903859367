import { valuesOf } from '../headers/field.ts';
import { CR, LF, valueBytes } from './bytes.ts';
import type { Fields } from './fields.ts';

/** How the body of a response is delimited (RFC 9112 §6.3). */
export type ResponseBody =
  | { readonly kind: 'none' }
  /** Bytes. */
  | { readonly kind: 'length'; readonly length: number }
  | { readonly kind: 'chunked' }
  /** By the end of the connection. */
  | { readonly kind: 'close' };

/** A response's head, as an upstream sent it. */
export interface ResponseHead {
  readonly status: number;
  /** Name, value, name, value …, one character per byte. */
  readonly headers: readonly string[];
  /** The upstream keeps the connection open for another request. */
  readonly persistent: boolean;
  /** How long it says that it keeps it, in milliseconds (`Keep-Alive: timeout=`); null: it does not say. */
  readonly keptMs: number | null;
  /** How the body is delimited, unless the request was HEAD; null where that can be read in more than one way. */
  readonly body: ResponseBody | null;
  /** Bytes on the wire. */
  readonly size: number;
  /** What whoever passed it on made of it last. An upstream that sends the same bytes again gives the same head. */
  rendering: unknown;
}

export type ResponseHeadResult =
  | { readonly ok: true; readonly head: ResponseHead }
  /** For the operator. */
  | { readonly ok: false; readonly detail: string };

/**
 * Reads a whole head, the empty line included, to the letter of RFC 9112 §4 and §5: CRLF at every line's end, no folded
 * line, no white space before a colon, no control bytes. An upstream whose head is anything else could be read two ways.
 *
 * @param fields Used for reading, and of no use to anyone after.
 */
export function readResponseHead(
  bytes: Buffer,
  from: number,
  to: number,
  fields: Fields,
): ResponseHeadResult {
  const line = bytes.toString('latin1', from, Math.min(from + 13, to));
  const start = /^HTTP\/1\.([01]) ([1-9][0-9]{2})(?: |\r)/.exec(line);
  if (start === null) return { ok: false, detail: `a status line that begins ${JSON.stringify(line)}` };
  let at = from + 12;
  while (at < to && valueBytes[bytes[at]!] === 1) at++;
  if (bytes[at] !== CR || bytes[at + 1] !== LF) return { ok: false, detail: 'a malformed status line' };
  if (fields.read(bytes, at + 2, to, valueBytes) !== 'whole' || fields.end !== to) {
    return { ok: false, detail: 'a malformed header line, or too many of them' };
  }
  const headers = fields.list(bytes.toString('latin1', from, to), from);
  const options = connectionOptions(headers);
  const persistent = start[1] === '1' ? !options.includes('close') : options.includes('keep-alive');
  const status = Number(start[2]);
  return {
    ok: true,
    head: {
      status,
      headers,
      persistent,
      keptMs: readKeptMs(headers),
      body: bodyOf(status, headers),
      size: to - from,
      rendering: null,
    },
  };
}

/**
 * How the body that follows a head is delimited, or null where that can be read in more than one way: two lengths, a
 * length beside a coding, a coding that is not just `chunked`.
 */
export function delimit(method: string, { body }: Pick<ResponseHead, 'body'>): ResponseBody | null {
  return method === 'HEAD' && body !== null ? none : body;
}

const none: ResponseBody = Object.freeze({ kind: 'none' });

function bodyOf(status: number, headers: readonly string[]): ResponseBody | null {
  const lengths = valuesOf(headers, 'content-length');
  const codings = valuesOf(headers, 'transfer-encoding');
  const [length] = lengths;
  if (lengths.length + codings.length > 1) return null;
  if (length !== undefined && !/^[0-9]{1,15}$/.test(length)) return null;
  if (codings.length > 0 && codings[0]!.toLowerCase() !== 'chunked') return null;
  if (status === 204 || status === 304) return none;
  if (length !== undefined) return { kind: 'length', length: Number(length) };
  return { kind: codings.length > 0 ? 'chunked' : 'close' };
}

function connectionOptions(headers: readonly string[]): string[] {
  return valuesOf(headers, 'connection').flatMap((value) =>
    value.split(',').map((option) => option.trim().toLowerCase()),
  );
}

function readKeptMs(headers: readonly string[]): number | null {
  const [, seconds] = /(?:^|[,\s])timeout=([0-9]{1,9})/i.exec(valuesOf(headers, 'keep-alive')[0] ?? '') ?? [];
  return seconds === undefined ? null : Number(seconds) * 1000;
}

import { errors } from 'undici';
import type { UpstreamFailure } from './outbound.ts';

type Reason = UpstreamFailure['reason'];

/** Longest `detail`, in characters: it goes into a log line. */
const detailLimit = 300;

/** A failure for the operator: reason and what was seen, bounded. */
export function failure(reason: Reason, detail: string): UpstreamFailure {
  return { reason, detail: detail.slice(0, detailLimit) };
}

/** A failure that an error stands for, its text and code as the detail. */
export function failureFrom(reason: Reason, error: unknown): UpstreamFailure {
  return failure(reason, describe(error));
}

/** Thrown where a promise fails for an upstream's sake. */
export class UpstreamError extends Error {
  readonly failure: UpstreamFailure;

  constructor(failure: UpstreamFailure) {
    super(`${failure.reason}: ${failure.detail}`);
    this.name = 'UpstreamError';
    this.failure = failure;
  }
}

function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('code' in error)) return '';
  return typeof error.code === 'string' ? error.code : '';
}

function describe(error: unknown): string {
  // With several addresses for one name (RFC 8305) Node tells of every attempt in one error without a text of its own.
  if (error instanceof AggregateError) return error.errors.map((one) => describe(one)).join('; ');
  const code = codeOf(error);
  const text = error instanceof Error ? error.message : String(error);
  return code === '' || text.includes(code) ? text : `${text} (${code})`;
}

/** undici's errors that mean that the upstream broke HTTP; the first two are told apart by their text alone. */
const protocolMessages: ReadonlySet<string> = new Set(['bad response', 'bad upgrade']);
const protocolCodes: ReadonlySet<string> = new Set([
  'UND_ERR_HEADERS_OVERFLOW',
  // An assertion of undici's, which only bytes that it did not foresee can break.
  'ERR_ASSERTION',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
]);
/** What we handed undici was wrong: our own fault. */
const internalCodes: ReadonlySet<string> = new Set([
  'UND_ERR_INVALID_ARG',
  'UND_ERR_NOT_SUPPORTED',
  'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH',
]);
/** Codes of sockets and streams that broke; an error that bears none of them was thrown by code. */
const brokenStream = /^(?:E[A-Z0-9]+|ERR_STREAM_.*|UND_ERR_.*)$/;

/** Why a request failed on an open connection before a response's head was complete. */
export function exchangeReason(error: unknown): Reason {
  const code = codeOf(error);
  if (internalCodes.has(code)) return 'internal';
  if (error instanceof errors.HTTPParserError || protocolCodes.has(code)) return 'upstream_protocol';
  if (code === 'UND_ERR_SOCKET' && error instanceof Error && protocolMessages.has(error.message)) {
    return 'upstream_protocol';
  }
  // TLS 1.3 tells of a client certificate it does not accept only after the handshake.
  if (code.startsWith('ERR_SSL')) return 'upstream_tls';
  return brokenStream.test(code) ? 'upstream_reset' : 'internal';
}

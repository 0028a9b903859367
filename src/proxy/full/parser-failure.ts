import type { RefusalReason } from '../../snapshot/reason.ts';

/** What the parser could not read, as a reason; `gone` where nobody is left to be told. */
export type ParserFailure =
  | { readonly kind: 'refuse'; readonly reason: RefusalReason; readonly detail: string }
  | { readonly kind: 'gone'; readonly detail: string };

const framingCodes = new Set([
  'HPE_INVALID_CONTENT_LENGTH',
  'HPE_UNEXPECTED_CONTENT_LENGTH',
  'HPE_INVALID_TRANSFER_ENCODING',
  'HPE_INVALID_CHUNK_SIZE',
  'HPE_CHUNK_EXTENSIONS_OVERFLOW',
]);

/**
 * Reads the error of a `clientError` event (node:http; codes of llhttp).
 * @param inBody The error came while the body of a request was read, not a head.
 */
export function readParserFailure(error: Error & { code?: string }, inBody: boolean): ParserFailure {
  const { code = '' } = error;
  const detail = `${code} ${error.message}`.trim().slice(0, 200);
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return { kind: 'refuse', reason: 'head_timeout', detail };
  if (code === 'HPE_HEADER_OVERFLOW') return { kind: 'refuse', reason: 'head_too_large', detail };
  // The client left in the middle of a body; that is no answer's business.
  if (code === 'HPE_INVALID_EOF_STATE' && inBody) return { kind: 'gone', detail };
  if (inBody || framingCodes.has(code)) {
    return code.startsWith('HPE_')
      ? { kind: 'refuse', reason: 'bad_framing', detail }
      : { kind: 'gone', detail };
  }
  return code.startsWith('HPE_')
    ? { kind: 'refuse', reason: 'bad_request', detail }
    : { kind: 'gone', detail };
}

import { STATUS_CODES } from 'node:http';
import type { Respond } from '../snapshot/decision.ts';
import { answers, type RefusalReason } from '../snapshot/reason.ts';

/** What an answer of our own is made from. Holds nothing that the client may not know. */
export interface AnswerFacts {
  readonly reason: RefusalReason;
  readonly status: number;
  readonly requestId: string;
  /** The request's Accept header, or null where there was none or it could not be read. */
  readonly accept: string | null;
  /** For redirects. */
  readonly location: string | null;
  /** In place of the page: what a route says. */
  readonly content?: Respond['content'];
  readonly headers?: Respond['headers'];
}

/** An answer ready to be written; framing (Connection) is left to the lane that writes it. */
export interface Answer {
  readonly status: number;
  /** Name, value, name, value …; holds Content-Length. */
  readonly headers: readonly string[];
  readonly body: Buffer;
}

/** RFC 9110 §15.5.6: a 405 names the methods that are allowed. */
const allowedMethods = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS';

/**
 * Renders an answer of our own: JSON for clients that ask for it, otherwise a page as nginx lays it out. It
 * carries the public message of the reason and the request's id, never the detail.
 */
export function renderAnswer(facts: AnswerFacts): Answer {
  const noContent = facts.status === 204 || facts.status === 304;
  const { contentType, body: text } = facts.content ?? page(facts);
  const body = Buffer.from(noContent ? '' : text);
  const headers = noContent ? [] : ['Content-Type', contentType];
  headers.push('Cache-Control', 'no-store', 'X-Request-ID', facts.requestId);
  headers.push(...(facts.headers ?? []));
  if (facts.location !== null) headers.push('Location', facts.location);
  if (facts.status === 405) headers.push('Allow', allowedMethods);
  // RFC 9110 §8.6: not with a 204; with a 304 it would be that of another answer.
  if (!noContent) headers.push('Content-Length', String(body.length));
  return { status: facts.status, headers, body };
}

/**
 * The bytes of a message head.
 * @throws {TypeError} where a header would not survive as one line: the last guard against split responses.
 */
export function formatHead(status: number, headers: readonly string[]): Buffer {
  let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Unknown'}\r\n`;
  for (let index = 0; index < headers.length; index += 2) {
    const line = `${headers[index]}: ${headers[index + 1]}`;
    if (/[^\t\x20-\x7e\x80-\xff]/.test(line)) throw new TypeError('a header holds a control character');
    text += `${line}\r\n`;
  }
  return Buffer.from(`${text}\r\n`, 'latin1');
}

/** The bytes of a whole answer that ends its connection: for when no parser is left to frame it. */
export function formatClosingAnswer(answer: Answer): Buffer {
  const date = new Date().toUTCString();
  const head = formatHead(answer.status, ['Date', date, 'Connection', 'close', ...answer.headers]);
  return Buffer.concat([head, answer.body]);
}

function page(facts: AnswerFacts): NonNullable<Respond['content']> {
  // Where the status is not the reason's own, its message is not either.
  const { status, message } = answers[facts.reason];
  const words = facts.status === status ? message : (STATUS_CODES[facts.status] ?? String(facts.status));
  return prefersJson(facts.accept)
    ? { contentType: 'application/json; charset=utf-8', body: jsonBody(facts, words) }
    : { contentType: 'text/html; charset=utf-8', body: htmlBody(facts, words) };
}

function jsonBody(facts: AnswerFacts, message: string): string {
  return `${JSON.stringify({ status: facts.status, error: message, requestId: facts.requestId })}\n`;
}

function htmlBody(facts: AnswerFacts, message: string): string {
  const phrase = STATUS_CODES[facts.status] ?? message;
  return [
    '<html>',
    `<head><title>${facts.status} ${escapeHtml(message)}</title></head>`,
    '<body>',
    `<center><h1>${facts.status} ${escapeHtml(phrase)}</h1></center>`,
    ...(message === phrase ? [] : [`<center>${escapeHtml(message)}</center>`]),
    `<hr><center>${escapeHtml(facts.requestId)}</center>`,
    '</body>',
    '</html>',
    '',
  ].join('\r\n');
}

const htmlEscapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => htmlEscapes[character] ?? '');
}

/**
 * JSON is sent to who names it (`application/json`, `application/…+json`) and wants no page at least as much;
 * `*` alone gets the page (RFC 9110 §12.5.1).
 */
function prefersJson(accept: string | null): boolean {
  if (accept === null) return false;
  let json = 0;
  let html = 0;
  for (const entry of accept.toLowerCase().split(',', 32)) {
    const [type = '', ...parameters] = entry.split(';').map((part) => part.trim());
    const quality = qualityOf(parameters);
    if (type === 'application/json' || /^application\/[^+]+\+json$/.test(type)) {
      json = Math.max(json, quality);
    } else if (type === 'text/html' || type === 'application/xhtml+xml') {
      html = Math.max(html, quality);
    }
  }
  return json > html;
}

/** The `q` parameter: 1 where there is none, 0 where it makes no sense. */
function qualityOf(parameters: readonly string[]): number {
  const written = parameters.find((parameter) => parameter.startsWith('q='));
  if (written === undefined) return 1;
  const quality = Number(written.slice(2));
  return quality >= 0 && quality <= 1 ? quality : 0;
}

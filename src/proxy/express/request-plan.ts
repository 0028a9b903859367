import type { Connection } from '../../snapshot/connection.ts';
import type { RequestHead } from '../../snapshot/request-head.ts';
import type { Route, Snapshot } from '../../snapshot/snapshot.ts';
import { outboundHeadersOf } from '../headers/outbound.ts';
import type { HeaderBlock } from './header-block.ts';
import type { PlainMethod } from './request-line.ts';

/** Methods whose requests have a body as a rule: a missing one is said in so many words (RFC 9110 §8.6). */
const withBody: ReadonlySet<PlainMethod> = new Set(['POST', 'PUT', 'PATCH']);

/**
 * The headers of a request as they go upstream, planned once for a connection, its headers and a route, and kept as
 * text: only the request's id changes from one to the next. The planning is the full lane's (`outboundHeadersOf`).
 */
export class RequestPlan {
  readonly #snapshot: Snapshot;
  readonly #route: Route;
  readonly #told: RequestHead['told'];
  readonly #host: string;
  readonly #persists: boolean;
  readonly #before: string;
  readonly #after: string;
  readonly #framing: string | null;

  /** @throws {TypeError} where a header would not survive as one line. */
  constructor(
    snapshot: Snapshot,
    route: Route,
    connection: Connection,
    block: HeaderBlock,
    head: RequestHead,
  ) {
    this.#snapshot = snapshot;
    this.#route = route;
    this.#told = head.told;
    const headers = outboundHeadersOf({
      snapshot,
      connection,
      head,
      route,
      // What is only served in report mode takes the full lane.
      wouldDeny: null,
      rawHeaders: block.rawHeaders,
      requestId: placeholder,
      granted: null,
    });
    const id = headers.findIndex((text, index) => index % 2 === 1 && text === placeholder);
    this.#host = lines(headers.slice(0, 2));
    this.#persists = !route.closesConnections;
    this.#before = `${lines(headers.slice(2, id - 1))}${headers[id - 1]}: `;
    this.#after = `\r\n${lines(headers.slice(id + 1))}`;
    this.#framing = framingLine(block.framing);
  }

  /** It still holds: everything it was made from is the same. */
  fits(snapshot: Snapshot, route: Route, head: RequestHead): boolean {
    return this.#snapshot === snapshot && this.#route === route && this.#told === head.told;
  }

  /** A whole head, one character per byte. @param target Visible ASCII. */
  write(method: PlainMethod, target: string, requestId: string): string {
    const framing = this.#framing ?? (withBody.has(method) ? 'Content-Length: 0\r\n\r\n' : '\r\n');
    // As undici does with HEAD: some servers send a body with the answer.
    const connection = this.#persists && method !== 'HEAD' ? 'keep-alive' : 'close';
    return `${method} ${target} HTTP/1.1\r\n${this.#host}Connection: ${connection}\r\n${this.#before}${requestId}${this.#after}${framing}`;
  }
}

/** Stands for the request's id while headers are planned; no header that a client may send has a NUL. */
const placeholder = '\0';

function lines(headers: readonly string[]): string {
  let text = '';
  for (let index = 0; index < headers.length; index += 2) {
    const line = `${headers[index]}: ${headers[index + 1]}`;
    if (/[^\t\x20-\x7e\x80-\xff]/.test(line)) throw new TypeError('a header holds a control character');
    text += `${line}\r\n`;
  }
  return text;
}

/** Null: as the method has it. */
function framingLine(framing: HeaderBlock['framing']): string | null {
  if (framing.kind === 'chunked') return 'Transfer-Encoding: chunked\r\n\r\n';
  if (framing.kind === 'length' && framing.length > 0) return `Content-Length: ${framing.length}\r\n\r\n`;
  return null;
}

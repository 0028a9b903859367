import { STATUS_CODES } from 'node:http';

/**
 * The head of an answer as text, without the empty line: status line and headers, in the order that node:http writes
 * them in for the full lane, so Date (RFC 9110 §6.6.1) and Transfer-Encoding come last.
 *
 * @throws {TypeError} where a header would not survive as one line: the last guard against split responses.
 */
export function answerText(
  status: number,
  headers: readonly string[],
  options: { readonly close: boolean; readonly cookies?: readonly string[] },
): string {
  let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'unknown'}\r\n`;
  if (options.close) text += 'Connection: close\r\n';
  for (let index = 0; index < headers.length; index += 2) {
    const line = `${headers[index]}: ${headers[index + 1]}`;
    if (/[^\t\x20-\x7e\x80-\xff]/.test(line)) throw new TypeError('a header holds a control character');
    text += `${line}\r\n`;
  }
  return text;
}

export function hasDate(headers: readonly string[]): boolean {
  for (let index = 0; index < headers.length; index += 2) {
    if (headers[index]!.toLowerCase() === 'date') return true;
  }
  return false;
}

let dateText = '';
let dateSecond = -1;

/** The Date header's line, made once a second. @param now Milliseconds since 1970. */
export function dateLine(now: number): string {
  const second = Math.floor(now / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateText = `Date: ${new Date(second * 1000).toUTCString()}\r\n`;
  }
  return dateText;
}

/** The grammar of header fields (RFC 9110 §5), and looking them up in node's flat lists: name, value, name, … */

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const controls = /[^\t\x20-\x7e\x80-\xff]/;

/** A field name or method: RFC 9110 §5.6.2. */
export function isToken(text: string): boolean {
  return token.test(text);
}

/**
 * A field value that can be sent (RFC 9110 §5.5): no control bytes but tabs, so no CR, LF or NUL either.
 * A list of node's holds one character per byte (Latin-1); anything beyond has no bytes on the wire.
 */
export function isFieldValue(text: string): boolean {
  return !controls.test(text);
}

/** Takes the optional white space off both ends (RFC 9110 §5.6.3): spaces and tabs only. */
export function trimWhiteSpace(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && (text[start] === ' ' || text[start] === '\t')) start++;
  while (end > start && (text[end - 1] === ' ' || text[end - 1] === '\t')) end--;
  return text.slice(start, end);
}

/**
 * The values of a header, in order, white space taken off their ends.
 * @param name In lower case.
 */
export function valuesOf(rawHeaders: readonly string[], name: string): string[] {
  const values: string[] = [];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const candidate = rawHeaders[index] ?? '';
    if (candidate.length === name.length && candidate.toLowerCase() === name) {
      values.push(trimWhiteSpace(rawHeaders[index + 1] ?? ''));
    }
  }
  return values;
}

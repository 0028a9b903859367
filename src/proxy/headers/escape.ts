/**
 * Writes every match as the octets of its UTF-8 in upper-case hex, each behind the prefix: `%C3%A9`, `\C3\A9`.
 * @param unsafe With the flags `g` and `u`: a character beyond the BMP is one match. What UTF-16 cannot mean
 *   (a lone surrogate) becomes U+FFFD.
 */
export function escapeOctets(text: string, unsafe: RegExp, prefix: string): string {
  return text.replaceAll(unsafe, (match) =>
    Array.from(Buffer.from(match, 'utf8'), (octet) => prefix + hex(octet)).join(''),
  );
}

function hex(octet: number): string {
  return octet.toString(16).toUpperCase().padStart(2, '0');
}

/** The DER in base64, on one line. */
export function base64(der: Uint8Array): string {
  return Buffer.from(der.buffer, der.byteOffset, der.byteLength).toString('base64');
}

/**
 * A distinguished name in RFC 2253 text, fit for a header: a space at its end, escaped as `\ `, would be taken
 * off on the wire and leave a lone backslash, so it is written `\20`. The text is printable ASCII already; were
 * it not, the rest would be escaped the same way.
 */
export function headerText(rfc2253: string): string {
  const ascii = escapeOctets(rfc2253, /[^ -~]/gu, '\\').replace(/^ /, '\\20');
  const end = /(\\*) $/.exec(ascii);
  if (end === null) return ascii;
  const escaped = (end[1] ?? '').length % 2 === 1;
  return `${ascii.slice(0, escaped ? -2 : -1)}\\20`;
}

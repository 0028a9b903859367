/**
 * Text from a certificate or file for a terminal: control characters, bidirectional overrides, lone surrogates and
 * what else is not visible come out as `\u{…}`, so that nothing can move the cursor, recolour or reverse a line.
 */
export function printable(text: string, limit = 512): string {
  const shown = text.length > limit ? `${text.slice(0, limit)}…` : text;
  return shown.replaceAll(
    /[\p{C}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}

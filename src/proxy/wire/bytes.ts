/** Which bytes may stand where in HTTP/1.1 (RFC 9110 §5.5, §5.6.2; RFC 9112), as tables: 1 where one may. */

function table(allowed: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => (allowed(byte) ? 1 : 0));
}

const punctuation: ReadonlySet<number> = new Set(Buffer.from("!#$%&'*+-.^_`|~"));
const isAlphanumeric = (byte: number): boolean =>
  (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a);

/** `tchar`. */
export const tokenBytes = table((byte) => isAlphanumeric(byte) || punctuation.has(byte));

/** What a request target may hold here, as `readRequestHead` has it: visible ASCII but `#`. */
export const targetBytes = table((byte) => byte >= 0x21 && byte <= 0x7e && byte !== 0x23);

/** A field value in ASCII: visible bytes, spaces, tabs. */
export const plainValueBytes = table((byte) => byte === 0x09 || (byte >= 0x20 && byte <= 0x7e));

/** The same with obs-text, which upstreams send and which is passed on as it is. */
export const valueBytes = table((byte) => byte === 0x09 || (byte >= 0x20 && byte !== 0x7f));

/** The value of a hexadecimal digit, 255 for every other byte. */
export const hexDigits = Uint8Array.from({ length: 256 }, (_, byte) => {
  const value = Number.parseInt(String.fromCharCode(byte), 16);
  return Number.isNaN(value) ? 255 : value;
});

export const TAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SPACE = 0x20;
export const COLON = 0x3a;

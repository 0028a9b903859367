import { Buffer } from 'node:buffer';
import type { Attribute, DistinguishedName } from './identity.ts';
import { objectNames } from './object-names.ts';

/** Universal tags of the string types whose text a name shows (RFC 5280 §4.1.2.4, and what old CAs wrote). */
export const stringTags = Object.freeze({
  utf8: 12,
  numeric: 18,
  printable: 19,
  /** Teletex. Read as Latin-1, as OpenSSL does: what CAs that used it meant. */
  t61: 20,
  ia5: 22,
  visible: 26,
  universal: 28,
  bmp: 30,
});

const textTags: ReadonlySet<number> = new Set(Object.values(stringTags));

/** True where the attribute's value is text; else it is the hex dump of some other type, `#0303…`. */
export const isText = ({ tag = stringTags.utf8 }: Attribute): boolean => textTags.has(tag);

const hexDigits = '0123456789ABCDEF';
const escapeOctet = (octet: number): string => `\\${hexDigits[octet >> 4]!}${hexDigits[octet & 15]!}`;

const space = 0x20;
const hash = 0x23;
/** `"`, `+`, `,`, `;`, `<`, `>` and the backslash, wherever they stand. */
const special: ReadonlySet<number> = new Set([0x22, 0x2b, 0x2c, 0x3b, 0x3c, 0x3e, 0x5c]);

/** A value as RFC 2253 §2.4 and OpenSSL's ASN1_STRFLGS_RFC2253 escape it: seven-bit text without controls. */
function escapeValue(value: string): string {
  if (/^[0-9A-Za-z](?:[0-9A-Za-z .:/@=_-]*[0-9A-Za-z.])?$/.test(value)) return value;
  const octets = Buffer.from(value, 'utf8');
  const last = octets.length - 1;
  let text = '';
  for (const [index, octet] of octets.entries()) {
    if (octet < 0x20 || octet > 0x7e) text += escapeOctet(octet);
    else if (
      special.has(octet) ||
      (octet === space && (index === 0 || index === last)) ||
      // OpenSSL looks at a lone character as the last one only, and a `#` needs no escape there.
      (octet === hash && index === 0 && last > 0)
    ) {
      text += `\\${String.fromCharCode(octet)}`;
    } else text += String.fromCharCode(octet);
  }
  return text;
}

function contentOctets(value: string, tag: number): Buffer {
  if (tag === stringTags.utf8) return Buffer.from(value, 'utf8');
  if (tag === stringTags.bmp) return Buffer.from(value, 'utf16le').swap16();
  if (tag !== stringTags.universal) return Buffer.from(value, 'latin1');
  const points = Array.from(value, (character) => character.codePointAt(0)!);
  const octets = Buffer.alloc(points.length * 4);
  for (const [index, point] of points.entries()) octets.writeUInt32BE(point, index * 4);
  return octets;
}

/** `#` and the DER of a text value in hex: what stands for the value of an attribute type without a name. */
function dump(value: string, tag: number): string {
  const content = contentOctets(value, tag).toString('hex');
  const length = content.length / 2;
  const size = length.toString(16);
  const digits = size.length % 2 === 0 ? size : `0${size}`;
  const lengthOctets = length < 0x80 ? digits : (0x80 | (digits.length / 2)).toString(16) + digits;
  return `#${tag.toString(16).padStart(2, '0')}${lengthOctets}${content}`.toUpperCase();
}

/** OpenSSL prints the numbers of an unknown type into 80 bytes and shows what fits. */
const longestType = 79;

function formatAttribute(attribute: Attribute): string {
  const { oid, value, tag = stringTags.utf8 } = attribute;
  const name = objectNames.get(oid);
  if (!textTags.has(tag)) return `${name ?? oid.slice(0, longestType)}=${value}`;
  return name === undefined
    ? `${oid.slice(0, longestType)}=${dump(value, tag)}`
    : `${name}=${escapeValue(value)}`;
}

/**
 * The RFC 2253 text of a name, byte for byte what `openssl x509 -nameopt RFC2253` (3.0) prints and nginx puts
 * into `$ssl_client_s_dn`: last attribute first, `,` between RDNs and `+` within one, control characters and
 * everything beyond ASCII as `\XX` of their UTF-8, types without a short name as numbers with the value's DER
 * as `#hex`. Printable ASCII, whatever the name holds.
 */
export function formatRfc2253(name: DistinguishedName): string {
  let text = '';
  for (let i = name.length - 1; i >= 0; i--) {
    const attributes = name[i]!;
    for (let j = attributes.length - 1; j >= 0; j--) {
      if (text !== '') text += j === attributes.length - 1 ? ',' : '+';
      text += formatAttribute(attributes[j]!);
    }
  }
  return text;
}

/** Every value of an attribute type in a name, in the certificate's order. Only text: dumps are no values. */
export function valuesOf(name: DistinguishedName, oid: string): readonly string[] {
  const values: string[] = [];
  for (const attributes of name) {
    for (const attribute of attributes) {
      if (attribute.oid === oid && isText(attribute)) values.push(attribute.value);
    }
  }
  return values;
}

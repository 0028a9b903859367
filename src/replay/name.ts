import { attributeType } from '../tls/attribute-type.ts';
import { stringTags } from '../tls/distinguished-name.ts';
import type { Attribute, DistinguishedName } from '../tls/identity.ts';

/**
 * Reads back what `formatRfc2253` wrote: the log has names in that form. Null for what it does not write. String types
 * are not in it; values compare alike without.
 */
export function parseRfc2253(text: string): DistinguishedName | null {
  if (text === '') return [];
  const name: Attribute[][] = [];
  for (const rdn of splitAt(text, ',')) {
    const attributes: Attribute[] = [];
    for (const part of splitAt(rdn, '+')) {
      const attribute = parseAttribute(part);
      if (attribute === null) return null;
      attributes.unshift(attribute);
    }
    name.unshift(attributes);
  }
  return name;
}

/** The parts between separators that no backslash stands before. */
function splitAt(text: string, separator: ',' | '+'): string[] {
  const parts: string[] = [];
  let from = 0;
  for (let index = 0; index < text.length; index++) {
    if (text[index] === '\\') index++;
    else if (text[index] === separator) {
      parts.push(text.slice(from, index));
      from = index + 1;
    }
  }
  parts.push(text.slice(from));
  return parts;
}

function parseAttribute(part: string): Attribute | null {
  const equals = part.indexOf('=');
  const oid = equals === -1 ? null : attributeType(part.slice(0, equals));
  if (oid === null) return null;
  const written = part.slice(equals + 1);
  if (written.startsWith('#') && written.length > 1) return { oid, ...readDump(written) };
  const value = unescape(written);
  return value === null ? null : { oid, value };
}

/** The DER of a value in hex: text of a type without a name, or no text at all. */
function readDump(dump: string): { readonly value: string; readonly tag: number } {
  const octets = Buffer.from(dump.slice(1), 'hex');
  const tag = octets[0] ?? 0;
  const first = octets[1] ?? 0;
  const content = octets.subarray(first < 0x80 ? 2 : 2 + (first & 0x7f));
  if (tag === stringTags.utf8) return { tag, value: content.toString('utf8') };
  const isLatin = tag === stringTags.printable || tag === stringTags.ia5 || tag === stringTags.visible;
  return { tag, value: isLatin ? content.toString('latin1') : dump };
}

function unescape(text: string): string | null {
  if (!text.includes('\\')) return text;
  const octets: number[] = [];
  for (let index = 0; index < text.length; index++) {
    if (text[index] !== '\\') {
      octets.push(text.charCodeAt(index));
      continue;
    }
    const hex = /^[0-9A-F]{2}/.exec(text.slice(index + 1, index + 3));
    if (hex !== null) octets.push(Number.parseInt(hex[0], 16));
    else if (index + 1 < text.length) octets.push(text.charCodeAt(index + 1));
    else return null;
    index += hex === null ? 1 : 2;
  }
  return Buffer.from(octets).toString('utf8');
}

import { oid, sequence, setOf, tlv } from './der.ts';
import { PkiError } from './error.ts';
import { attributeOids } from './oid.ts';
import { attributeType } from '../tls/attribute-type.ts';
import { stringTags } from '../tls/distinguished-name.ts';

export type StringEncoding = keyof typeof stringTags;

/** One attribute to be written. */
export interface NameAttribute {
  /** Dotted OID. */
  readonly oid: string;
  /** Text, or the content octets exactly as they shall stand. */
  readonly value: string | Uint8Array;
  /** Default: what RFC 5280 asks for the attribute, else utf8. */
  readonly encoding?: StringEncoding;
}

/** A name to be written: RDNs in certificate order; attributes within one RDN stand together. */
export type Name = readonly (readonly NameAttribute[])[];

const printableOnly = new Set([
  attributeOids['C'],
  attributeOids['serialNumber'],
  attributeOids['dnQualifier'],
]);
const ia5Only = new Set([attributeOids['emailAddress'], attributeOids['DC']]);

/** The OID of a short name (`CN`, `ou`, `E` …) or of a dotted OID itself. Throws PkiError at anything else. */
export function attributeOid(type: string): string {
  const oid = attributeType(type);
  if (oid === null) throw new PkiError(`unknown name attribute ${JSON.stringify(type)}`);
  return oid;
}

function defaultEncoding(oid: string, value: string | Uint8Array): StringEncoding {
  if (printableOnly.has(oid) && typeof value === 'string' && /^[A-Za-z0-9 '()+,\-./:=?]*$/.test(value)) {
    return 'printable';
  }
  if (ia5Only.has(oid) && typeof value === 'string' && /^[\x00-\x7f]*$/.test(value)) return 'ia5';
  return 'utf8';
}

function utf16be(text: string): Buffer {
  return Buffer.from(text, 'utf16le').swap16();
}

function utf32be(text: string): Buffer {
  const points = Array.from(text, (character) => character.codePointAt(0)!);
  const bytes = Buffer.alloc(points.length * 4);
  points.forEach((point, index) => bytes.writeUInt32BE(point, index * 4));
  return bytes;
}

function contentOctets(value: string | Uint8Array, encoding: StringEncoding): Uint8Array {
  if (typeof value !== 'string') return value;
  if (encoding === 'utf8') return Buffer.from(value, 'utf8');
  if (encoding === 'bmp') return utf16be(value);
  if (encoding === 'universal') return utf32be(value);
  return Buffer.from(value, 'latin1');
}

function encodeAttribute(attribute: NameAttribute): Buffer {
  const encoding = attribute.encoding ?? defaultEncoding(attribute.oid, attribute.value);
  return sequence(oid(attribute.oid), tlv(stringTags[encoding], contentOctets(attribute.value, encoding)));
}

/**
 * The DER of a name. pkijs's own name class writes every attribute into one multi-valued RDN, which other
 * software then shows and compares differently; here each RDN is its own SET.
 */
export function encodeName(name: Name): Buffer {
  return sequence(...name.map((attributes) => setOf(...attributes.map(encodeAttribute))));
}

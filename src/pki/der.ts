import * as asn1js from 'asn1js';

/** Something that stands for DER: bytes already encoded, or an asn1js block still to be encoded. */
export type Part = Uint8Array | asn1js.BaseBlock;

function octets(part: Part): Uint8Array {
  return part instanceof Uint8Array ? part : new Uint8Array(part.toBER());
}

/** The length octets of a definite-form TLV (X.690 §8.1.3). `length` up to 2^48 − 1. */
export function encodeLength(length: number): Buffer {
  if (length < 0x80) return Buffer.of(length);
  const digits: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) digits.unshift(rest % 256);
  return Buffer.of(0x80 | digits.length, ...digits);
}

/**
 * One TLV around `parts`, which are written as they are. asn1js can only nest blocks that it re-encodes itself;
 * names and keys taken from elsewhere must keep their exact octets, or the chain breaks for whoever compares bytes.
 */
export function tlv(tag: number, ...parts: readonly Part[]): Buffer {
  const contents = parts.map(octets);
  let length = 0;
  for (const content of contents) length += content.byteLength;
  const lengthOctets = encodeLength(length);
  const result = Buffer.allocUnsafe(1 + lengthOctets.byteLength + length);
  result[0] = tag;
  let position = 1;
  for (const bytes of [lengthOctets, ...contents]) {
    result.set(bytes, position);
    position += bytes.byteLength;
  }
  return result;
}

export const sequence = (...parts: readonly Part[]): Buffer => tlv(0x30, ...parts);
export const octetString = (...parts: readonly Part[]): Buffer => tlv(0x04, ...parts);
/** An explicitly tagged, constructed, context-specific element `[number]`. */
export const explicit = (number: number, ...parts: readonly Part[]): Buffer => tlv(0xa0 | number, ...parts);
/** An implicitly tagged, primitive, context-specific element `[number]`. */
export const implicit = (number: number, content: Uint8Array): Buffer => tlv(0x80 | number, content);

/** SET OF: its elements in the order DER asks for (X.690 §11.6). */
export function setOf(...parts: readonly Part[]): Buffer {
  return tlv(0x31, ...parts.map(octets).sort((a, b) => Buffer.compare(a, b)));
}

/** A BIT STRING of whole octets. */
export function bitString(content: Uint8Array): Buffer {
  return tlv(0x03, Buffer.of(0), content);
}

/** A non-negative INTEGER from its big-endian magnitude, in the fewest octets. */
export function unsignedInteger(magnitude: Uint8Array): Buffer {
  let start = 0;
  while (start < magnitude.byteLength - 1 && magnitude[start] === 0) start++;
  const digits = magnitude.subarray(start);
  if (digits.byteLength === 0) return tlv(0x02, Buffer.of(0));
  return digits[0]! >= 0x80 ? tlv(0x02, Buffer.of(0), digits) : tlv(0x02, digits);
}

/** A non-negative INTEGER from a number or bigint. */
export function integer(value: number | bigint): Buffer {
  const hex = value.toString(16);
  return unsignedInteger(Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex'));
}

export function oid(value: string): asn1js.ObjectIdentifier {
  return new asn1js.ObjectIdentifier({ value });
}

/** DER TRUE. FALSE is always a default in what this program writes, so it is left out. */
export const derTrue: Uint8Array = Buffer.of(0x01, 0x01, 0xff);
export const derNull: Uint8Array = Buffer.of(0x05, 0x00);

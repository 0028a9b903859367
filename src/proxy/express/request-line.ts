import { SPACE, targetBytes } from '../wire/bytes.ts';
import type { Reading } from '../wire/fields.ts';

/** The methods that the lane takes; every other is the full lane's (RFC 9110 §9.3, RFC 5789). */
export type PlainMethod = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS';

const methods: readonly { readonly name: PlainMethod; readonly bytes: Buffer }[] = (
  ['GET', 'POST', 'PUT', 'HEAD', 'DELETE', 'PATCH', 'OPTIONS'] as const
).map((name) => ({ name, bytes: Buffer.from(`${name} /`) }));

const version = Buffer.from(' HTTP/1.1\r\n');
const question = 0x3f;

/** Where a request line stands in its bytes. Made to be used again: reading allocates nothing. */
export class RequestLine {
  method: PlainMethod = 'GET';
  targetStart = 0;
  /** The place of the target's first `?`, or its end. */
  queryStart = 0;
  targetEnd = 0;
  /** The first byte of the header section. */
  end = 0;

  /** Reads `METHOD SP origin-form SP HTTP/1.1 CRLF`, with one space where one belongs (RFC 9112 §3). */
  read(bytes: Uint8Array, from: number, to: number): Reading {
    let reading: Reading = 'other';
    for (const { name, bytes: wanted } of methods) {
      reading = compare(bytes, from, to, wanted);
      if (reading === 'other') continue;
      if (reading === 'partial') return reading;
      this.method = name;
      return this.#readTarget(bytes, from + wanted.length - 1, to);
    }
    return reading;
  }

  #readTarget(bytes: Uint8Array, from: number, to: number): Reading {
    let at = from;
    let query = -1;
    for (; at < to; at++) {
      const byte = bytes[at]!;
      if (targetBytes[byte] !== 1) break;
      if (byte === question && query === -1) query = at;
    }
    if (at >= to) return 'partial';
    if (bytes[at] !== SPACE) return 'other';
    this.targetStart = from;
    this.targetEnd = at;
    this.queryStart = query === -1 ? at : query;
    this.end = at + version.length;
    return compare(bytes, at, to, version);
  }
}

function compare(bytes: Uint8Array, from: number, to: number, wanted: Uint8Array): Reading {
  const length = Math.min(wanted.length, to - from);
  for (let index = 0; index < length; index++) if (bytes[from + index] !== wanted[index]) return 'other';
  return length === wanted.length ? 'whole' : 'partial';
}

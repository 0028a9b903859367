/** The bytes are no certificate that DER and RFC 5280 allow, or go past a bound. The message says where. */
export class MalformedCertificate extends Error {
  override readonly name = 'MalformedCertificate';
}

/** Identifier octets (X.690 §8.1.2) of the universal types a certificate is made of. */
export const tags = Object.freeze({
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
});

/** Levels of nesting a reader goes down; the alternative names of a certificate are on the seventh. */
const maximumDepth = 10;

/** Octets of an object identifier; OpenSSL refuses to print longer ones too (CVE-2023-2650). */
const maximumOidLength = 586;

/**
 * Reads DER elements one after the other, never past its end: identifier octets of one byte, definite
 * lengths in their shortest form (X.690 §10.1), and nothing is decoded that is not asked for. Hostile bytes
 * end in MalformedCertificate, in time linear in their number.
 */
export class DerReader {
  readonly bytes: Uint8Array;
  readonly #end: number;
  readonly #depth: number;
  #position: number;
  /** Of the element read last: its identifier octet, where it starts, where its contents start and end. */
  tag = 0;
  start = 0;
  contentStart = 0;
  contentEnd = 0;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length, depth = 0) {
    if (depth > maximumDepth) throw new MalformedCertificate(`nested too deeply at byte ${start}`);
    this.bytes = bytes;
    this.#position = start;
    this.#end = end;
    this.#depth = depth;
  }

  get done(): boolean {
    return this.#position === this.#end;
  }

  /** The identifier octet of the next element, or -1 at the end. */
  get nextTag(): number {
    return this.done ? -1 : this.bytes[this.#position]!;
  }

  get length(): number {
    return this.contentEnd - this.contentStart;
  }

  /** Reads the next element, of whatever type, and steps over it. */
  next(): this {
    const { bytes } = this;
    const end = this.#end;
    const start = this.#position;
    if (end - start < 2) throw new MalformedCertificate(`an element is cut short at byte ${start}`);
    const tag = bytes[start]!;
    if ((tag & 0x1f) === 0x1f) throw new MalformedCertificate(`a tag above 30 at byte ${start}`);
    let position = start + 1;
    let length = bytes[position++]!;
    if (length >= 0x80) {
      const count = length & 0x7f;
      // 0x80 is BER's indefinite form. Four octets hold more than any bytes a caller can pass.
      if (count === 0 || count > 4)
        throw new MalformedCertificate(`a length of no DER form at byte ${start}`);
      if (end - position < count) throw new MalformedCertificate(`an element is cut short at byte ${start}`);
      length = 0;
      for (let i = 0; i < count; i++) length = length * 256 + bytes[position++]!;
      if (length < 0x80 || length < 256 ** (count - 1)) {
        throw new MalformedCertificate(`a length that is not in its shortest form at byte ${start}`);
      }
    }
    if (length > end - position) throw new MalformedCertificate(`an element is cut short at byte ${start}`);
    this.tag = tag;
    this.start = start;
    this.contentStart = position;
    this.contentEnd = position + length;
    this.#position = this.contentEnd;
    return this;
  }

  /** Reads the next element, which must have this identifier octet. `what` names it in the error. */
  expect(tag: number, what: string): this {
    if (this.nextTag !== tag) {
      throw new MalformedCertificate(`no ${what} at byte ${this.#position}`);
    }
    return this.next();
  }

  /** A reader over the contents of the next element, which must have this identifier octet. */
  enter(tag: number, what: string): DerReader {
    this.expect(tag, what);
    return new DerReader(this.bytes, this.contentStart, this.contentEnd, this.#depth + 1);
  }

  /** Nothing may follow. */
  finish(what: string): void {
    if (!this.done) throw new MalformedCertificate(`something follows the ${what} at byte ${this.#position}`);
  }

  /** The contents of the element read last. */
  content(): Uint8Array {
    return this.bytes.subarray(this.contentStart, this.contentEnd);
  }

  /** The element read last, identifier and length octets included. */
  element(): Uint8Array {
    return this.bytes.subarray(this.start, this.contentEnd);
  }

  /** Reads an OBJECT IDENTIFIER as dotted decimals (X.690 §8.19). */
  oid(what: string): string {
    this.expect(tags.oid, what);
    const { bytes, contentStart, contentEnd } = this;
    if (contentEnd === contentStart || this.length > maximumOidLength) {
      throw new MalformedCertificate(`an object identifier of no possible length at byte ${this.start}`);
    }
    let text = '';
    let arc = 0;
    let big = 0n;
    let first = true;
    let arcStart = true;
    for (let i = contentStart; i < contentEnd; i++) {
      const byte = bytes[i]!;
      if (arcStart && byte === 0x80) {
        throw new MalformedCertificate(`an object identifier with a padded number at byte ${this.start}`);
      }
      // Past 2^46 another seven bits would no longer fit a double.
      if (big !== 0n || arc >= 2 ** 46) {
        if (big === 0n) big = BigInt(arc);
        big = (big << 7n) | BigInt(byte & 0x7f);
      } else {
        arc = arc * 128 + (byte & 0x7f);
      }
      arcStart = byte < 0x80;
      if (!arcStart) continue;
      if (first) {
        const top = big !== 0n || arc >= 80 ? 2 : arc >= 40 ? 1 : 0;
        text = `${top}.${big === 0n ? arc - 40 * top : big - 80n}`;
        first = false;
      } else {
        text += `.${big === 0n ? arc : big}`;
      }
      arc = 0;
      big = 0n;
    }
    if (!arcStart) throw new MalformedCertificate(`an object identifier is cut short at byte ${this.start}`);
    return text;
  }

  /** Reads UTCTime or GeneralizedTime in the one form RFC 5280 §4.1.2.5 allows. Milliseconds since 1970. */
  time(what: string): number {
    const tag = this.nextTag;
    if (tag !== tags.utcTime && tag !== tags.generalizedTime) {
      throw new MalformedCertificate(`no ${what} at byte ${this.#position}`);
    }
    this.next();
    const yearDigits = tag === tags.utcTime ? 2 : 4;
    const { bytes, contentStart, contentEnd } = this;
    const malformed = (): never => {
      throw new MalformedCertificate(`a ${what} that is no time at byte ${this.start}`);
    };
    if (this.length !== yearDigits + 11 || bytes[contentEnd - 1] !== 0x5a) malformed();
    const digits = (offset: number, count: number): number => {
      let value = 0;
      for (let i = contentStart + offset; i < contentStart + offset + count; i++) {
        const digit = bytes[i]! - 0x30;
        if (digit < 0 || digit > 9) malformed();
        value = value * 10 + digit;
      }
      return value;
    };
    let year = digits(0, yearDigits);
    if (yearDigits === 2) year += year < 50 ? 2000 : 1900;
    const month = digits(yearDigits, 2);
    const day = digits(yearDigits + 2, 2);
    const hour = digits(yearDigits + 4, 2);
    const minute = digits(yearDigits + 6, 2);
    const second = digits(yearDigits + 8, 2);
    if (hour > 23 || minute > 59 || second > 59) malformed();
    const date = new Date(0);
    date.setUTCFullYear(year, month - 1, day);
    // A day or month that does not exist rolls over into another.
    if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) malformed();
    return date.getTime() + ((hour * 60 + minute) * 60 + second) * 1000;
  }
}

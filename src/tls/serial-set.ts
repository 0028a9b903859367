import { MalformedCertificate } from './der.ts';

/**
 * A set of serial numbers that lie in a buffer already: a table of where they stand, four octets for each place and
 * twice as many places as serials. A Set of strings takes some fifteen times as much.
 */
export class SerialSet {
  readonly #bytes: Uint8Array;
  readonly #table: Uint32Array;

  /**
   * @param bytes Where the serials lie.
   * @param starts Of each, where its INTEGER's length octet stands: below 128, so that it is the only one.
   */
  constructor(bytes: Uint8Array, starts: readonly number[]) {
    this.#bytes = bytes;
    let size = 2;
    while (size < starts.length * 2) size *= 2;
    this.#table = new Uint32Array(size);
    for (const start of starts) this.#add(start);
  }

  /** @param serial Hex; `-` before a negative one. */
  has(serial: string): boolean {
    const octets = serialOctets(serial);
    const mask = this.#table.length - 1;
    for (let place = hash(octets, 0, octets.length) & mask; ; place = (place + 1) & mask) {
      const start = this.#table[place]!;
      if (start === 0) return false;
      if (this.#equals(start, octets)) return true;
    }
  }

  #add(start: number): void {
    const mask = this.#table.length - 1;
    let place = hash(this.#bytes, start + 1, start + 1 + this.#bytes[start]!) & mask;
    while (this.#table[place] !== 0) place = (place + 1) & mask;
    this.#table[place] = start;
  }

  #equals(start: number, octets: Uint8Array): boolean {
    if (this.#bytes[start] !== octets.length) return false;
    for (let i = 0; i < octets.length; i++) if (this.#bytes[start + 1 + i] !== octets[i]) return false;
    return true;
  }
}

/** FNV-1a. Whoever could choose serials to collide is the CA that signs the list. */
function hash(bytes: Uint8Array, from: number, to: number): number {
  let value = 0x811c9dc5;
  for (let i = from; i < to; i++) value = Math.imul(value ^ bytes[i]!, 0x01000193);
  return value >>> 0;
}

/**
 * The content octets that DER has for a serial number (X.690 §8.3).
 * @throws MalformedCertificate for what is no hexadecimal number.
 */
function serialOctets(serial: string): Uint8Array {
  const negative = serial.startsWith('-');
  const digits = (negative ? serial.slice(1) : serial).replace(/^0+(?=.)/, '');
  if (!/^[0-9A-Fa-f]+$/.test(digits)) throw new MalformedCertificate('a serial number that is no number');
  const magnitude = Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex');
  if (!negative) return magnitude[0]! < 0x80 ? magnitude : Buffer.concat([Buffer.of(0), magnitude]);
  // Two's complement: as many octets as hold the number with its sign.
  let bytes = magnitude.length;
  const value = BigInt(`0x${digits}`);
  if (value > 1n << BigInt(bytes * 8 - 1)) bytes++;
  return Buffer.from(((1n << BigInt(bytes * 8)) - value).toString(16).padStart(bytes * 2, '0'), 'hex');
}

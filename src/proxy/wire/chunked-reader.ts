import { COLON, CR, hexDigits, LF, tokenBytes, valueBytes } from './bytes.ts';

/** Told what a chunked body holds. */
export interface ChunkedSink {
  /** A piece of the body, never empty; a view of the bytes that were fed. */
  data(piece: Buffer): void;
}

/** Most bytes of a chunk's size line: node's parser takes as many of extensions. */
const sizeLineLimit = 16 * 1024;

/** Most bytes of a trailer section. */
const trailerLimit = 16 * 1024;

/** Trailers that would frame the message a second time (RFC 9110 §6.5.1). */
const framing: ReadonlySet<string> = new Set(['content-length', 'transfer-encoding']);
const longestFraming = 'transfer-encoding'.length;

const SIZE = 0;
const EXTENSION_NAME = 1;
const EXTENSION_START = 15;
const EXTENSION_VALUE = 2;
const QUOTED = 3;
const QUOTED_PAIR = 4;
const QUOTED_END = 5;
const SIZE_LF = 6;
const DATA = 7;
const DATA_CR = 8;
const DATA_LF = 9;
const TRAILER_START = 10;
const TRAILER_NAME = 11;
const TRAILER_VALUE = 12;
const TRAILER_LF = 13;
const LAST_LF = 14;

/**
 * Reads a chunked body (RFC 9112 §7.1) as it comes, in pieces of any size. Every line ends with CRLF. Extensions and
 * trailers are read over by their grammar and dropped, as both are by the full lane, but for trailers that would frame the
 * message again: what is sent on is framed anew,
 * so no byte of this framing reaches anyone.
 */
export class ChunkedReader {
  /** The last chunk and the trailer section have been read. */
  done = false;
  #state = SIZE;
  #size = 0;
  #digits = 0;
  /** Bytes of the line or section so far. */
  #length = 0;
  /** The beginning of a trailer's name. */
  #name = '';

  /**
   * @returns The place behind the last byte read: `to`, or where the body ends; -1 where the bytes are no chunked body.
   */
  feed(bytes: Buffer, from: number, to: number, sink: ChunkedSink): number {
    let at = from;
    while (at < to && !this.done) {
      if (this.#state === DATA) {
        const end = Math.min(to, at + this.#size);
        this.#size -= end - at;
        if (this.#size === 0) this.#state = DATA_CR;
        sink.data(bytes.subarray(at, end));
        at = end;
      } else if (!this.#step(bytes[at]!)) return -1;
      else at++;
    }
    return at;
  }

  #step(byte: number): boolean {
    switch (this.#state) {
      case SIZE:
        return this.#sizeByte(byte);
      case EXTENSION_START:
        return tokenBytes[byte] === 1 && this.#go(EXTENSION_NAME);
      case EXTENSION_NAME:
        if (byte === 0x3d) return this.#go(EXTENSION_VALUE);
        return this.#extensionByte(byte);
      case EXTENSION_VALUE:
        if (byte === 0x22) return this.#go(QUOTED);
        return this.#extensionByte(byte);
      case QUOTED:
        if (byte === 0x22) return this.#go(QUOTED_END);
        if (byte === 0x5c) return this.#go(QUOTED_PAIR);
        return valueBytes[byte] === 1 && this.#counts(sizeLineLimit);
      case QUOTED_PAIR:
        return valueBytes[byte] === 1 && this.#go(QUOTED);
      case QUOTED_END:
        if (byte === 0x3b) return this.#go(EXTENSION_START);
        return byte === CR && this.#go(SIZE_LF);
      case SIZE_LF:
        return byte === LF && this.#go(this.#size > 0 ? DATA : TRAILER_START, true);
      case DATA_CR:
        return byte === CR && this.#go(DATA_LF);
      case DATA_LF:
        this.#digits = 0;
        this.#size = 0;
        return byte === LF && this.#go(SIZE, true);
      case TRAILER_START:
        if (byte === CR) return this.#go(LAST_LF);
        this.#name = String.fromCharCode(byte);
        return tokenBytes[byte] === 1 && this.#go(TRAILER_NAME);
      case TRAILER_NAME:
        if (byte === COLON) return !framing.has(this.#name.toLowerCase()) && this.#go(TRAILER_VALUE);
        if (this.#name.length <= longestFraming) this.#name += String.fromCharCode(byte);
        return tokenBytes[byte] === 1 && this.#counts(trailerLimit);
      case TRAILER_VALUE:
        if (byte === CR) return this.#go(TRAILER_LF);
        return valueBytes[byte] === 1 && this.#counts(trailerLimit);
      case TRAILER_LF:
        return byte === LF && this.#go(TRAILER_START);
      case LAST_LF:
        this.done = byte === LF;
        return this.done;
      default:
        return false;
    }
  }

  #sizeByte(byte: number): boolean {
    const digit = hexDigits[byte]!;
    if (digit !== 255) {
      this.#digits++;
      this.#size = this.#size * 16 + digit;
      return this.#size <= Number.MAX_SAFE_INTEGER && this.#counts(sizeLineLimit);
    }
    if (this.#digits === 0) return false;
    if (byte === 0x3b) return this.#go(EXTENSION_START);
    return byte === CR && this.#go(SIZE_LF);
  }

  #extensionByte(byte: number): boolean {
    if (byte === 0x3b) return this.#go(EXTENSION_START);
    if (byte === CR) return this.#go(SIZE_LF);
    return tokenBytes[byte] === 1 && this.#counts(sizeLineLimit);
  }

  #go(state: number, fresh = false): boolean {
    this.#state = state;
    if (fresh) this.#length = 0;
    return this.#counts(trailerLimit);
  }

  #counts(limit: number): boolean {
    this.#length++;
    return this.#length <= limit;
  }
}

/** Pieces of a body as one chunk, and the end of the body behind it where it is the last. */
export function writeChunks(pieces: readonly Buffer[], last: boolean): Buffer {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const parts: Buffer[] = length === 0 ? [] : [Buffer.from(`${length.toString(16)}\r\n`), ...pieces, crlf];
  return Buffer.concat(last ? [...parts, lastChunk] : parts);
}

const crlf = Buffer.from('\r\n');

/** Ends a chunked body: no trailers. */
export const lastChunk = Buffer.from('0\r\n\r\n');

import type { Socket } from 'node:net';

const statusLine = 'HTTP/1.1 100';
/** RFC 9112 §2.1 to the letter, so that what is left out ends exactly where the parser would have it end. */
const wholeHead =
  /^HTTP\/1\.1 100(?: [\t\x20-\x7e\x80-\xff]*)?\r\n(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*\r\n)*\r\n$/;
const headEnd = Buffer.from('\r\n\r\n');

/** Longest head of a 100 (Continue), in bytes, and most of them before one response. */
const headLimit = 8192;
const countLimit = 8;

/**
 * Takes `100 Continue` out of what a socket reads at the beginning of a response. We never ask for one (`Expect`
 * is answered on the client's side), but some servers send one all the same, and RFC 9110 §15.2 has every client
 * take that; undici's parser breaks the connection instead. Anything that is not a whole, well-formed 100 is passed
 * on as it is, for the parser to judge.
 *
 * Works on `socket.read()`, the one way in which undici takes bytes.
 */
export class ContinueFilter {
  #armed = false;
  #heard = false;
  #count = 0;
  #held: Buffer | null = null;

  constructor(socket: Socket) {
    const read = socket.read.bind(socket) as (size?: number) => Buffer | null;
    socket.read = (size?: number): Buffer | null => {
      const chunk = read(size);
      if (chunk === null) return null;
      this.#heard = true;
      return this.#armed ? this.#filter(chunk) : chunk;
    };
  }

  /** A request is about to be sent: the next bytes begin a response. */
  arm(): void {
    this.#armed = true;
    this.#heard = false;
    this.#count = 0;
    this.#held = null;
  }

  /** A byte has been read since `arm`. */
  get heard(): boolean {
    return this.#heard;
  }

  #filter(chunk: Buffer): Buffer | null {
    let bytes = this.#held === null ? chunk : Buffer.concat([this.#held, chunk]);
    this.#held = null;
    while (bytes.length > 0) {
      if (!mayBeContinue(bytes) || this.#count >= countLimit) return this.#pass(bytes);
      const end = bytes.indexOf(headEnd);
      if (end === -1) {
        if (bytes.length > headLimit) return this.#pass(bytes);
        this.#held = bytes;
        return null;
      }
      const next = end + headEnd.length;
      if (next > headLimit || !wholeHead.test(bytes.toString('latin1', 0, next))) return this.#pass(bytes);
      this.#count++;
      bytes = bytes.subarray(next);
    }
    return null;
  }

  #pass(bytes: Buffer): Buffer {
    this.#armed = false;
    return bytes;
  }
}

/** The bytes are the beginning of a 100, or too few to tell. */
function mayBeContinue(bytes: Buffer): boolean {
  return statusLine.startsWith(bytes.toString('latin1', 0, statusLine.length));
}

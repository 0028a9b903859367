import { COLON, CR, LF, SPACE, TAB, tokenBytes } from './bytes.ts';

/** What reading came to: all of it stands there, more bytes are needed, or it is anything else. */
export type Reading = 'whole' | 'partial' | 'other';

/** Where the lines of a header section stand in its bytes. Made to be used again: reading allocates nothing. */
export class Fields {
  /** Of each line four places: begin and end of its name, begin and end of its value without white space around. */
  readonly places: Int32Array;
  count = 0;
  /** The byte behind the empty line. */
  end = 0;
  readonly #most: number;

  /** @param most Lines there may be; one with more is refused. */
  constructor(most: number) {
    this.#most = most;
    this.places = new Int32Array(4 * most);
  }

  /**
   * Reads `name: value` lines up to the empty line, each ended by CRLF and by nothing else: no folded line, no white
   * space before the colon, no other control byte (RFC 9112 §5).
   *
   * @param from The first byte of the first line.
   * @param values Which bytes a value may hold.
   * @returns `partial`: what is there could be the beginning of such lines.
   */
  read(bytes: Uint8Array, from: number, to: number, values: Uint8Array): Reading {
    const { places } = this;
    let at = from;
    let count = 0;
    for (;;) {
      const start = at;
      while (at < to && tokenBytes[bytes[at]!] === 1) at++;
      if (at >= to) return 'partial';
      if (at === start) {
        const ending = crlf(bytes, at, to);
        if (ending !== 'whole') return ending;
        this.count = count;
        this.end = at + 2;
        return 'whole';
      }
      if (bytes[at] !== COLON || count >= this.#most) return 'other';
      const name = at;
      at++;
      while (at < to && (bytes[at] === SPACE || bytes[at] === TAB)) at++;
      const value = at;
      while (at < to && values[bytes[at]!] === 1) at++;
      const ending = crlf(bytes, at, to);
      if (ending !== 'whole') return ending;
      let last = at;
      while (last > value && (bytes[last - 1] === SPACE || bytes[last - 1] === TAB)) last--;
      const place = 4 * count;
      places[place] = start;
      places[place + 1] = name;
      places[place + 2] = value;
      places[place + 3] = last;
      count++;
      at += 2;
    }
  }

  /**
   * The lines as node has them: name, value, name, value, …, one character per byte.
   * @param text The bytes from `from` on, in latin1.
   */
  list(text: string, from: number): string[] {
    const { places, count } = this;
    const list: string[] = [];
    for (let place = 0; place < 4 * count; place += 4) {
      list.push(
        text.slice(places[place]! - from, places[place + 1]! - from),
        text.slice(places[place + 2]! - from, places[place + 3]! - from),
      );
    }
    return list;
  }
}

/** Whether CRLF stands at a place. */
export function crlf(bytes: Uint8Array, at: number, to: number): Reading {
  if (at >= to) return 'partial';
  if (bytes[at] !== CR) return 'other';
  if (at + 1 >= to) return 'partial';
  return bytes[at + 1] === LF ? 'whole' : 'other';
}

/** The longest line. An object is 1.5 MB at most in etcd, and somewhat more as JSON. */
export const maxLine = 16 * 1024 ** 2;

/** Puts lines together from the pieces that the network brings. Pure; what follows the last line feed is no line yet. */
export class Lines {
  readonly #most: number;
  #pieces: Buffer[] = [];
  #length = 0;

  /** @param most Bytes of a line. */
  constructor(most = maxLine) {
    this.#most = most;
  }

  /**
   * The lines that are whole now, without empty ones.
   * @throws Error for a line that does not end.
   */
  *take(piece: Buffer): Generator<string, void, undefined> {
    let from = 0;
    for (;;) {
      const end = piece.indexOf(0x0a, from);
      const rest = piece.subarray(from, end === -1 ? undefined : end);
      this.#length += rest.length;
      if (this.#length > this.#most) throw new Error(`a line longer than ${this.#most} bytes`);
      if (rest.length > 0) this.#pieces.push(rest);
      if (end === -1) return;
      const line = this.#pieces.length === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces, this.#length);
      this.#pieces = [];
      this.#length = 0;
      from = end + 1;
      const text = line.toString('utf8').trim();
      if (text !== '') yield text;
    }
  }
}

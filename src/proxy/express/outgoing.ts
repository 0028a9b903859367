import type { Socket } from 'node:net';
import { readBuffers } from '../read-buffers.ts';

/** What is on its way to a client, put together before it is written: a head and the first of its body go as one. */
export class Outgoing {
  readonly #socket: Socket;
  #head: string | null = null;
  #pieces: (Buffer | string)[] = [];

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** @param text One character per byte. */
  head(text: string): void {
    // Behind interim responses that are still here.
    if (this.#pieces.length > 0) this.#pieces.push(text);
    else this.#head = text;
  }

  /** @param piece Bytes, which may be overwritten after `flush`, or text of one character per byte. */
  add(piece: Buffer | string): void {
    this.#pieces.push(piece);
  }

  /** Writes what is there. False: the socket takes no more until its `drain`. */
  flush(): boolean {
    const socket = this.#socket;
    const head = this.#head;
    const pieces = this.#pieces;
    if (head === null && pieces.length === 0) return !socket.writableNeedDrain;
    this.#head = null;
    if (pieces.length === 0) return socket.write(head!, 'latin1');
    this.#pieces = [];
    let length = head?.length ?? 0;
    for (const piece of pieces) length += piece.length;
    // Copied: what upstreams send stands where the next read goes, and a TLS record for each piece would cost more.
    const all = Buffer.allocUnsafe(length);
    readBuffers.read(length);
    let at = head === null ? 0 : all.write(head, 0, 'latin1');
    for (const piece of pieces) {
      at += typeof piece === 'string' ? all.write(piece, at, 'latin1') : piece.copy(all, at);
    }
    return socket.write(all);
  }

  /** Nothing of it is written. */
  drop(): void {
    this.#head = null;
    this.#pieces = [];
  }
}

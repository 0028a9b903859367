import type { Socket } from 'node:net';

type WriteDone = (error?: NodeJS.ErrnoException | null) => void;

/** Codes of a write to a connection that the other side has closed. */
const closedCodes: ReadonlySet<string> = new Set(['EPIPE', 'ECONNRESET']);

/**
 * Lets a socket be read to its end although the other side takes nothing more. A server that answers early (413, say)
 * and closes leaves its answer in our receive buffer and a reset behind it; Node destroys the socket at the first write
 * that meets the reset, answer unread. Here such a write is left pending instead: reading goes on to the end, which
 * then closes the socket, and time-outs bound it as ever.
 */
export class LastWords {
  #unheard = false;

  constructor(socket: Socket) {
    // A stream gives the same callback with every write: one of ours does for all.
    let last: WriteDone | null = null;
    let held: WriteDone | null = null;
    const hold = (done: WriteDone): WriteDone => {
      if (held !== null && last === done) return held;
      last = done;
      held = (error) => {
        const code = error?.code;
        if (code !== undefined && closedCodes.has(code)) this.#unheard = true;
        else done(error);
      };
      return held;
    };
    const write = socket._write.bind(socket);
    const writev = socket._writev?.bind(socket);
    socket._write = (chunk, encoding, done) => write(chunk, encoding, hold(done));
    if (writev !== undefined) socket._writev = (chunks, done) => writev(chunks, hold(done));
  }

  /** The other side has reset the connection: an end that comes now may be none. */
  get unheard(): boolean {
    return this.#unheard;
  }
}

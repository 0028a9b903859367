import { close, constants, fstatSync, openSync, write, writeSync } from 'node:fs';
import type { LogLoss } from './metrics.ts';

export interface LogSinkOptions {
  /** A file descriptor; standard output where it is left out. It is not closed. */
  readonly fd?: number;
  /** Bytes kept while whoever reads the log is slow; lines past it are dropped. */
  readonly maxBytes?: number;
  /** Called once for each line that is lost. */
  readonly onDrop?: (reason: LogLoss) => void;
}

/** Some eight thousand lines: under a second of full load. */
export const defaultLogBytes: number = 8 * 1024 * 1024;

/** Bytes handed to the system at once: what a pipe holds. */
const maxWrite = 65_536;

/** How long a reader that has stopped reading is left alone, in milliseconds. */
const retryMs = 20;

/**
 * Where the lines of the log go: written in the background, many at a time under load, in order. `write` never
 * throws and never blocks, and what is kept for a slow reader is bounded.
 *
 * pino's own destination is not used, because a reader that has stopped reading then keeps the process from
 * ever exiting: its write(2) blocks a thread that Node waits for. Here a pipe or terminal is opened once more
 * for this process alone, not to block.
 */
export class LogSink {
  readonly #fd: number;
  readonly #own: boolean;
  readonly #maxBytes: number;
  readonly #onDrop: (reason: LogLoss) => void;
  #lines: string[] = [];
  /** In UTF-8, of the lines that wait and of those being written. */
  #bytes = 0;
  /** Lines being written. */
  #writing = 0;
  #state: 'open' | 'closing' | 'broken' | 'closed' = 'open';
  #idle: (() => void) | null = null;

  constructor({ fd = 1, maxBytes = defaultLogBytes, onDrop = () => {} }: LogSinkOptions = {}) {
    const own = openAgain(fd);
    this.#own = own !== null;
    this.#fd = own ?? fd;
    this.#maxBytes = maxBytes;
    this.#onDrop = onDrop;
    process.on('exit', this.#onExit);
  }

  /** Takes one line with its newline. */
  write(line: string): void {
    if (this.#state !== 'open') {
      this.#onDrop('error');
      return;
    }
    const text = escapeInvisible(line);
    const bytes = Buffer.byteLength(text);
    if (this.#bytes + bytes > this.#maxBytes) {
      this.#onDrop('back_pressure');
      return;
    }
    this.#lines.push(text);
    this.#bytes += bytes;
    if (this.#writing === 0) this.#writeLines();
  }

  /**
   * Writes what is left, for at most `timeoutMs`; lines that do not make it are counted as dropped. Lines that
   * come after the call are dropped. Never rejects.
   */
  async close(timeoutMs: number): Promise<void> {
    if (this.#state === 'closing' || this.#state === 'closed') return;
    if (this.#state === 'open') this.#state = 'closing';
    if (this.#writing > 0) {
      const idle = Promise.withResolvers<void>();
      this.#idle = idle.resolve;
      const timer = setTimeout(idle.resolve, timeoutMs);
      await idle.promise;
      clearTimeout(timer);
    }
    this.#state = 'closed';
    process.off('exit', this.#onExit);
    this.#lost('back_pressure', this.#writing);
    this.#dropAll('back_pressure');
    if (this.#writing === 0) this.#closeOwn();
  }

  #writeLines(): void {
    const [first = ''] = this.#lines;
    let count = 1;
    for (let size = first.length; count < this.#lines.length; count++) {
      size += this.#lines[count]!.length;
      if (size > maxWrite) break;
    }
    const lines = count === this.#lines.length ? this.#lines : this.#lines.slice(0, count);
    this.#lines = count === this.#lines.length ? [] : this.#lines.slice(count);
    this.#writing = lines.length;
    this.#writeBytes(Buffer.from(lines.join('')));
  }

  #writeBytes(bytes: Buffer): void {
    if (this.#state === 'closed') {
      this.#closeOwn();
      return;
    }
    write(this.#fd, bytes, (error, written) => {
      if (this.#state === 'closed') {
        this.#closeOwn();
        return;
      }
      if (error?.code === 'EAGAIN' || error?.code === 'EBUSY') {
        setTimeout(() => this.#writeBytes(bytes), retryMs).unref();
        return;
      }
      if (error !== null) {
        this.#bytes -= bytes.length;
        this.#lost('error', this.#writing);
        // Nobody is left to read, and nobody will ever be.
        if (error.code === 'EPIPE') {
          this.#state = 'broken';
          this.#dropAll('error');
        }
      } else {
        this.#bytes -= written;
        if (written < bytes.length) {
          this.#writeBytes(bytes.subarray(written));
          return;
        }
      }
      this.#writing = 0;
      if (this.#lines.length > 0) this.#writeLines();
      else this.#idle?.();
    });
  }

  /** The process ends without having closed the log, so it ends badly: the last lines are the ones that matter. */
  readonly #onExit = (): void => {
    try {
      let rest = Buffer.from(this.#lines.join(''));
      while (rest.length > 0) rest = rest.subarray(writeSync(this.#fd, rest));
    } catch {
      // The reader is stuck or gone.
    }
  };

  #closeOwn(): void {
    if (this.#own) close(this.#fd, () => {});
  }

  #dropAll(reason: LogLoss): void {
    this.#lost(reason, this.#lines.length);
    this.#lines = [];
    this.#bytes = 0;
  }

  #lost(reason: LogLoss, count: number): void {
    for (let index = 0; index < count; index++) this.#onDrop(reason);
  }
}

/**
 * The same pipe or terminal as `fd`, not blocking and not shared: with O_NONBLOCK set on the one we were given,
 * whoever else writes there would meet EAGAIN. Null for files, which do not block for long; for sockets, which
 * cannot be opened; and where the system does not let us.
 */
function openAgain(fd: number): number | null {
  try {
    const kind = fstatSync(fd);
    if (!kind.isFIFO() && !kind.isCharacterDevice()) return null;
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_APPEND | constants.O_NONBLOCK);
  } catch {
    return null;
  }
}

/** What a terminal or an editor acts on instead of showing, and JSON leaves as it is: C1 controls, bidi marks. */
const invisible = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** Inside a line's strings these are `\uXXXX`, which JSON reads back as the same text. */
function escapeInvisible(line: string): string {
  // Lines are ASCII nearly always, and this is ten times quicker to find out than by the pattern.
  if (Buffer.byteLength(line) === line.length && !line.includes('\x7f')) return line;
  return line.replace(invisible, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

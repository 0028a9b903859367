import { fstatSync, write, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import type { LogLoss } from './metrics.ts';

export interface LogSinkOptions {
  /** A file descriptor; standard output where it is left out. */
  readonly fd?: number;
  /** Bytes kept while whoever reads the log is slow; lines past it are dropped. */
  readonly maxBytes?: number;
  /** Bytes handed to the system at once, of whole lines; a line that is longer goes alone. */
  readonly maxWrite?: number;
  /** Called once for each line that is lost. */
  readonly onDrop?: (reason: LogLoss) => void;
}

/** Some eight thousand lines: under a second of full load. */
export const defaultLogBytes: number = 8 * 1024 * 1024;

/** Bytes handed to the system at once: what a pipe holds. */
const defaultMaxWrite = 65_536;

/** What several processes may write to one pipe at once without tearing each other's lines: PIPE_BUF, pipe(7). */
export const sharedPipeWrite = 4096;

/**
 * Where the lines of the log go: written in the background, many at a time under load, in order. `write` never
 * throws and never blocks, and what is kept for a slow reader is bounded.
 *
 * pino's own destination is not used, because a reader that has stopped reading then keeps the process from
 * ever exiting: its write(2) blocks a thread that Node waits for. A pipe or socket is written to as a stream
 * here, which does not block; a file or a terminal as it is.
 */
export class LogSink {
  readonly #fd: number;
  /** Null for a file or a terminal. */
  readonly #stream: Writable | null;
  readonly #maxBytes: number;
  readonly #maxWrite: number;
  readonly #onDrop: (reason: LogLoss) => void;
  #lines: string[] = [];
  /** In UTF-8, of the lines that wait and of those being written. */
  #bytes = 0;
  /** Lines being written. */
  #writing = 0;
  #scheduled = false;
  #state: 'open' | 'closing' | 'broken' | 'closed' = 'open';
  #idle: (() => void) | null = null;

  constructor(options: LogSinkOptions = {}) {
    const { fd = 1, maxBytes = defaultLogBytes, maxWrite = defaultMaxWrite, onDrop = noop } = options;
    this.#fd = fd;
    this.#maxWrite = maxWrite;
    this.#stream = streamOf(fd);
    // Each write hears of its error itself; one may still come after close, so this stays.
    if (this.#stream !== null && !this.#stream.listeners('error').includes(noop)) {
      this.#stream.on('error', noop);
    }
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
    if (this.#writing > 0 || this.#scheduled) return;
    // One write for all the lines of a turn of the event loop: it costs more than making three of them.
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (this.#writing === 0) this.#writeLines();
    });
  }

  /**
   * Writes what is left, for at most `timeoutMs`; lines that do not make it are counted as dropped. Lines that
   * come after the call are dropped. Never rejects. If the reader is stuck, what waits in standard output keeps
   * Node's event loop alive: only process.exit ends the process then.
   */
  async close(timeoutMs: number): Promise<void> {
    if (this.#state === 'closing' || this.#state === 'closed') return;
    if (this.#state === 'open') this.#state = 'closing';
    if (this.#writing === 0) this.#writeLines();
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
    // Standard output and error are not ours to close.
    if (this.#stream instanceof Socket && this.#fd > 2) this.#stream.destroy();
  }

  #writeLines(): void {
    const [first] = this.#lines;
    if (first === undefined) return;
    let count = 1;
    for (let size = Buffer.byteLength(first); count < this.#lines.length; count++) {
      size += Buffer.byteLength(this.#lines[count]!);
      if (size > this.#maxWrite) break;
    }
    const lines = count === this.#lines.length ? this.#lines : this.#lines.slice(0, count);
    this.#lines = count === this.#lines.length ? [] : this.#lines.slice(count);
    this.#writing = lines.length;
    this.#writeBytes(Buffer.from(lines.join('')));
  }

  #writeBytes(bytes: Buffer): void {
    if (this.#stream !== null) {
      this.#stream.write(bytes, (error) => this.#written(error ?? null, bytes, bytes.length));
    } else {
      write(this.#fd, bytes, (error, count) => this.#written(error, bytes, count));
    }
  }

  /** `count`: bytes of `bytes` that were written, if there is no error. */
  #written(error: NodeJS.ErrnoException | null, bytes: Buffer, count: number): void {
    if (this.#state === 'closed') return;
    if (error === null && count < bytes.length) {
      this.#bytes -= count;
      this.#writeBytes(bytes.subarray(count));
      return;
    }
    this.#bytes -= bytes.length;
    if (error !== null) {
      this.#lost('error', this.#writing);
      // Nobody is left to read, and nobody will ever be; a file on a full disk is another matter.
      if (this.#stream !== null) {
        this.#state = 'broken';
        this.#dropAll('error');
      }
    }
    this.#writing = 0;
    this.#writeLines();
    if (this.#writing === 0) this.#idle?.();
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

  #dropAll(reason: LogLoss): void {
    this.#lost(reason, this.#lines.length);
    this.#lines = [];
    this.#bytes = 0;
  }

  #lost(reason: LogLoss, count: number): void {
    for (let index = 0; index < count; index++) this.#onDrop(reason);
  }
}

/** Node's own stream for standard output and error: two of them on one descriptor would miss each other's events. */
function streamOf(fd: number): Writable | null {
  const kind = fstatSync(fd);
  if (!kind.isFIFO() && !kind.isSocket()) return null;
  if (fd === 1) return process.stdout;
  return fd === 2 ? process.stderr : new Socket({ fd, readable: false, writable: true });
}

function noop(): void {}

/** What a terminal or an editor acts on instead of showing, and JSON leaves as it is: C1 controls, bidi marks. */
const invisible = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** Inside a line's strings these are `\uXXXX`, which JSON reads back as the same text. */
function escapeInvisible(line: string): string {
  // Lines are ASCII nearly always, and this is ten times quicker to find out than by the pattern.
  if (Buffer.byteLength(line) === line.length && !line.includes('\x7f')) return line;
  return line.replace(invisible, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

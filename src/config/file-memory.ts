import { stat } from 'node:fs';
import { clockTickMs, printOf } from './file-print.ts';
import { readBounded, type ReadFile } from './read-file.ts';

/** Asked of the system at once. */
const maxLooks = 64;

/** Read at once: so many buffers of the greatest size may there be. */
const maxReads = 8;

/** A file to read. */
export interface Wanted<Value> {
  /** Absolute. */
  readonly path: string;
  /** Bytes. */
  readonly limit: number;
  /** What is kept of it. */
  readonly make: (file: ReadFile) => Value;
}

interface Kept {
  readonly print: string;
  readonly value: unknown;
}

/**
 * Files read before: one whose size, times and inode are as they were is not read again. One that was changed within a
 * tick of the clock before it was read is never taken for unchanged: the next change could leave the same stamp. It
 * holds what one load asked for, no more.
 */
export class FileMemory {
  #before: ReadonlyMap<string, Kept> = new Map();
  #after = new Map<string, Kept>();

  /** Begins a load. */
  begin(): void {
    this.#after = new Map();
  }

  /** The load is over: what it did not ask for is forgotten. */
  end(): void {
    this.#before = this.#after;
  }

  /**
   * Reads files, or gives what was made of them before; in the order of `wanted`. A value must be made in one way for
   * one path. Never rejects. `room`: bytes that may still be read, asked before each read.
   */
  async read<Value>(
    wanted: readonly Wanted<Value>[],
    room: (size: number) => string | null = () => null,
  ): Promise<(Value | { readonly fault: string })[]> {
    const results = Array.from<Value | { readonly fault: string }>({ length: wanted.length });
    const changed: number[] = [];
    await inParallel(wanted.length, maxLooks, async (index) => {
      const { path } = wanted[index]!;
      const kept = this.#before.get(path);
      if (kept === undefined || (await printAt(path)) !== kept.print) {
        changed.push(index);
        return;
      }
      this.#after.set(path, kept);
      results[index] = kept.value as Value;
    });
    changed.sort((a, b) => a - b);
    await inParallel(changed.length, maxReads, async (nth) => {
      const index = changed[nth]!;
      const { path, limit, make } = wanted[index]!;
      const full = room(0);
      if (full !== null) {
        results[index] = { fault: full };
        return;
      }
      const began = Date.now();
      const read = await readBounded(path, limit);
      if ('fault' in read) {
        results[index] = read;
        return;
      }
      room(read.bytes.length);
      const value = make(read);
      results[index] = value;
      const { print, changedAt } = read.print;
      if (changedAt < began - clockTickMs) this.#after.set(path, { print, value });
    });
    return results;
  }
}

/** The print of a file now; null where it is not there. Through callbacks: half of what promises cost. */
function printAt(path: string): Promise<string | null> {
  return new Promise((resolve) => {
    if (path.includes('\0')) resolve(null);
    else stat(path, (fault, stats) => resolve(fault === null ? printOf(stats).print : null));
  });
}

/** Runs `act` for 0 … count - 1, so many at a time. */
async function inParallel(
  count: number,
  atOnce: number,
  act: (index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const run = async (): Promise<void> => {
    while (next < count) await act(next++);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, count) }, run));
}

import { randomBytes } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readBounded } from '../../config/read-file.ts';
import { Slices } from '../../slices.ts';
import type { Entry } from './entry.ts';
import { entryFrom, stateOf } from './state.ts';

/** Bytes of an inventory file: a hundred thousand identities that came to many hosts. */
const maxBytes = 256 * 1024 ** 2;

/** The first line of the file. */
interface Header {
  readonly inventory: 1;
  /** ISO 8601, from when on everybody was noted. */
  readonly since: string;
  /** How many were given up. */
  readonly evicted: number;
}

/** What a file holds. */
export interface InventoryFile {
  /** Milliseconds since 1970. */
  readonly since: number;
  readonly evicted: number;
  readonly entries: readonly Entry[];
}

/** Null where there is no file; a fault is worded to follow the file's name. Never rejects. */
export async function readInventory(
  path: string,
): Promise<InventoryFile | { readonly fault: string } | null> {
  const read = await readBounded(path, maxBytes);
  if ('fault' in read) return read.fault === 'is not there' ? null : read;
  const [first = '', ...lines] = read.bytes.toString('utf8').split('\n');
  const header = parse(first) as Partial<Header> | null;
  const since = Date.parse(String(header?.since));
  const evicted = header?.evicted ?? 0;
  if (header?.inventory !== 1 || Number.isNaN(since) || !Number.isSafeInteger(evicted) || evicted < 0)
    return { fault: 'is no inventory' };
  // A file that was cut short has no line break at its end.
  if (lines.pop() !== '') return { fault: 'is cut short' };
  const entries: Entry[] = [];
  const slices = new Slices();
  for (const [index, line] of lines.entries()) {
    const entry = entryFrom(parse(line));
    if (entry === null) return { fault: `is broken in line ${index + 2}` };
    entries.push(entry);
    if (slices.isOver) await slices.pause();
  }
  return { since, evicted, entries };
}

function parse(line: string): unknown {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' ? value : null;
  } catch {
    return null;
  }
}

/** Writes the file whole or not at all, readable by its owner alone. Rejects with what the system says. */
export async function writeInventory(
  path: string,
  { since, evicted, entries }: InventoryFile,
): Promise<void> {
  const slices = new Slices();
  const header: Header = { inventory: 1, since: new Date(since).toISOString(), evicted };
  const lines = [JSON.stringify(header)];
  for (const entry of entries) {
    lines.push(JSON.stringify(stateOf(entry)));
    if (slices.isOver) await slices.pause();
  }
  const temporary = join(dirname(path), `.inventory-${randomBytes(8).toString('hex')}`);
  try {
    {
      await using file = await open(temporary, 'wx', 0o600);
      await file.writeFile(`${lines.join('\n')}\n`);
      await file.sync();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { type FilePrint, printOf } from './file-print.ts';

export type FileContents = ReadFile | { readonly fault: string };

export interface ReadFile {
  readonly bytes: Buffer;
  /** Permission bits. */
  readonly mode: number;
  /** As it was before the first byte was read. */
  readonly print: FilePrint;
}

/**
 * Reads a whole regular file of at most `limit` bytes. Never rejects; the fault is worded to follow the file's name.
 * Never blocks either: a FIFO in a file's place is refused instead of waited for.
 */
export async function readBounded(path: string, limit: number): Promise<FileContents> {
  // A path with a NUL ends there for the system, and names another file.
  if (path.includes('\0')) return { fault: 'is no file name' };
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stat = await file.stat();
    if (stat.isDirectory()) return { fault: 'is a folder: name a file in it' };
    if (!stat.isFile()) return { fault: 'is no regular file' };
    const { size } = stat;
    if (size > limit) return { fault: tooLarge(limit) };
    // One byte more than it had: it may be growing.
    const buffer = Buffer.allocUnsafe(size + 1);
    let length = 0;
    for (;;) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length);
      length += bytesRead;
      if (bytesRead === 0) break;
      if (length === buffer.length) return { fault: 'is being written: it grew while it was read' };
    }
    if (length === 0) return { fault: 'is empty' };
    return { bytes: buffer.subarray(0, length), mode: stat.mode & 0o777, print: printOf(stat) };
  } catch (error) {
    return { fault: systemFault(error) };
  }
}

function tooLarge(limit: number): string {
  return `is larger than ${limit / 1024 ** 2} MiB`;
}

function systemFault(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  switch (code) {
    case 'ENOENT':
      return 'is not there';
    case 'ENOTDIR':
      return 'is not there: a part of its path is no folder';
    case 'EACCES':
    case 'EPERM':
      return 'may not be read by this program: check its owner and mode, and those of its folders';
    case 'ELOOP':
      return 'is a symbolic link that leads back to itself';
    case 'ENAMETOOLONG':
      return 'has a name too long to exist';
    default:
      return `cannot be read (${code === '' ? 'unknown error' : code})`;
  }
}

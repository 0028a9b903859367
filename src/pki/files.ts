import { randomBytes } from 'node:crypto';
import { link, lstat, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { messageOf, PkiError } from './error.ts';

/** Private keys: readable and writable by their owner alone. */
export const keyMode = 0o600;
export const certificateMode = 0o644;

/** Certificates, CSRs, keys and PKCS#12 files larger than this are refused unread: 16 MiB. CRLs are streamed instead. */
export const maxFileBytes = 16 * 1024 * 1024;

/** One file to be written. */
export interface Output {
  readonly path: string;
  readonly content: string | Uint8Array;
  readonly mode: number;
  /** May take the place of a file that is there. */
  readonly replace: boolean;
}

/** A name beside `path` that nobody else uses. */
export const temporaryName = (path: string): string => `${path}.${randomBytes(6).toString('hex')}.tmp`;

/** Whether something of that name is there, dangling links included. */
export async function exists(path: string): Promise<boolean> {
  return await lstat(path).then(
    () => true,
    () => false,
  );
}

/**
 * Writes all files or none that anyone could take for finished: every content goes to a temporary file first (flushed,
 * created with its mode, never through a link), then each takes its name in one step. A name that must not be replaced
 * is taken with link(2), which fails where rename would overwrite. Throws PkiError.
 */
export async function writeAll(outputs: readonly Output[]): Promise<void> {
  for (const { path, replace } of outputs) {
    if (!replace && (await exists(path))) {
      throw new PkiError(`${path} is already there; --force replaces it`);
    }
  }
  const linked: string[] = [];
  const staged: { readonly output: Output; readonly temporary: string }[] = [];
  try {
    for (const output of outputs) {
      const temporary = temporaryName(output.path);
      const file = await open(temporary, 'wx', output.mode);
      staged.push({ output, temporary });
      try {
        await file.writeFile(output.content);
        await file.sync();
      } finally {
        await file.close();
      }
    }
    for (const { output, temporary } of staged) {
      if (output.replace) await rename(temporary, output.path);
      else {
        await link(temporary, output.path);
        linked.push(output.path);
      }
    }
  } catch (error) {
    await Promise.all(linked.map((path) => rm(path, { force: true })));
    throw error instanceof PkiError ? error : new PkiError(`cannot write: ${messageOf(error)}`);
  } finally {
    await Promise.all(staged.map(({ temporary }) => rm(temporary, { force: true })));
  }
}

/** The octets of a file, or of standard input for `-`. Throws PkiError when missing, unreadable or too large. */
export async function readBytes(path: string, stdin?: AsyncIterable<Uint8Array | string>): Promise<Buffer> {
  if (path === '-' && stdin !== undefined) return await readStream(stdin);
  try {
    const { size } = await stat(path);
    if (size > maxFileBytes) throw new PkiError(`${path}: larger than 16 MiB`);
    return await readFile(path);
  } catch (error) {
    throw error instanceof PkiError ? error : new PkiError(`cannot read ${path}: ${reasonOf(error)}`);
  }
}

async function readStream(stream: AsyncIterable<Uint8Array | string>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    const bytes = Buffer.from(chunk as Uint8Array);
    size += bytes.byteLength;
    if (size > maxFileBytes) throw new PkiError('standard input: larger than 16 MiB');
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}

/** What went wrong with a file, in words. */
export function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  const known: Readonly<Record<string, string>> = {
    ENOENT: 'there is no such file',
    EACCES: 'permission denied',
    EISDIR: 'it is a folder',
    ENOTDIR: 'part of its path is not a folder',
  };
  return known[code ?? ''] ?? messageOf(error);
}

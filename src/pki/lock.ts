import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, PkiError } from './error.ts';

const patience = 30_000;

function tryLock(path: string): DatabaseSync | null {
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    database.exec('BEGIN EXCLUSIVE');
    return database;
  } catch (error) {
    database.close();
    const { errcode } = error as { errcode?: number };
    // SQLITE_BUSY, in whatever variant.
    if (errcode !== undefined && (errcode & 0xff) === 5) return null;
    throw error;
  }
}

/**
 * Runs `work` while no other process (nor another call in this one) holds the lock at `path`. SQLite's lock is the
 * kernel's: it ends with the process that holds it, however that ends, so nothing stale is ever left to be judged.
 * The file stays, empty. Throws PkiError after 30 seconds of waiting.
 */
export async function withLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  const start = performance.now();
  let lock: DatabaseSync | null = null;
  try {
    while ((lock = tryLock(path)) === null) {
      if (performance.now() - start > patience) throw new PkiError('another process is using it');
      await sleep(10 + Math.random() * 20);
    }
  } catch (error) {
    throw new PkiError(`cannot lock ${path}: ${messageOf(error)}`);
  }
  try {
    return await work();
  } finally {
    lock.close();
  }
}

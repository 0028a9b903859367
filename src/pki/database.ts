import { type FileHandle, open } from 'node:fs/promises';
import { type RevocationReason, revocationReasons } from './crl.ts';
import { PkiError } from './error.ts';
import { exists, reasonOf } from './files.ts';
import { withLock } from './lock.ts';

/** A certificate was issued. Serials in upper-case hex, times in ISO 8601. */
export interface IssuedRecord {
  readonly event: 'issued';
  readonly at: string;
  readonly serial: string;
  /** RFC 2253 text. */
  readonly subject: string;
  readonly notBefore: string;
  readonly notAfter: string;
  readonly profile: string;
  /** Lower-case hex over the DER. */
  readonly sha256: string;
}

export interface RevokedRecord {
  readonly event: 'revoked';
  readonly at: string;
  readonly serial: string;
  readonly reason: RevocationReason;
  readonly subject?: string;
  /** When the certificate ends by itself. */
  readonly notAfter?: string;
}

export interface CrlRecord {
  readonly event: 'crl';
  readonly at: string;
  /** Decimal. */
  readonly number: string;
  readonly nextUpdate: string;
  readonly entries: number;
}

export type DatabaseRecord = IssuedRecord | RevokedRecord | CrlRecord;

/** A longer line is no record of ours. */
const maxLine = 64 * 1024;

const isTime = (value: unknown): boolean => typeof value === 'string' && !Number.isNaN(Date.parse(value));
const isSerial = (value: unknown): boolean =>
  typeof value === 'string' && value.length <= 42 && /^(?:[0-9A-F]{2})+$/.test(value);

function isRecord(value: unknown): value is DatabaseRecord {
  if (typeof value !== 'object' || value === null) return false;
  const { event, at, ...rest } = value as Record<string, unknown>;
  if (!isTime(at)) return false;
  if (event === 'issued') {
    const { serial, subject, notBefore, notAfter, profile, sha256 } = rest;
    return (
      isSerial(serial) &&
      [subject, profile, sha256].every((value) => typeof value === 'string') &&
      isTime(notBefore) &&
      isTime(notAfter)
    );
  }
  if (event === 'revoked') {
    const { serial, reason, subject, notAfter } = rest;
    return (
      isSerial(serial) &&
      Object.hasOwn(revocationReasons, String(reason)) &&
      (subject === undefined || typeof subject === 'string') &&
      (notAfter === undefined || isTime(notAfter))
    );
  }
  return event === 'crl' && /^\d{1,48}$/.test(String(rest['number'])) && isTime(rest['nextUpdate']);
}

/**
 * The issuer's database: a JSON-lines file that is only ever appended to, one record a line, one write(2) a record.
 * Reading streams it, whatever its size.
 */
export class IssuerDatabase {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** Runs `work` with the database to itself: for what reads before it writes. */
  async exclusively<T>(work: () => Promise<T>): Promise<T> {
    return await withLock(`${this.path}.lock`, work);
  }

  /** Appends one record and flushes it to the disk. Safe without the lock: O_APPEND keeps concurrent lines whole. */
  async append(record: DatabaseRecord): Promise<void> {
    let file: FileHandle | undefined;
    try {
      file = await open(this.path, 'a+', 0o644);
      // A process that died in the middle of its line must not swallow ours.
      const torn = await endsTorn(file);
      await file.appendFile(`${torn ? '\n' : ''}${JSON.stringify(record)}\n`);
      await file.sync();
    } catch (error) {
      throw new PkiError(`cannot write ${this.path}: ${reasonOf(error)}`);
    } finally {
      await file?.close();
    }
  }

  /**
   * Every record in the order of the file; one that is missing has none. The number of a line that is no record goes
   * to `onDamage`, which throws where such a line may not be passed over.
   */
  async *records(onDamage: (line: number) => void): AsyncGenerator<DatabaseRecord> {
    if (!(await exists(this.path))) return;
    const file = await open(this.path, 'r');
    try {
      let number = 0;
      for await (const line of file.readLines({ encoding: 'utf8', highWaterMark: maxLine })) {
        number++;
        if (line === '') continue;
        let value: unknown;
        try {
          value = line.length > maxLine ? null : JSON.parse(line);
        } catch {
          value = null;
        }
        if (isRecord(value)) yield value;
        else onDamage(number);
      }
    } finally {
      await file.close();
    }
  }
}

async function endsTorn(file: FileHandle): Promise<boolean> {
  const { size } = await file.stat();
  if (size === 0) return false;
  const last = Buffer.alloc(1);
  await file.read(last, 0, 1, size - 1);
  return last[0] !== 0x0a;
}

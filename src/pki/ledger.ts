import type { IssuerDatabase, RevokedRecord } from './database.ts';
import type { RevokedEntry } from './crl.ts';
import { PkiError } from './error.ts';

/** A certificate as the database knows it. */
export interface LedgerEntry {
  readonly serial: string;
  readonly subject: string;
  readonly notBefore: string;
  readonly notAfter: string;
  readonly profile: string;
  readonly sha256: string;
  readonly revoked: { readonly at: string; readonly reason: string } | null;
}

/** Whether a serial is revoked, and what was issued under it. Streams the file. */
export async function lookUp(
  database: IssuerDatabase,
  serial: string,
): Promise<{
  readonly issued: boolean;
  readonly subject: string | null;
  readonly notAfter: string | null;
  readonly revoked: RevokedRecord | null;
}> {
  let issued = false;
  let subject: string | null = null;
  let notAfter: string | null = null;
  let revoked: RevokedRecord | null = null;
  for await (const record of database.records(refuseDamage(database))) {
    if (record.event === 'crl' || record.serial !== serial) continue;
    if (record.event === 'revoked') revoked ??= record;
    else {
      issued = true;
      ({ subject, notAfter } = record);
    }
  }
  return { issued, subject, notAfter, revoked };
}

/** A line that cannot be read may be the one that revoked somebody: nothing is decided past it. */
export function refuseDamage(database: IssuerDatabase): (line: number) => void {
  return (line) => {
    throw new PkiError(`${database.path}:${line} is damaged; repair the line or take it out, then try again`);
  };
}

/** Every certificate in the database, in the order of issue. */
export async function entries(
  database: IssuerDatabase,
  onDamage: (line: number) => void,
): Promise<LedgerEntry[]> {
  const issued = new Map<string, LedgerEntry>();
  for await (const record of database.records(onDamage)) {
    if (record.event === 'crl') continue;
    const known = issued.get(record.serial);
    if (record.event === 'issued') {
      const { serial, subject, notBefore, notAfter, profile, sha256 } = record;
      issued.set(serial, {
        serial,
        subject,
        notBefore,
        notAfter,
        profile,
        sha256,
        revoked: known?.revoked ?? null,
      });
    } else if (known === undefined || known.revoked === null) {
      const { serial, at, reason, subject = '', notAfter = at } = record;
      const stranger = { serial, subject, notBefore: notAfter, notAfter, profile: '', sha256: '' };
      issued.set(serial, { ...(known ?? stranger), revoked: { at, reason } });
    }
  }
  return [...issued.values()];
}

/** What the next CRL follows from. */
export interface CrlHistory {
  readonly nextNumber: bigint;
  /** When the last one was made; milliseconds, null before the first. */
  readonly lastAt: number | null;
}

export async function crlHistory(database: IssuerDatabase): Promise<CrlHistory> {
  let nextNumber = 1n;
  let lastAt: number | null = null;
  for await (const record of database.records(refuseDamage(database))) {
    if (record.event !== 'crl') continue;
    const number = BigInt(record.number) + 1n;
    if (number > nextNumber) nextNumber = number;
    lastAt = Math.max(lastAt ?? 0, Date.parse(record.at));
  }
  return { nextNumber, lastAt };
}

/**
 * The revoked certificates as they stand on the next CRL. One that has ended stays until it was on a CRL made after its
 * end (RFC 5280 §3.3), then it is left out.
 */
export async function* revocations(
  database: IssuerDatabase,
  history: CrlHistory,
): AsyncGenerator<RevokedEntry> {
  const { lastAt } = history;
  for await (const record of database.records(refuseDamage(database))) {
    if (record.event !== 'revoked') continue;
    const at = Date.parse(record.at);
    const end = record.notAfter === undefined ? null : Date.parse(record.notAfter);
    if (end !== null && lastAt !== null && end < lastAt && at < lastAt) continue;
    yield { serial: Buffer.from(record.serial, 'hex'), at, reason: record.reason };
  }
}

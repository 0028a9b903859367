import { daysUntil } from '../describe.ts';
import { parseDuration } from '../duration.ts';
import { entries, type LedgerEntry } from '../ledger.ts';
import { printable } from '../printable.ts';
import { issuerCertificateFrom } from './issuer-options.ts';
import { flag, type Subcommand, text } from './subcommand.ts';

type Status = 'valid' | 'expired' | 'revoked';

interface Row extends LedgerEntry {
  readonly status: Status;
  readonly daysLeft: number;
}

const rank: Readonly<Record<Status, number>> = { valid: 0, expired: 1, revoked: 2 };

/** Valid ones first, those that end soonest at the top; then expired, then revoked. */
export function sortRows(issued: readonly LedgerEntry[], now: number): Row[] {
  const rows = issued.map((entry): Row => {
    const end = Date.parse(entry.notAfter);
    const status: Status = entry.revoked !== null ? 'revoked' : end < now ? 'expired' : 'valid';
    return Object.assign({ status, daysLeft: daysUntil(end, now) }, entry);
  });
  return rows.sort(
    (a, b) => rank[a.status] - rank[b.status] || Date.parse(a.notAfter) - Date.parse(b.notAfter),
  );
}

function describeStatus(row: Row): string {
  if (row.revoked !== null) return `revoked ${row.revoked.at.slice(0, 10)} ${row.revoked.reason}`;
  if (row.status === 'expired') return `expired ${-row.daysLeft} days ago`;
  return row.daysLeft === 1 ? '1 day left' : `${row.daysLeft} days left`;
}

/** `pki list`: what was issued. */
export const list: Subcommand = {
  usage: '--ca FILE [--expiring DURATION] [--json]',
  summary: 'show what an issuer has issued, what ends soonest first',
  help: `  --ca FILE                       the issuer's certificate (its key is not needed)
  --db FILE                       its database; default: NAME-db.jsonl beside it
  --expiring DURATION             only what is valid and ends within 30d, 720h …; exit code 1 if there is any
  --json                          one object a line`,
  options: {
    ca: { type: 'string' },
    db: { type: 'string' },
    expiring: { type: 'string' },
    json: { type: 'boolean' },
  },
  positionals: { min: 0, max: 0 },
  async run(_, values, context) {
    const { database } = await issuerCertificateFrom(values);
    const within = text(values, 'expiring');
    const limit = within === undefined ? null : context.now + parseDuration(within);
    const issued = await entries(database, (line) =>
      context.warn(`${database.path}:${line} is damaged, left out`),
    );
    const rows = sortRows(issued, context.now).filter(
      (row) => limit === null || (row.status === 'valid' && Date.parse(row.notAfter) <= limit),
    );
    if (flag(values, 'json')) {
      for (const row of rows) context.say(JSON.stringify(row));
    } else {
      for (const row of rows) {
        const { serial, notAfter, subject } = row;
        context.say(
          `${serial.padEnd(34)}${notAfter.slice(0, 10)}  ${describeStatus(row).padEnd(38)}${printable(subject)}`,
        );
      }
      if (rows.length === 0)
        context.say(limit === null ? 'nothing issued yet' : 'nothing ends within that time');
    }
    return limit !== null && rows.length > 0 ? 1 : 0;
  },
};

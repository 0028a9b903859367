import { csvOf } from '../observe/inventory/csv.ts';
import { BadIdentityQuery, daysOf, readIdentityQuery } from '../observe/inventory/filter.ts';
import { rotationOf } from '../observe/inventory/rotation.ts';
import type { Seen } from '../observe/inventory/seen.ts';
import { stateOf } from '../observe/inventory/state.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { json, type WholeAnswer } from './answer.ts';
import { BadCall, type Call } from './endpoint.ts';

/** Who sent requests, as JSON or CSV. */
export function answerIdentities(seen: Seen, { query }: Call, now: number = Date.now()): WholeAnswer {
  const { fits, limit, format } = understood(() => readIdentityQuery(query, now));
  const fitting = seen.entries.filter(fits);
  const identities = fitting.slice(0, limit).map(stateOf);
  if (format === 'csv') {
    const headers = { 'content-disposition': 'attachment; filename="identities.csv"' };
    return { status: 200, type: 'text/csv; charset=utf-8', body: csvOf(identities), headers };
  }
  const { entries, since, evicted } = seen;
  return json(200, {
    since: new Date(since).toISOString(),
    kept: entries.length,
    evicted,
    matched: fitting.length,
    identities,
  });
}

/** Whether CAs can be dropped. */
export function answerRotation(
  seen: Seen,
  snapshot: Snapshot,
  { query }: Call,
  now: number = Date.now(),
): WholeAnswer {
  const stray = [...query.keys()].find((name) => name !== 'days' && name !== 'host');
  if (stray !== undefined) throw new BadCall('the parameters are days, host');
  const windowMs = understood(() => daysOf('days', query.get('days') ?? '30d'));
  const host = query.get('host');
  const cas = rotationOf(seen, snapshot, { now, windowMs });
  return json(200, {
    since: new Date(seen.since).toISOString(),
    cas: host === null ? cas : cas.filter((ca) => ca.host === host.toLowerCase()),
  });
}

function understood<Result>(read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    if (error instanceof BadIdentityQuery) throw new BadCall(error.message);
    throw error;
  }
}

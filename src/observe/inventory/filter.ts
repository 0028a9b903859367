import type { Entry } from './entry.ts';

/** What was asked for cannot be understood; the message is for whoever asked. */
export class BadIdentityQuery extends Error {}

/** What somebody asks the inventory for. */
export interface IdentityQuery {
  readonly fits: (entry: Entry) => boolean;
  readonly limit: number;
  readonly format: 'json' | 'csv';
}

const dayMs = 86_400_000;
const usualLimit = 1000;
const maxLimit = 100_000;

/** Each makes a test of what was written. */
const tests: Readonly<Record<string, (value: string, now: number) => (entry: Entry) => boolean>> = {
  host: (value) => (entry) => entry.hosts.has(value.toLowerCase()),
  subject: (value) => partOf(value, ({ subject }) => subject),
  issuer: (value) => partOf(value, ({ issuer }) => issuer),
  ca: (value) => {
    const part = value.toLowerCase();
    return ({ hosts }) =>
      [...hosts.values()].some(({ anchor }) => anchor?.subject.toLowerCase().includes(part) === true);
  },
  fingerprint: (value) => {
    const wanted = value.replaceAll(':', '').toLowerCase();
    return ({ fingerprint }) => fingerprint === wanted;
  },
  expiring: (value, now) => {
    const until = now + daysOf('expiring', value);
    return ({ notAfter }) => notAfter <= until;
  },
  idle: (value, now) => {
    const since = now - daysOf('idle', value);
    return ({ lastSeen }) => lastSeen < since;
  },
  denied: (value) => {
    if (value === '') return ({ denials }) => denials.size > 0;
    const reasons = value.split(',');
    return ({ denials }) => reasons.some((reason) => denials.has(reason));
  },
};

function partOf(value: string, of: (entry: Entry) => string): (entry: Entry) => boolean {
  const part = value.toLowerCase();
  return (entry) => of(entry).toLowerCase().includes(part);
}

/** Milliseconds of `30d` or `30`. @throws BadIdentityQuery */
export function daysOf(name: string, value: string): number {
  const match = /^([0-9]{1,5})d?$/.exec(value);
  if (match === null) throw new BadIdentityQuery(`${name}: days, such as 30d`);
  return Number(match[1]) * dayMs;
}

/**
 * @param now Milliseconds since 1970.
 * @throws BadIdentityQuery
 */
export function readIdentityQuery(query: URLSearchParams, now: number): IdentityQuery {
  const wanted: ((entry: Entry) => boolean)[] = [];
  let [limit, format]: [number, IdentityQuery['format']] = [usualLimit, 'json'];
  for (const [name, value] of query) {
    if (value.length > 1024) throw new BadIdentityQuery(`${name}: too long`);
    if (name === 'limit') {
      if (!/^[0-9]{1,6}$/.test(value) || Number(value) > maxLimit)
        throw new BadIdentityQuery(`limit: 0 to ${maxLimit}`);
      limit = Number(value);
    } else if (name === 'format') {
      if (value !== 'json' && value !== 'csv') throw new BadIdentityQuery('format: json or csv');
      format = value;
    } else {
      const test = Object.hasOwn(tests, name) ? tests[name] : undefined;
      if (test === undefined) {
        const names = [...Object.keys(tests), 'limit', 'format'].join(', ');
        throw new BadIdentityQuery(`the parameters are ${names}`);
      }
      wanted.push(test(value, now));
    }
  }
  return { fits: (entry) => wanted.every((fits) => fits(entry)), limit, format };
}

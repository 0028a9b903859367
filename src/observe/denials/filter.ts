import { parseDuration } from '../../config/units.ts';
import { AddressRanges, parseCidr } from '../../tls/cidr.ts';
import type { KeptDenial } from './ring.ts';

/** What somebody asks the denials for. */
export interface DenialQuery {
  readonly fits: (denial: KeptDenial) => boolean;
  /** Records at most. */
  readonly limit: number;
  /** Those that are still to come, too. */
  readonly follow: boolean;
}

/** What was asked for cannot be understood; the message is for whoever asked. */
export class BadQuery extends Error {}

const usualLimit = 100;
const maxLimit = 1000;
const maxValue = 1024;

type Test = (denial: KeptDenial) => boolean;

/** Each makes a test of what was written. */
const tests: Readonly<Record<string, (value: string, now: number) => Test>> = {
  id: (value) => (denial) => denial.id === value,
  host: (value) => {
    const wanted = value.toLowerCase();
    return ({ host, serverName, authority }) =>
      [host, serverName, authority].some((name) => name?.toLowerCase() === wanted);
  },
  reason: (value) => {
    const reasons = new Set(value.split(','));
    return ({ reason }) => reasons.has(reason);
  },
  kind: (value) => oneOf('kind', value, ['request', 'handshake'], ({ kind }) => kind),
  outcome: (value) => oneOf('outcome', value, ['denied', 'report'], ({ outcome }) => outcome),
  subject: (value) => {
    const part = value.toLowerCase();
    return ({ certificate }) => certificate?.subject.toLowerCase().includes(part) === true;
  },
  fingerprint: (value) => {
    const wanted = value.replaceAll(':', '').toLowerCase();
    return ({ certificate }) => certificate?.fingerprint === wanted;
  },
  address: (value) => {
    const range = parseCidr(value);
    if (range === null) throw new BadQuery('address: an address or a range, as 10.0.0.0/8');
    const ranges = new AddressRanges([range]);
    return ({ address }) => ranges.contains(address);
  },
  since: (value, now) => {
    const from = momentOf(value, now);
    return ({ time }) => time >= from;
  },
};

function oneOf(
  name: string,
  value: string,
  values: readonly string[],
  of: (denial: KeptDenial) => string,
): Test {
  if (!values.includes(value)) throw new BadQuery(`${name}: ${values.join(' or ')}`);
  return (denial) => of(denial) === value;
}

/** `15m` before now, or a date. As the records have it: texts of one form compare as their times do. */
function momentOf(value: string, now: number): string {
  if (/^[0-9]+(ms|s|m|h)$/.test(value)) {
    try {
      return new Date(now - parseDuration(value)).toISOString();
    } catch {
      throw new BadQuery('since: too long ago');
    }
  }
  const time = /^\d{4}-\d\d-\d\d/.test(value) ? Date.parse(value) : NaN;
  if (Number.isNaN(time)) throw new BadQuery('since: a time such as 2026-11-24T08:00:00Z, or 15m');
  return new Date(time).toISOString();
}

/**
 * Reads what was asked for: each name once, what is not known is refused, so that a mistyped filter never looks as if
 * there were nothing.
 *
 * @param now Milliseconds since 1970.
 * @throws BadQuery
 */
export function readDenialQuery(query: URLSearchParams, now: number): DenialQuery {
  const wanted: Test[] = [];
  const seen = new Set<string>();
  let limit = usualLimit;
  let follow = false;
  for (const [name, value] of query) {
    if (seen.has(name)) throw new BadQuery(`${name} is there twice`.slice(0, 200));
    seen.add(name);
    if (value.length > maxValue) throw new BadQuery('a value that is too long');
    if (name === 'follow') {
      if (value !== '' && value !== '1' && value !== 'true') throw new BadQuery('follow takes no value');
      follow = true;
    } else if (name === 'limit') {
      limit = limitOf(value);
    } else {
      const test = Object.hasOwn(tests, name) ? tests[name] : undefined;
      if (test === undefined) {
        throw new BadQuery(`there is ${[...Object.keys(tests), 'limit', 'follow'].join(', ')}`);
      }
      wanted.push(test(value, now));
    }
  }
  return { fits: (denial) => wanted.every((test) => test(denial)), limit, follow };
}

function limitOf(value: string): number {
  const limit = /^[0-9]{1,4}$/.test(value) ? Number(value) : NaN;
  if (!(limit <= maxLimit)) throw new BadQuery(`limit: 0 to ${maxLimit}`);
  return limit;
}

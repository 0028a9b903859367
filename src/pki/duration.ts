import { PkiError } from './error.ts';

const units: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/**
 * Milliseconds of a duration as cfssl writes it (`8760h`, `1h30m`); days (`365d`) are our addition. Throws PkiError
 * at anything else and at a negative one.
 */
export function parseDuration(text: string): number {
  const whole = /^(?:\d{1,12}(?:\.\d{1,9})?(?:ns|us|µs|ms|s|m|h|d))+$/;
  if (text === '0') return 0;
  if (text.length > 64 || !whole.test(text)) {
    throw new PkiError(`${JSON.stringify(text)} is not a duration; write for instance "8760h" or "365d"`);
  }
  let sum = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d)/g)) {
    sum += Number(amount) * units[unit!]!;
  }
  return sum;
}

/** A duration for people: `3 years`, `45 days`, `5 hours`, `2 minutes`; rounded down, never negative. */
export function describeDuration(milliseconds: number): string {
  const steps: readonly (readonly [string, number])[] = [
    ['day', 86_400_000],
    ['hour', 3_600_000],
    ['minute', 60_000],
    ['second', 1000],
  ];
  for (const [name, size] of steps) {
    const count = Math.floor(Math.abs(milliseconds) / size);
    if (count > 0) return `${count} ${name}${count === 1 ? '' : 's'}`;
  }
  return '0 seconds';
}

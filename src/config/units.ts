const milliseconds = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;
const bytes = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 } as const;

/** The longest duration there is: a timer of Node holds 2³¹−1 ms, and fires at once when given more. */
export const maxDurationMs = 2 ** 31 - 1;

/**
 * Milliseconds of `500ms`, `60s`, `5m`, `1h`: 0 to `maxDurationMs`. Throws a RangeError for anything else;
 * the loader has reported it before, with its place.
 */
export function parseDuration(text: string): number {
  const match = /^([0-9]+)(ms|s|m|h)$/.exec(text);
  if (match === null) throw new RangeError('not a length of time such as 500ms, 60s, 5m or 1h');
  const length = Number(match[1]) * milliseconds[match[2] as keyof typeof milliseconds];
  if (length > maxDurationMs) throw new RangeError('longer than 596h, the longest time that can be measured');
  return length;
}

/**
 * Bytes of `8k`, `1m`, `1g`, `512` (nginx's spelling); `0` means no limit and becomes Infinity. Throws a
 * RangeError for anything else and for sizes that a double cannot hold exactly.
 */
export function parseSize(text: string): number {
  const match = /^([0-9]+)([kmg]?)$/.exec(text);
  if (match === null) throw new RangeError('not a size such as 512, 8k, 1m or 1g');
  const size = Number(match[1]) * bytes[match[2] as keyof typeof bytes];
  if (!Number.isSafeInteger(size)) throw new RangeError('larger than can be counted; "0" means no limit');
  return size === 0 ? Infinity : size;
}

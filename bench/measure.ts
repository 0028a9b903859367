import { readdirSync, readFileSync } from 'node:fs';

/**
 * CPU time in microseconds, user and system, of all threads of a process and of its children, those that live.
 * From schedstat, which counts nanoseconds; the ticks of `stat` are too coarse for a short round.
 */
export function cpuMicroseconds(pid: number): number {
  let sum = 0;
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const [nanoseconds] = readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ');
    sum += Number(nanoseconds) / 1000;
  }
  for (const child of childrenOf(pid)) sum += cpuMicroseconds(child);
  return sum;
}

/** In kilobytes: resident, and with only its share of what other processes have as well. */
export interface Memory {
  readonly rss: number;
  readonly pss: number;
}

/** Memory of a process and of its children. */
export function memoryKilobytes(pid: number): Memory {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const field = (name: string): number => Number(new RegExp(`^${name}: +(\\d+) kB`, 'm').exec(rollup)?.[1]);
  const sum = { rss: field('Rss'), pss: field('Pss') };
  for (const child of childrenOf(pid)) {
    const { rss, pss } = memoryKilobytes(child);
    sum.rss += rss;
    sum.pss += pss;
  }
  return sum;
}

/** Process ids. */
export function childrenOf(pid: number): number[] {
  const children: number[] = [];
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const text = readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim();
    if (text !== '') children.push(...text.split(' ').map(Number));
  }
  return children;
}

/** The value that a share of the values is below: 0.5 is the median. Between two values, in proportion. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const place = share * (sorted.length - 1);
  const low = sorted[Math.floor(place)] ?? 0;
  const high = sorted[Math.ceil(place)] ?? 0;
  return low + (high - low) * (place - Math.floor(place));
}

/** The median and, in parentheses, the middle half of the values. */
export function summary(values: readonly number[], digits: number): string {
  const [low, middle, high] = [0.25, 0.5, 0.75].map((share) => quantile(values, share).toFixed(digits));
  return `${middle} (${low} to ${high})`;
}

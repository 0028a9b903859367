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
    const children = readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim();
    if (children !== '') for (const child of children.split(' ')) sum += cpuMicroseconds(Number(child));
  }
  return sum;
}

/** The value that a share of the values is below: 0.5 is the median. Between two values, in proportion. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const place = share * (sorted.length - 1);
  const low = sorted[Math.floor(place)] ?? 0;
  const high = sorted[Math.ceil(place)] ?? 0;
  return low + (high - low) * (place - Math.floor(place));
}

import { readFileSync, readdirSync } from 'node:fs';

/** Ticks of a second in /proc: USER_HZ, 100 on every Linux that Node runs on. */
const ticksPerSecond = 100;

/** CPU time in microseconds, user and system, that a process and its children that still live have used. */
export function cpuMicroseconds(pid: number): number {
  return [pid, ...descendants(pid)].reduce((sum, one) => sum + own(one), 0);
}

function own(pid: number): number {
  // The second field is the program's name in parentheses and may hold spaces.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return ((Number(fields[11]) + Number(fields[12])) / ticksPerSecond) * 1e6;
}

function descendants(pid: number): number[] {
  const children: number[] = [];
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const text = readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim();
    if (text !== '') children.push(...text.split(' ').map(Number));
  }
  return children.flatMap((child) => [child, ...descendants(child)]);
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

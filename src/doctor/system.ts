import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import type { Snapshot } from '../snapshot/snapshot.ts';
import type { Finding } from './finding.ts';

/** Descriptors that a process needs beside connections: listeners, logs, watches, channels. */
const others = 128;

/** Whether the system lets the program have as many connections as the configuration allows. Never rejects. */
export async function systemFindings(snapshot: Snapshot): Promise<Finding[]> {
  let limits: string;
  try {
    limits = await readFile('/proc/self/limits', 'utf8');
  } catch {
    return [];
  }
  const soft = /^Max open files\s+(\d+|unlimited)/m.exec(limits)?.[1];
  return soft === undefined || soft === 'unlimited' ? [] : descriptorFindings(Number(soft), snapshot);
}

/** Every connection may need one to its upstream. @param descriptors Of each process. */
export function descriptorFindings(
  descriptors: number,
  { limits, workers }: Pick<Snapshot, 'limits' | 'workers'>,
): Finding[] {
  const processes = workers === 'auto' ? availableParallelism() : workers;
  const needed = 2 * Math.ceil(limits.connections / processes) + others;
  if (descriptors >= needed) return [];
  return [
    {
      severity: 'warning',
      about: 'system',
      place: null,
      message: `a process may have ${descriptors} open files, and ${limits.connections} connections (limits.connections) with those to upstreams need ${needed}`,
      fix: `ulimit -n ${needed} (LimitNOFILE=${needed} of systemd), or fewer connections`,
    },
  ];
}

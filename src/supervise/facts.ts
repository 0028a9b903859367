import type { commonFacts, PageFacts, WorkerFacts } from '../admin/page/facts.ts';
import { foldActivity } from '../observe/activity.ts';
import type { UpstreamStatus } from '../proxy/upstream/upstreams.ts';
import type { BackOff } from '../back-off.ts';
import type { Worker } from './worker.ts';

/** A place for a worker process, and who holds it. */
interface Place {
  readonly number: number;
  readonly worker: Worker | null;
  readonly backOff: BackOff;
}

/** What the status page shows of several workers, out of what they last said of themselves. */
export function factsOfWorkers(
  own: ReturnType<typeof commonFacts>,
  places: readonly Place[],
): Omit<PageFacts, 'state' | 'note'> {
  const running = places.flatMap(({ worker }) => worker ?? []);
  const workers = places.map(workerFacts);
  return {
    ...own,
    connections: workers.reduce((sum, { connections }) => sum + connections, 0),
    activity: foldActivity(running.flatMap(({ activity }) => activity ?? [])),
    metrics: [
      ...own.metrics,
      ...running.flatMap(({ metrics }) => (metrics === null ? [] : [metrics.families])),
    ],
    upstreams: running.map(({ status }) => (status['upstreams'] ?? []) as readonly UpstreamStatus[]),
    workers,
  };
}

function workerFacts({ number, worker, backOff }: Place): WorkerFacts {
  return {
    number,
    pid: worker?.pid ?? null,
    configuration: worker?.version ?? null,
    connections: Number(worker?.status['connections'] ?? 0),
    falls: backOff.failures,
  };
}

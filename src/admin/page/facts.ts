import type { ActivityState, PastReload } from '../../observe/activity.ts';
import type { Observability, ProblemStatus } from '../../observe/observe.ts';
import type { Denials, KeptDenial } from '../../observe/denials/ring.ts';
import type { MetricsState } from '../../observe/page.ts';
import { version } from '../../observe/version.ts';
import { type ClientFacts, clientFacts } from './client-facts.ts';
import type { UpstreamStatus } from '../../proxy/upstream/live-upstream.ts';
import type { Snapshot } from '../../snapshot/snapshot.ts';

/** Everything that the status page shows, as it is now. */
export interface PageFacts {
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly startedAt: number;
  readonly state: string;
  /** Why it takes no traffic, or what there is to know; null: nothing. */
  readonly note: string | null;
  readonly version: string;
  /** The configuration in force; null before there is one. */
  readonly snapshot: Snapshot | null;
  readonly connections: number;
  readonly activity: ActivityState;
  /** What has been counted, of one process or of each of several. */
  readonly metrics: readonly MetricsState['families'][];
  /** Of each process that has connections to upstreams. */
  readonly upstreams: readonly (readonly UpstreamStatus[])[];
  /** Worker processes; null: there is one process. */
  readonly workers: readonly WorkerFacts[] | null;
  readonly reloads: readonly PastReload[];
  readonly problems: ProblemStatus;
  /** The latest first. */
  readonly denials: readonly KeptDenial[];
  /** How many there were since the start. */
  readonly denied: number;
  /** Null where identities are not kept. */
  readonly clients: ClientFacts | null;
}

export interface WorkerFacts {
  readonly number: number;
  readonly pid: number | null;
  readonly configuration: string | null;
  readonly connections: number;
  /** Times it fell in a row. */
  readonly falls: number;
}

/** What is the same for one process and for several. */
export function commonFacts(
  observability: Pick<
    Observability,
    'metrics' | 'activity' | 'problems' | 'denials' | 'inventory' | 'keeper'
  >,
  snapshot: Snapshot | null,
): Pick<
  PageFacts,
  | 'now'
  | 'startedAt'
  | 'version'
  | 'snapshot'
  | 'activity'
  | 'metrics'
  | 'reloads'
  | 'problems'
  | 'denials'
  | 'denied'
  | 'clients'
> {
  const few = (snapshot?.hosts.all.length ?? 0) <= maxHosts;
  const now = Date.now();
  return {
    now,
    startedAt,
    version,
    snapshot,
    activity: observability.activity.state(),
    metrics: [observability.metrics.stateOf(few ? [...dates, 'requests', 'refusals', 'wouldDeny'] : dates)],
    reloads: observability.activity.reloads,
    problems: observability.problems(),
    denials: latest(observability.denials),
    denied: observability.denials.recorded,
    clients: clientFacts(observability, snapshot, now),
  };
}

const dates = ['serverCertificateNotAfter', 'caCertificateNotAfter', 'crlNextUpdate'] as const;

/** Hosts that are shown, and that have their numbers counted for it; `/status` and `/metrics` have all. */
export const maxHosts = 100;

/** Denials that are shown; `/denials` has more. */
const maxDenials = 12;

/** When this process began, in milliseconds since 1970. */
const startedAt = Math.round(performance.timeOrigin);

/** The last denials; a handshake that its request's denial tells of already is left out. */
function latest(denials: Pick<Denials, 'find'>): readonly KeptDenial[] {
  const all = denials.find(() => true, 4 * maxDenials);
  const told = new Set(all.filter(({ kind }) => kind === 'request').map(placeOf));
  return all.filter((one) => one.kind === 'request' || !told.has(placeOf(one))).slice(0, maxDenials);
}

function placeOf({ address, port, reason }: KeptDenial): string {
  return `${address} ${port} ${reason}`;
}

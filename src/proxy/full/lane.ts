import type { Observer } from '../../observe/observer.ts';
import type { Tracing } from '../../observe/tracing.ts';
import type { Connection } from '../../snapshot/connection.ts';
import type { Decision } from '../../snapshot/decision.ts';
import type { RequestHead } from '../../snapshot/request-head.ts';
import type { Snapshot } from '../../snapshot/snapshot.ts';
import type { Upstreams } from '../upstream/upstreams.ts';
import type { BodyBuffer } from './buffered-body.ts';
import type { Mirror } from './mirror.ts';
import type { OpenTunnels } from './open-tunnels.ts';

/** `src/snapshot/decide.ts`, or what stands in for it in a test. */
export type Decide = (snapshot: Snapshot, connection: Connection, head: RequestHead, now: number) => Decision;

/** The upstream's side, as far as the full lane uses it. */
export type LaneUpstreams = Pick<Upstreams, 'send' | 'connect'>;

/** What every exchange of a lane works with. */
export interface Lane {
  readonly snapshot: () => Snapshot;
  readonly decide: Decide;
  readonly upstreams: LaneUpstreams;
  readonly observer: Observer;
  /** Null: nobody collects spans. */
  readonly tracing: Tracing | null;
  readonly tunnels: OpenTunnels;
  readonly bodies: BodyBuffer;
  readonly mirror: Mirror;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Evenly from 0 up to, not including, 1. */
  readonly random: () => number;
  /** From now on every response closes its connection. */
  readonly draining: boolean;
}

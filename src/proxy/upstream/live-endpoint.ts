import type { Endpoint, Upstream } from '../../snapshot/snapshot.ts';
import { type Candidate, type Condition, initial, type Latency } from '../balancer.ts';
import { Pool } from './pool.ts';

/** One endpoint at run time: its connections and how it fares. */
export class LiveEndpoint implements Candidate {
  readonly endpoint: Endpoint;
  readonly pool: Pool;
  condition: Condition = initial;
  active = 0;
  /** Measured only where the balance asks for it. */
  latency: Latency | null = null;

  constructor(endpoint: Endpoint, upstream: Pick<Upstream, 'tls' | 'keepAlive'>, now: () => number) {
    this.endpoint = endpoint;
    this.pool = new Pool(endpoint, upstream, now);
  }

  get name(): string {
    return this.endpoint.name;
  }
}

import type { Endpoint, Upstream } from '../../snapshot/snapshot.ts';
import { type Candidate, type Condition, initial, type Latency } from '../balancer.ts';
import { Connection } from './connection.ts';
import { PlainConnection } from './plain-connection.ts';
import { Pool } from './pool.ts';
import { createDialer, type Dialer, SocketReader } from './socket.ts';

/** One endpoint at run time: its connections, of both kinds, and how it fares. */
export class LiveEndpoint implements Candidate {
  readonly endpoint: Endpoint;
  readonly dialer: Dialer;
  /** The full lane's. */
  readonly pool: Pool<Connection>;
  /** The express lane's. */
  readonly plain: Pool<PlainConnection>;
  condition: Condition = initial;
  active = 0;
  /** Measured only where the balance asks for it. */
  latency: Latency | null = null;

  constructor(
    endpoint: Endpoint,
    { tls, keepAlive }: Pick<Upstream, 'tls' | 'keepAlive'>,
    now: () => number,
  ) {
    this.endpoint = endpoint;
    this.dialer = createDialer(endpoint, tls);
    const parts = { dialer: this.dialer, keepAlive, now };
    this.pool = new Pool({ ...parts, wrap: (socket, kept, at) => new Connection(socket, kept, at) });
    this.plain = new Pool({
      ...parts,
      reader: () => new SocketReader(),
      wrap: (socket, kept, at, reader) => new PlainConnection(socket, kept, at, reader!),
    });
  }

  get name(): string {
    return this.endpoint.name;
  }

  /** Connections kept idle. */
  get idle(): number {
    return this.pool.idle + this.plain.idle;
  }

  /** Closes what is idle now, and everything else when its request is over. */
  retire(): void {
    this.pool.retire();
    this.plain.retire();
  }
}

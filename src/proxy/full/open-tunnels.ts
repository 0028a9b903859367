import type { Connection } from '../../snapshot/connection.ts';
import type { RequestHead } from '../../snapshot/request-head.ts';
import type { Decide } from './lane.ts';
import type { Snapshot } from '../../snapshot/snapshot.ts';

/** A tunnel as it is judged again while it is open. */
export interface OpenTunnel {
  readonly connection: Connection;
  /** Of the request that opened it. */
  readonly head: RequestHead;
  /** Ends it; `detail` says why. */
  readonly end: (detail: string) => void;
}

/** What tunnels are judged by. */
export interface Judges {
  readonly decide: Decide;
  readonly snapshot: () => Snapshot;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/**
 * A tunnel has no next request that could be refused. So it lives as long as the request that opened it would still be
 * forwarded: at every swap of snapshots, and every few seconds for what ends by the clock (certificates, CRLs), that
 * request is decided on again. A tunnel whose client is no longer trusted, whose policy now says no or whose route is
 * gone is ended; one that would now go to another upstream stays where it is.
 */
export class OpenTunnels {
  readonly #judges: Judges;
  readonly #open = new Set<OpenTunnel>();

  constructor(judges: Judges) {
    this.#judges = judges;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Judges it at once: the snapshot may have changed since its request was decided on. Gives what forgets it. */
  add(tunnel: OpenTunnel): () => void {
    this.#open.add(tunnel);
    this.#review(tunnel);
    return () => {
      this.#open.delete(tunnel);
    };
  }

  /** Judges all of them again. */
  review(): void {
    for (const tunnel of this.#open) this.#review(tunnel);
  }

  #review(tunnel: OpenTunnel): void {
    const why = this.#refusal(tunnel);
    if (why === null) return;
    this.#open.delete(tunnel);
    tunnel.end(`the request that opened the tunnel would now be refused: ${why}`);
  }

  /** The reason, or null where it would be forwarded. What cannot be decided on is refused. */
  #refusal({ connection, head }: OpenTunnel): string | null {
    const { decide, snapshot, now } = this.#judges;
    try {
      const decision = decide(snapshot(), connection, head, now());
      return decision.action === 'forward' ? null : decision.reason;
    } catch {
      return 'internal';
    }
  }
}

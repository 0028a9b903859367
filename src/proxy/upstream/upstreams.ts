import type { Observer } from '../../observe/observer.ts';
import { type RetryRules, usualRetry } from '../../snapshot/retry.ts';
import type { Timeouts, Upstream } from '../../snapshot/snapshot.ts';
import { monotonicMs } from '../clock.ts';
import { Call } from './call.ts';
import { type Carrier, UndiciCarrier } from './carrier.ts';
import { failure, UpstreamError } from './failure.ts';
import { LiveUpstream, type Surroundings, type UpstreamStatus } from './live-upstream.ts';
import type {
  OutboundCall,
  OutboundFacts,
  OutboundRequest,
  Preference,
  ResponseHandler,
  UpstreamFailure,
} from './outbound.ts';
import type { Pooled } from './pool.ts';
import { noEndpoint } from './tries.ts';
import { openTunnel, type Tunnel } from './tunnel.ts';

export type { UpstreamStatus } from './live-upstream.ts';
export type { Tunnel } from './tunnel.ts';
export { UpstreamError } from './failure.ts';

export interface UpstreamsOptions {
  readonly observer: Pick<Observer, 'upstream'>;
  /** A clock that never goes back, in milliseconds. Default: `performance.now`. */
  readonly now?: () => number;
  /** Evenly from 0 up to, not including, 1. Default: `Math.random`. */
  readonly random?: () => number;
}

/** Something under way that closing waits for and destroying cuts off. */
interface Underway {
  cut(why: UpstreamFailure): void;
}

/** All upstreams of the current snapshot at run time. */
export class Upstreams {
  readonly #surroundings: Surroundings;
  readonly #underway = new Set<Underway>();
  #live: ReadonlyMap<string, LiveUpstream> = new Map();
  #closed = false;
  #emptied: (() => void)[] = [];

  constructor({ observer, now, random }: UpstreamsOptions) {
    this.#surroundings = {
      observer,
      now: now ?? monotonicMs,
      random: random ?? Math.random,
    };
  }

  /**
   * Takes over a snapshot's upstreams. One whose `key` is unchanged lives on as it is. Of a changed one those endpoints
   * live on whose connections would be the same. All others finish what they have under way, then close.
   */
  update(upstreams: ReadonlyMap<string, Upstream>): void {
    if (this.#closed) return;
    const before = this.#live;
    const after = new Map<string, LiveUpstream>();
    for (const [name, upstream] of upstreams) {
      const previous = before.get(name) ?? null;
      const same = previous?.upstream.key === upstream.key;
      after.set(name, same ? previous : new LiveUpstream(upstream, previous, this.#surroundings));
    }
    this.#live = after;
    for (const [name, previous] of before) {
      const next = after.get(name) ?? null;
      if (next !== previous) previous.retire(next);
    }
  }

  /**
   * Sends a request to one of its upstream's endpoints. The handler hears nothing before this returns. The body's
   * stream is read as fast as the upstream takes it, and left paused where it stands when the call ends early: it is
   * never destroyed nor drained from here.
   */
  send(request: OutboundRequest, handler: ResponseHandler): OutboundCall {
    const call = this.carry(request, new UndiciCarrier(request), handler);
    // Nothing is told to the handler before the caller holds the call.
    queueMicrotask(() => call.start());
    return call;
  }

  /** As `send`, over connections of a kind of the caller's choice. Nothing is done before the call's `start`. */
  carry<C extends Pooled, Head>(
    request: OutboundFacts,
    carrier: Carrier<C, Head>,
    handler: ResponseHandler<Head>,
  ): Call<C, Head> {
    const { now } = this.#surroundings;
    const call = new Call(request, carrier, handler, this.#find(request.upstream), now, this.#over);
    this.#underway.add(call);
    return call;
  }

  /**
   * A socket of its own to one of the upstream's endpoints, for an upgrade; under the same TLS settings, balancing and
   * counting. Rejects with an UpstreamError, or with the signal's reason.
   */
  async connect(
    name: string,
    { connectMs }: Pick<Timeouts, 'connectMs'>,
    signal?: AbortSignal,
    preference: Preference | null = null,
    retry: RetryRules = usualRetry,
  ): Promise<Tunnel> {
    const upstream = this.#find(name);
    if (upstream === null) throw new UpstreamError(noEndpoint(name));
    const controller = new AbortController();
    const either = signal === undefined ? controller.signal : AbortSignal.any([signal, controller.signal]);
    const opening: Underway = { cut: (why) => controller.abort(new UpstreamError(why)) };
    this.#underway.add(opening);
    try {
      const tunnel = await openTunnel(upstream, connectMs, either, preference, retry);
      const open: Underway = { cut: () => tunnel.socket.destroy() };
      this.#underway.add(open);
      const release = (why?: UpstreamFailure): void => {
        tunnel.release(why);
        this.#over(open);
      };
      return { ...tunnel, release };
    } finally {
      this.#over(opening);
    }
  }

  /** Every endpoint of every upstream. */
  status(): readonly UpstreamStatus[] {
    return [...this.#live.values()].flatMap((upstream) => upstream.status());
  }

  /**
   * Takes no more requests (they end with `upstream_none`), stops health checks, closes idle connections; resolves when
   * every request and tunnel under way is over.
   */
  close(): Promise<void> {
    this.#closed = true;
    const live = this.#live;
    this.#live = new Map();
    for (const upstream of live.values()) upstream.retire(null);
    if (this.#underway.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#emptied.push(resolve);
    });
  }

  /** As `close`, but cuts off what is under way: handlers hear `upstream_reset` or `upstream_truncated`. */
  destroy(): Promise<void> {
    const closed = this.close();
    for (const one of this.#underway) one.cut(failure('upstream_reset', 'cut off: shutting down'));
    return closed;
  }

  #find(name: string): LiveUpstream | null {
    return this.#live.get(name) ?? null;
  }

  readonly #over = (one: Underway): void => {
    this.#underway.delete(one);
    if (this.#underway.size > 0) return;
    const emptied = this.#emptied;
    this.#emptied = [];
    for (const resolve of emptied) resolve();
  };
}

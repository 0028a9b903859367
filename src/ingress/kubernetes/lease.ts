import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { printable } from '../../config/text.ts';
import { ApiError } from './api-error.ts';
import { type Clock, systemClock } from './clock.ts';
import { Complaint } from './complaint.ts';
import type { Api } from './dry-api.ts';
import type { Log } from './health.ts';
import { changedLease, type LeaseRecord, newLease, readLease } from './lease-record.ts';
import { pathOf, resources } from './resource.ts';
import type { Election } from './speaker.ts';

/** In milliseconds. As client-go has them; each longer than the next. */
export interface LeaseTimes {
  /** How long others leave the holder alone after they last saw it renew. */
  readonly leaseMs: number;
  /** Who could not renew for so long leads no longer. */
  readonly renewMs: number;
  /** Between attempts; those who do not lead wait up to 2.2 times as long. */
  readonly retryMs: number;
}

export const standardLeaseTimes: LeaseTimes = { leaseMs: 15_000, renewMs: 10_000, retryMs: 2000 };

export interface LeaseOptions {
  readonly api: Pick<Api, 'get' | 'create' | 'replace'>;
  readonly name: string;
  /** Where the Lease is. Asked for at every attempt. */
  readonly namespace: () => Promise<string>;
  /** Ours, and nobody else's. */
  readonly identity: string;
  readonly log: Log;
  readonly times?: Partial<LeaseTimes>;
  readonly clock?: Clock;
}

/** How much longer candidates wait at most, as a part of the time between attempts: so they do not come all at once. */
const jitter = 1.2;

/** Candidates that are refused wait longer each time, up to this in milliseconds. */
const longestWaitMs = 30_000;

/** Milliseconds that others have to come at the end, beyond the time that they may wait between attempts. */
const slackMs = 1000;

/** Milliseconds that the API server has to let us give it up. */
const endWithinMs = 3000;

/**
 * Leader election by a Lease, as client-go does it. Nobody else's clock is believed: another holder has let its Lease run out when
 * we have not seen it change for as long as it holds. Whoever cannot renew in time has stopped before others may begin.
 */
export class LeaseElection implements Election {
  readonly #options: LeaseOptions;
  readonly #times: LeaseTimes;
  readonly #clock: Clock;
  readonly #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #onLeading: (isLeader: boolean) => void = () => {};
  /** When the request began by which the Lease was last made ours; null: we do not lead. */
  #renewedAt: number | null = null;
  #seen: LeaseRecord | null = null;
  #seenAt = Number.NEGATIVE_INFINITY;
  #toldHolder = '';
  /** In a row. */
  #refusals = 0;
  readonly #complaint: Complaint;

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#times = { ...standardLeaseTimes, ...options.times };
    this.#clock = options.clock ?? systemClock;
    this.#complaint = new Complaint(
      options.log,
      {
        failing:
          'the Lease cannot be had: without it nothing is written to the cluster; requests are served all the same',
        works: 'the Lease can be had again',
      },
      this.#clock,
    );
  }

  start(onLeading: (isLeader: boolean) => void): void {
    this.#onLeading = onLeading;
    this.#running = this.#run();
  }

  async end(looksForOthers: boolean): Promise<boolean> {
    this.#stop.abort();
    await this.#running;
    if (this.#renewedAt === null || !looksForOthers) return false;
    const { retryMs } = this.#times;
    const comeMs = retryMs * (1 + jitter) + slackMs;
    try {
      // What cannot be found out in time is not known: then there may be others.
      return await this.#inTime(comeMs + endWithinMs, async (signal) => {
        await this.#release(signal);
        const until = this.#clock.now() + comeMs;
        while (this.#clock.now() < until) {
          await this.#clock.wait(retryMs / 4, signal);
          const lease = await this.#get(signal);
          if (lease === null || lease.holder !== '') return false;
        }
        // Whoever comes in this very moment wins, and finds everything as it is.
        const renewedAt = await this.#attempt(signal);
        this.#renewedAt = renewedAt;
        return renewedAt !== null;
      });
    } catch (error) {
      this.#complaint.failed(error, this.#fields);
      return false;
    }
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    if (this.#renewedAt === null) return;
    try {
      await this.#inTime(endWithinMs, (signal) => this.#release(signal));
    } catch (error) {
      this.#complaint.failed(error, this.#fields);
    }
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    const { renewMs, retryMs } = this.#times;
    while (!signal.aborted) {
      if (this.#leftMs() <= 0) this.#lead(null);
      try {
        const renewedAt = await this.#inTime(Math.min(renewMs, this.#leftMs()), (until) =>
          this.#attempt(until),
        );
        if (isAborted(signal)) return;
        this.#refusals = 0;
        this.#complaint.worked(this.#fields);
        if (renewedAt !== null) this.#lead(renewedAt);
        else if (this.#seen?.holder !== this.#options.identity) this.#lead(null);
      } catch (error) {
        if (isAborted(signal)) return;
        if (error instanceof ApiError && !error.isPassing) this.#refusals++;
        this.#complaint.failed(error, this.#fields);
      }
      const left = this.#leftMs();
      if (left <= 0) this.#lead(null);
      const waitMs = Math.min(longestWaitMs, retryMs * 2 ** Math.min(this.#refusals, 10));
      await this.#clock.wait(
        this.#renewedAt === null ? waitMs * (1 + Math.random() * jitter) : Math.min(retryMs, left),
        signal,
      );
    }
  }

  /** Until we have to stop leading; without end where we do not lead. */
  #leftMs(): number {
    if (this.#renewedAt === null) return Number.POSITIVE_INFINITY;
    return this.#renewedAt + this.#times.renewMs - this.#clock.now();
  }

  /** Null: the Lease is not ours, or another was quicker with a change. Else from when on it is ours. */
  async #attempt(signal: AbortSignal): Promise<number | null> {
    const { api, name, namespace, identity } = this.#options;
    const beganAt = this.#clock.now();
    const home = await namespace();
    const lease = await this.#get(signal);
    const words = { holder: identity, durationMs: this.#times.leaseMs, now: this.#clock.today() };
    try {
      let written: unknown;
      if (lease === null) {
        written = await api.create(pathOf(leases, home), newLease(home, name, words), { signal });
      } else {
        if (lease.holder !== '' && lease.holder !== identity && !this.#hasRunOut(lease)) {
          this.#tellHolder(lease.holder);
          return null;
        }
        written = await api.replace(pathOf(leases, home, name), changedLease(lease, words), { signal });
      }
      this.#see(readLease(written));
    } catch (error) {
      if (error instanceof ApiError && error.status === 409) return null;
      throw error;
    }
    // From before it was asked for: others count from later on.
    return beganAt;
  }

  async #get(signal: AbortSignal): Promise<LeaseRecord | null> {
    const { api, name, namespace } = this.#options;
    try {
      const lease = readLease(await api.get(pathOf(leases, await namespace(), name), {}, { signal }));
      this.#see(lease);
      return lease;
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return null;
      throw error;
    }
  }

  #see(lease: LeaseRecord): void {
    if (this.#seen?.print !== lease.print) this.#seenAt = this.#clock.now();
    this.#seen = lease;
  }

  #hasRunOut({ durationMs }: LeaseRecord): boolean {
    return this.#clock.now() - this.#seenAt >= durationMs;
  }

  /** Others need not wait until it runs out. */
  async #release(signal: AbortSignal): Promise<void> {
    const { api, name, namespace, identity } = this.#options;
    this.#renewedAt = null;
    const lease = await this.#get(signal);
    if (lease?.holder !== identity) return;
    const words = { holder: '', durationMs: 1000, now: this.#clock.today() };
    await api.replace(pathOf(leases, await namespace(), name), changedLease(lease, words), { signal });
  }

  /** @throws ApiError when it takes longer. */
  async #inTime<Result>(ms: number, call: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
    const over = new AbortController();
    const timer = new AbortController();
    const late = this.#clock.wait(ms, timer.signal).then(() => {
      over.abort();
      throw new ApiError(0, 'Unreachable', 'the API server does not answer: it took too long');
    });
    const stop = this.#stop.signal;
    const signal = stop.aborted ? over.signal : AbortSignal.any([over.signal, stop]);
    try {
      return await Promise.race([call(signal), late]);
    } finally {
      timer.abort();
    }
  }

  #lead(renewedAt: number | null): void {
    const wasLeading = this.#renewedAt !== null;
    this.#renewedAt = renewedAt;
    const isLeading = renewedAt !== null;
    if (isLeading === wasLeading) return;
    this.#toldHolder = '';
    if (isLeading) this.#log('info', 'this replica leads: it is the one that writes to the cluster');
    else this.#log('warn', 'this replica leads no longer');
    this.#onLeading(isLeading);
  }

  #tellHolder(holder: string): void {
    if (holder === this.#toldHolder) return;
    this.#toldHolder = holder;
    this.#log('info', 'another replica leads', { leader: printable(holder.slice(0, 253)) });
  }

  get #fields(): Readonly<Record<string, string>> {
    return { lease: this.#options.name, identity: this.#options.identity };
  }

  #log(level: 'info' | 'warn', message: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.#options.log(level, message, { ...this.#fields, ...fields });
  }
}

const [leases] = resources.leases;

/** Who we are among replicas: the Pod, or this process on its host. */
export function replicaIdentity(env: NodeJS.ProcessEnv = process.env): string {
  const pod = env['POD_NAME'] ?? '';
  return pod === '' ? `${hostname()}_${randomBytes(8).toString('hex')}` : pod;
}

function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

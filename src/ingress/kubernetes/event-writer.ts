import { BackOff } from '../../back-off.ts';
import { Slices } from '../../slices.ts';
import type { IngressProblem } from '../problem.ts';
import type { Translation } from '../translate.ts';
import { ApiError } from './api-error.ts';
import { type Clock, systemClock } from './clock.ts';
import { Complaint } from './complaint.ts';
import type { Api } from './dry-api.ts';
import { component, eventOf, type ProblemEvent } from './event.ts';
import type { Log } from './health.ts';
import { pathOf, resources } from './resource.ts';
import type { Writer } from './speaker.ts';
import { TokenBucket } from './token-bucket.ts';

export interface EventWriterOptions {
  readonly api: Pick<Api, 'create' | 'patch'>;
  readonly log: Log;
  /** The Pod. */
  readonly instance: string;
  readonly clock?: Clock;
  /** Problems that are kept account of. */
  readonly most?: number;
}

/** Of one object, as client-go has it: so many at once, and then one in so many milliseconds. */
const objectBurst = 25;
const objectEveryMs = 300_000;

/** Of all. */
const burst = 100;
const everyMs = 100;

/** Requests under way. */
const maxActive = 4;

/** Problems that are kept account of, errors first; the log has them all. */
const maxStanding = 5000;

/** Events of which it is remembered how often they were written, objects whose rate is, and namespaces that refused. */
const maxKnown = 5000;
const maxObjects = 10_000;
const maxRefusing = 1000;

/** A problem that stands is written again after this, in milliseconds: API servers forget events after an hour. */
const againMs = 30 * 60_000;

/** Milliseconds after which a namespace that refused is asked again. */
const refusedMs = 300_000;

/** Milliseconds that writes under way have at the end. */
const endWithinMs = 2000;

/** Nothing has to be done for longer than timers hold. */
const longestWaitMs = 3_600_000;

/** The problems of a translation. */
interface Told {
  readonly problems: readonly IngressProblem[];
  /** We led when it came: what is new in it has not been written by anybody. */
  readonly isNews: boolean;
}

/** A problem that is there now. */
interface Standing {
  readonly event: ProblemEvent;
  dueAt: number;
  /** It counts as one more time; else it is seen to that there is an event. */
  isNews: boolean;
  isUnderWay: boolean;
}

/**
 * Events on the objects that have problems. It knows which problems stand, not which were said: while it leads, each that
 * stands has its event, written in the background as the rates let it, and one that comes again counts in the event that is there.
 * What stood before it led may have been written by another: only what is missing is written then.
 */
export class EventWriter implements Writer {
  readonly #options: EventWriterOptions;
  readonly #clock: Clock;
  readonly #complaint: Complaint;
  readonly #standing = new Map<string, Standing>();
  /** How often an event was written, as the server said last. */
  readonly #counts = new Map<string, number>();
  readonly #buckets = new Map<string, TokenBucket>();
  readonly #overall: TokenBucket;
  readonly #underWay = new Set<Promise<void>>();
  readonly #end = new AbortController();
  readonly #backOff = new BackOff();
  /** Namespaces that refused, and until when they are left alone. */
  readonly #refusing = new Map<string, number>();
  #pausedUntil = Number.NEGATIVE_INFINITY;
  #latest: Told | null = null;
  #isLeader = false;
  #isClosed = false;
  #wake = new AbortController();
  #running: Promise<void> | null = null;

  constructor(options: EventWriterOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    const words = {
      failing: 'events cannot be written to the cluster: what is served is not touched by it',
      works: 'events are written to the cluster again',
    };
    this.#complaint = new Complaint(options.log, words, this.#clock);
    this.#overall = new TokenBucket(burst, everyMs, this.#clock.now());
  }

  leading(isLeader: boolean): void {
    if (isLeader === this.#isLeader) return;
    this.#isLeader = isLeader;
    if (isLeader) {
      // Whoever led meanwhile has counted on.
      this.#counts.clear();
      const now = this.#clock.now();
      for (const one of this.#standing.values()) {
        one.isNews = false;
        one.dueAt = now;
      }
    }
    this.#stir();
  }

  translated({ problems }: Pick<Translation, 'problems'>): void {
    // Told while nobody was known to lead here: another's to count.
    const isNews = this.#isLeader && this.#latest?.isNews !== false;
    this.#latest = { problems, isNews };
    this.#stir();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stir();
    const timer = new AbortController();
    const over = Promise.all([this.#running, ...this.#underWay]);
    await Promise.race([over, this.#clock.wait(endWithinMs, timer.signal)]);
    timer.abort();
    this.#end.abort();
    await over;
  }

  #stir(): void {
    this.#wake.abort();
    if (!this.#isClosed) this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    while (!this.#isClosed) {
      this.#wake = new AbortController();
      const { signal } = this.#wake;
      if (this.#latest !== null) {
        const told = this.#latest;
        this.#latest = null;
        await this.#consider(told);
      }
      const next = this.#isLeader ? this.#begin() : Number.POSITIVE_INFINITY;
      await this.#clock.wait(Math.min(longestWaitMs, Math.max(0, next - this.#clock.now())), signal);
    }
  }

  /** What stands now. There may be thousands, and requests come first. */
  async #consider({ problems, isNews }: Told): Promise<void> {
    const { most = maxStanding } = this.#options;
    const slices = new Slices();
    await slices.pause();
    const now = new Set<string>();
    for (const severity of ['error', 'warning'] as const) {
      for (const problem of problems) {
        if (now.size >= most) break;
        if (problem.severity !== severity) continue;
        if (slices.isOver) await slices.pause();
        const event = eventOf(problem);
        if (event === null) continue;
        const key = `${event.namespace}/${event.name}`;
        now.add(key);
        if (this.#standing.has(key)) continue;
        this.#standing.set(key, { event, dueAt: this.#clock.now(), isNews, isUnderWay: false });
      }
    }
    for (const key of this.#standing.keys()) if (!now.has(key)) this.#standing.delete(key);
  }

  /** Begins to write what is due, as much of it as may be. Gives when there will be more; infinite: whoever ends will look. */
  #begin(): number {
    const now = this.#clock.now();
    if (this.#pausedUntil > now) return this.#pausedUntil;
    let next = Number.POSITIVE_INFINITY;
    for (const [key, one] of this.#standing) {
      if (one.isUnderWay) continue;
      if (one.dueAt > now) {
        next = Math.min(next, one.dueAt);
        continue;
      }
      const bucket = this.#bucketOf(one.event, now);
      const mayBeAt = Math.max(this.#refusing.get(one.event.namespace) ?? now, now + bucket.waitMs(now));
      if (mayBeAt > now) {
        one.dueAt = mayBeAt;
        next = Math.min(next, mayBeAt);
        continue;
      }
      if (this.#underWay.size >= maxActive || this.#isClosed) return Number.POSITIVE_INFINITY;
      const wait = this.#overall.waitMs(now);
      if (wait > 0) return Math.min(next, now + wait);
      bucket.take(now);
      this.#overall.take(now);
      one.isUnderWay = true;
      const writing = this.#write(key, one).finally(() => {
        one.isUnderWay = false;
        this.#underWay.delete(writing);
        this.#stir();
      });
      this.#underWay.add(writing);
    }
    return next;
  }

  #bucketOf({ involvedObject: { kind, uid } }: ProblemEvent, now: number): TokenBucket {
    const key = `${kind} ${uid}`;
    const bucket = this.#buckets.get(key) ?? new TokenBucket(objectBurst, objectEveryMs, now);
    keep(this.#buckets, key, bucket, maxObjects);
    return bucket;
  }

  /** Never rejects. */
  async #write(key: string, one: Standing): Promise<void> {
    const { namespace } = one.event;
    try {
      const count = await this.#say(key, one);
      keep(this.#counts, key, count, maxKnown);
      one.isNews = true;
      one.dueAt = this.#clock.now() + againMs;
      this.#worked(namespace);
    } catch (caught) {
      if (this.#end.signal.aborted) return;
      this.#failed(one, caught instanceof ApiError ? caught : new ApiError(0, 'Unreadable', String(caught)));
    }
  }

  /** Gives how often it was written. */
  async #say(key: string, { event, isNews }: Standing): Promise<number> {
    const { api, instance } = this.#options;
    const options = { signal: this.#end.signal };
    const [events] = resources.events;
    const { namespace, name, ...body } = event;
    const path = pathOf(events, namespace);
    const lastTimestamp = this.#clock.today().toISOString().replace(/\.\d+/, '');
    const touch = async (count: number | null): Promise<number> => {
      const change = { lastTimestamp, ...(count === null ? {} : { count }) };
      const there = await api.patch(pathOf(events, namespace, name), change, options);
      const { count: counted } = (there ?? {}) as { readonly count?: unknown };
      return typeof counted === 'number' ? counted : (count ?? 1);
    };
    const known = this.#counts.get(key);
    try {
      if (known !== undefined) return await touch(isNews ? known + 1 : null);
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 404)) throw error;
      // The server has forgotten it.
      this.#counts.delete(key);
    }
    try {
      await api.create(
        path,
        {
          apiVersion: events.apiVersion,
          kind: events.kind,
          metadata: { namespace, name },
          ...body,
          type: 'Warning',
          source: { component },
          reportingComponent: component,
          reportingInstance: instance,
          firstTimestamp: lastTimestamp,
          lastTimestamp,
          count: 1,
        },
        options,
      );
      return 1;
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 409)) throw error;
    }
    const count = await touch(null);
    return isNews ? touch(count + 1) : count;
  }

  #worked(namespace: string): void {
    this.#backOff.next(Number.POSITIVE_INFINITY);
    this.#refusing.delete(namespace);
    if (this.#refusing.size === 0) this.#complaint.worked();
  }

  #failed(one: Standing, error: ApiError): void {
    const { namespace } = one.event;
    const now = this.#clock.now();
    if (isOfOneNamespace(error)) {
      // It is being deleted, or gone, and the object with it.
      one.dueAt = now + againMs;
      return;
    }
    if (error.status === 403) keep(this.#refusing, namespace, now + refusedMs, maxRefusing);
    else if (error.isPassing || error.status === 401) {
      this.#pausedUntil = now + Math.max(this.#backOff.next(0), error.retryAfterMs ?? 0);
    } else one.dueAt = now + againMs;
    this.#complaint.failed(error, { namespace });
  }
}

/** The namespace takes nothing new. RBAC has a word of its own for what it forbids. */
function isOfOneNamespace({ status, message }: ApiError): boolean {
  return status === 404 || (status === 403 && message.includes('because it is being terminated'));
}

/** Puts it at the end; what has been there for the longest goes. */
function keep<Value>(map: Map<string, Value>, key: string, value: Value, most: number): void {
  map.delete(key);
  map.set(key, value);
  for (const oldest of map.keys()) {
    if (map.size <= most) return;
    map.delete(oldest);
  }
}

import { defaults } from '../config/defaults.ts';
import type { SourceProblem } from '../config/source.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { DenialRecorder } from './denials/recorder.ts';
import type { Denial } from './denials/record.ts';
import { Denials } from './denials/ring.ts';
import { ChangeBatch } from './inventory/change-batch.ts';
import { Inventory } from './inventory/inventory.ts';
import { InventoryKeeper } from './inventory/keeper.ts';
import { IdentityRecorder } from './inventory/recorder.ts';
import type { IdentityState } from './inventory/state.ts';
import { Activity } from './activity.ts';
import { AccessLog, type LogLevel } from './access-log.ts';
import { LogSink, type LogSinkOptions } from './log-sink.ts';
import { Metrics } from './metrics.ts';
import type { Observer, ReloadEvent } from './observer.ts';
import { version } from './version.ts';

export interface ObserverParts {
  readonly metrics: Metrics;
  readonly log: AccessLog;
  /** Whatever else wants to hear: the ring of denials, the inventory of identities, traces. */
  readonly more?: readonly Observer[];
}

/**
 * The one Observer that the program reports to. It passes every event on to metrics, log and the rest. Never
 * throws: an observer that fails is counted, and neither the others nor the request notice.
 */
export function createObserver({ metrics, log, more = [] }: ObserverParts): Observer {
  const observers: readonly Observer[] = [metrics, log, ...more];
  const tell =
    <Event>(call: (observer: Observer, event: Event) => void) =>
    (event: Event): void => {
      for (const observer of observers) {
        try {
          call(observer, event);
        } catch {
          metrics.observerFailed();
        }
      }
    };
  return Object.freeze({
    handshake: tell((observer, event) => observer.handshake(event)),
    request: tell((observer, event) => observer.request(event)),
    connectionOpened: tell((observer, listener) => observer.connectionOpened(listener)),
    connectionClosed: tell((observer, listener) => observer.connectionClosed(listener)),
    connectionRefused: tell((observer, event) => observer.connectionRefused(event)),
    connectionEnded: tell((observer, event) => observer.connectionEnded(event)),
    ocsp: tell((observer, event) => observer.ocsp(event)),
    staple: tell((observer, event) => observer.staple(event)),
    upstream: tell((observer, event) => observer.upstream(event)),
    reload: tell((observer, event) => observer.reload(event)),
  } satisfies Observer);
}

/** The latest attempt to load a configuration. */
export interface LastReload extends ReloadEvent {
  /** ISO 8601. */
  readonly time: string;
}

export interface ObservabilityOptions {
  readonly level?: LogLevel;
  /** Where the log goes: standard output where it is left out. */
  readonly sink?: Omit<LogSinkOptions, 'onDrop'>;
  /** In place of a sink: takes each line as it is written. */
  readonly destination?: Pick<LogSink, 'write'>;
  readonly more?: readonly Observer[];
  /** The number of this worker process, where there are several. */
  readonly worker?: number;
  /** Takes each denial in place of `denials`: where another process keeps them. */
  readonly keepDenial?: (denial: Denial) => void;
  /** Takes what was noted of identities: where another process keeps them, and the file. */
  readonly tellIdentities?: (identities: readonly IdentityState[]) => void;
}

/** Everything the program is observed by, put together. */
export interface Observability {
  readonly observer: Observer;
  readonly metrics: Metrics;
  readonly log: AccessLog;
  /** The last denials; a new one is told to whoever subscribed, in this process. */
  readonly denials: Denials;
  /** Who sent requests. */
  readonly inventory: Inventory;
  readonly keeper: InventoryKeeper;
  /** Tells what of them was not told yet, where `tellIdentities` is given. */
  flushIdentities(): void;
  /** Takes over a snapshot that now serves: labels, dates, and whether requests are logged. */
  describe(snapshot: Snapshot): void;
  lastReload(): LastReload | null;
  /** The last minutes, for the status page. */
  readonly activity: Activity;
  /** Takes over what is wrong with the source that was loaded last: counted, and shown. */
  tellProblems(problems: readonly SourceProblem[]): void;
  /** For people. */
  problems(): ProblemStatus;
  /**
   * Writes what is left of the log, for two seconds at most; nothing is logged after it. Never rejects. End the
   * process with process.exit after it: see LogSink.close.
   */
  close(): Promise<void>;
}

/** What is wrong with the source that was loaded last. */
export interface ProblemStatus {
  readonly errors: number;
  readonly warnings: number;
  /** The first of them, errors before warnings. */
  readonly lines: readonly string[];
}

/** More are not shown; the log and `mtls-ingress migrate` have them all. */
const maxShown = 100;

/** Time for the last lines of the log to be taken, in milliseconds. */
const closeMs = 2000;

export function createObservability(options: ObservabilityOptions = {}): Observability {
  const { level = 'info', sink: sinkOptions = {}, destination, more = [], worker = null } = options;
  const inventory = new Inventory(defaults.inventory.keep, Date.now());
  const metrics = new Metrics({
    version,
    expiring: (now) => inventory.expiring(now),
    // Set by the manifests in deploy/kubernetes, as for ingress-nginx.
    controller: { namespace: process.env['POD_NAMESPACE'] ?? '', pod: process.env['POD_NAME'] ?? '' },
  });
  const sink =
    destination === undefined
      ? new LogSink({ ...sinkOptions, onDrop: (reason) => metrics.logLineDropped(reason) })
      : null;
  const log = new AccessLog(sink ?? destination!, level, Date.now, worker);
  const denials = new Denials(defaults.denials);
  const recorder = new DenialRecorder(options.keepDenial ?? ((denial) => denials.add(denial)));
  const activity = new Activity();
  const keeper = new InventoryKeeper(inventory, log);
  const batch = options.tellIdentities === undefined ? null : new ChangeBatch(options.tellIdentities);
  const identities = new IdentityRecorder(
    inventory,
    Date.now,
    batch === null ? null : (entry) => batch.add(entry),
  );
  const observer = createObserver({ metrics, log, more: [recorder, activity, identities, ...more] });
  let lastReload: LastReload | null = null;
  let problems: ProblemStatus = Object.freeze({ errors: 0, warnings: 0, lines: [] });
  return Object.freeze({
    observer: Object.freeze({
      ...observer,
      reload(event: ReloadEvent): void {
        lastReload = Object.freeze({ ...event, time: new Date().toISOString() });
        observer.reload(event);
      },
    }),
    metrics,
    log,
    denials,
    activity,
    inventory,
    keeper,
    flushIdentities: () => batch?.flush(),
    describe(snapshot: Snapshot): void {
      metrics.describeSnapshot(snapshot);
      log.requests = snapshot.accessLog;
      denials.limits = snapshot.denials;
      inventory.limit = snapshot.inventory.keep;
      if (batch === null) keeper.path = snapshot.inventory.keep === 0 ? null : snapshot.inventory.file;
    },
    lastReload: () => lastReload,
    tellProblems(all: readonly SourceProblem[]): void {
      metrics.problems(all);
      const errors = all.filter(({ severity }) => severity === 'error');
      const warnings = all.filter(({ severity }) => severity === 'warning');
      problems = Object.freeze({
        errors: errors.length,
        warnings: warnings.length,
        lines: [...errors, ...warnings].slice(0, maxShown).map(({ line }) => line),
      });
    },
    problems: () => problems,
    close: async () => {
      batch?.flush();
      await keeper.close();
      await sink?.close(closeMs);
    },
  });
}

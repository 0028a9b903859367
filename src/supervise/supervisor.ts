import { Admin } from '../admin/admin.ts';
import { endpointsOf, type Readiness } from '../admin/endpoints.ts';
import { commonFacts, maxHosts, type PageFacts } from '../admin/page/facts.ts';
import {
  type Addresses,
  checkedSnapshot,
  ConfigurationError,
  describeHosts,
  listen,
  logListening,
} from '../app.ts';
import type { Loaded, Source } from '../config/source.ts';
import { atNextStart, type Started, startedWith } from '../next-start.ts';
import type { Observability } from '../observe/observe.ts';
import { entryFrom } from '../observe/inventory/state.ts';
import { CompileMemory } from '../snapshot/compile.ts';
import type { MetricsState } from '../observe/page.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { inSlices } from '../slices.ts';
import { TlsMaterialError } from '../tls/host-servers.ts';
import { TicketKeys, ticketKeyPeriod } from '../tls/ticket-keys.ts';
import { BackOff } from '../back-off.ts';
import { CommonProofs } from './common-proofs.ts';
import { factsOfWorkers } from './facts.ts';
import type { FromWorker, Handed } from './messages.ts';
import { seenOf } from '../observe/inventory/seen.ts';
import { Sockets } from './sockets.ts';
import { RefusedError, Worker } from './worker.ts';

export interface SupervisorOptions {
  /** Milliseconds between looks at the workers. */
  readonly reportEveryMs?: number;
  readonly ticketPeriodMs?: number;
  /** Takes the logs of the workers; without, they go where ours goes. */
  readonly output?: (chunk: Buffer, worker: number) => void;
  /** Milliseconds that a worker has to answer a look at it. */
  readonly reportWithinMs?: number;
}

/** A place for a worker process, and who holds it. */
interface Slot {
  readonly number: number;
  readonly backOff: BackOff;
  worker: Worker | null;
  /** Restarts it when it is due. */
  timer: NodeJS.Timeout | null;
}

/** Reports missed in a row, two seconds each and five apart, after which a worker counts as stuck. */
const maxMissed = 6;

/** Milliseconds that workers get to end beyond the grace for their requests. */
const lastGraceMs = 5000;

/**
 * Serves with several worker processes behind one set of ports, and looks after them: starts again who falls, rolls
 * reloads from one to the next, keeps ticket keys and proofs in common, and has the admin listener, which shows all
 * of them as one. It handles no connection itself, and looks like an App to whoever starts it.
 */
export class Supervisor {
  readonly #source: Source;
  readonly #observability: Observability;
  readonly #options: SupervisorOptions;
  readonly #slots: readonly Slot[];
  readonly #admin: Admin;
  readonly #tickets = new TicketKeys();
  readonly #proofs = new CommonProofs();
  readonly #timers: NodeJS.Timeout[] = [];
  #sockets: Sockets | null = null;
  #snapshot: Snapshot | null = null;
  #started: Started | null = null;
  /** Who may use the admin listener, which is there before the workers serve. */
  #admitting: Snapshot | null = null;
  readonly #memory = new CompileMemory();
  #handed: Handed | null = null;
  #watch: { close(): void } | null = null;
  #state: 'starting' | 'serving' | 'draining' | 'stopped' = 'starting';
  #reloading: Promise<readonly string[]> = Promise.resolve([]);
  #denyListFile: string | null = null;
  readonly #drainAsked = Promise.withResolvers<void>();
  /** Workers take over a configuration, one after the other. */
  #rolling = false;

  /** @param workers At least 1. */
  constructor(
    source: Source,
    workers: number,
    observability: Observability,
    options: SupervisorOptions = {},
  ) {
    this.#source = source;
    this.#observability = observability;
    this.#options = options;
    this.#slots = Array.from({ length: workers }, (_, index) => ({
      number: index + 1,
      backOff: new BackOff(),
      worker: null,
      timer: null,
    }));
    this.#admin = new Admin({
      snapshot: () => this.#admitting,
      log: observability.log,
      endpoints: endpointsOf({
        metrics: () => this.#metrics(),
        ready: () => this.#ready(),
        status: () => this.#status(),
        snapshot: () => this.snapshot,
        denials: observability.denials,
        identities: async () => {
          await this.#report();
          return seenOf(observability);
        },
        page: () => this.#page(),
        reload: () => this.reload(),
        denyListFile: () => this.#denyListFile,
        drain: () => this.#drainAsked.resolve(),
      }),
    });
  }

  /** Resolves when someone who may asks for it at the admin listener. */
  get drainAsked(): Promise<void> {
    return this.#drainAsked.promise;
  }

  /** Process ids of the workers that there are, by number. */
  get pids(): readonly number[] {
    return this.#workers.map(({ pid }) => pid);
  }

  /** The configuration in force. */
  get snapshot(): Snapshot {
    if (this.#snapshot === null) throw new Error('no configuration is in force yet');
    return this.#snapshot;
  }

  /**
   * Starts one worker, and when it serves, the rest; resolves when all of them do.
   * @throws ConfigurationError, ListenError; nothing is left running then.
   */
  async start(): Promise<Addresses> {
    try {
      const { loaded, snapshot, commit } = await this.#load();
      const { listeners } = snapshot;
      commit();
      this.#admitting = snapshot;
      this.#sockets = new Sockets(listeners);
      const { reusePort } = listeners;
      const admin = await listen('admin', { ...listeners.admin, reusePort }, (where) =>
        this.#admin.listen(where),
      );
      this.#handed = handedOf(loaded);
      const [first, ...rest] = this.#slots;
      await this.#fill(first!);
      await Promise.all(rest.map((slot) => this.#fill(slot)));
      this.#describe(snapshot);
      this.#started = startedWith(snapshot);
      this.#state = 'serving';
      const { reportEveryMs = 5000, ticketPeriodMs = ticketKeyPeriod } = this.#options;
      this.#timers.push(setInterval(() => this.#look(), reportEveryMs));
      this.#timers.push(setInterval(() => this.replaceTickets(), ticketPeriodMs));
      const { https, http } = this.#sockets;
      logListening(this.#observability, { https, http, admin });
      return { https, http, admin };
    } catch (error) {
      await this.stop();
      throw error instanceof RefusedError ? new ConfigurationError(error.problems) : error;
    }
  }

  /** Reloads whenever one of the source's files changes. */
  watch(): void {
    this.#watch = this.#source.watch(() => void this.reload());
  }

  /**
   * Loads the configuration anew and has one worker after the other take it over. If one cannot, those that have go
   * back, so that all serve the same. Gives what is wrong with it, a line each. Never rejects. Reloads asked for meanwhile
   * run after it, one at a time.
   */
  reload(): Promise<readonly string[]> {
    this.#reloading = this.#reloading.then(async () => {
      if (this.#state === 'stopped') return [];
      const { observer } = this.#observability;
      try {
        const { loaded, snapshot, commit } = await this.#load();
        this.#rolling = true;
        const problems = await this.#roll(handedOf(loaded)).finally(() => {
          this.#rolling = false;
        });
        if (problems.length > 0) throw new ConfigurationError(problems);
        commit();
        this.#describe(snapshot);
        const { log } = this.#observability;
        for (const line of atNextStart(this.#started ?? snapshot, snapshot)) log.program('warn', line);
        return [];
      } catch (error) {
        const problems = error instanceof ConfigurationError ? error.problems : [String(error)];
        observer.reload({ result: 'failure', version: null, problems });
        return problems;
      }
    });
    return this.#reloading;
  }

  /** Begins a new period of the ticket keys, at all workers: no session of before is resumed. */
  replaceTickets(): void {
    this.#tickets.replaceAll();
    this.#sendTickets();
  }

  /** Has every worker finish its requests, and stops. Resolves when all are gone; true if none had to be killed. */
  async drain(): Promise<boolean> {
    if (this.#state !== 'serving') {
      await this.stop();
      return true;
    }
    this.#state = 'draining';
    const { shutdown, listeners } = this.snapshot;
    const { log } = this.#observability;
    log.program('info', 'draining', { workers: this.#workers.length, ...shutdown });
    this.#watch?.close();
    // The next instance answers there from now on.
    if (listeners.reusePort) void this.#admin.close();
    for (const worker of this.#workers) worker.drain();
    this.#sockets?.close();
    const ended = Promise.all(this.#workers.map((worker) => worker.ended)).then(() => true);
    const clean = await Promise.race([ended, delay(shutdown.delayMs + shutdown.graceMs + lastGraceMs)]);
    log.program(clean ? 'info' : 'warn', 'stopped', { workersKilled: this.#workers.length });
    await this.stop();
    return clean;
  }

  /** Ends everything at once. */
  async stop(): Promise<void> {
    this.#state = 'stopped';
    this.#watch?.close();
    for (const timer of this.#timers) clearInterval(timer);
    for (const { timer } of this.#slots) if (timer !== null) clearTimeout(timer);
    const workers = this.#workers;
    this.kill();
    this.#sockets?.close();
    await Promise.all(workers.map((worker) => worker.ended));
    await this.#admin.close();
    await this.#source.close?.();
    await this.#observability.close();
  }

  /** Ends the workers at once, and waits for nothing: this process is about to end. */
  kill(): void {
    for (const worker of this.#workers) worker.kill();
  }

  get #workers(): readonly Worker[] {
    return this.#slots.flatMap(({ worker }) => worker ?? []);
  }

  /** @throws ConfigurationError */
  async #load(): Promise<{
    readonly loaded: Loaded;
    readonly snapshot: Snapshot;
    /** Puts in force what the admin listener has of it. */
    readonly commit: () => void;
  }> {
    const loaded = await this.#source.load();
    const snapshot = await checkedSnapshot(loaded, this.#observability, this.#memory);
    try {
      const commitTls = await inSlices(this.#admin.prepareSteps(snapshot));
      const commit = (): void => {
        commitTls();
        this.#denyListFile = (loaded as Loaded).denyListFile ?? null;
      };
      return { loaded: loaded as Loaded, snapshot, commit };
    } catch (error) {
      if (error instanceof TlsMaterialError) throw new ConfigurationError([error.message]);
      throw error;
    }
  }

  /** Takes note of a snapshot that all workers serve. */
  #describe(snapshot: Snapshot): void {
    this.#snapshot = snapshot;
    this.#admitting = snapshot;
    this.#observability.describe(snapshot);
    this.#observability.observer.reload({ result: 'success', version: snapshot.version, problems: [] });
  }

  /** @throws RefusedError, or Error when the worker does not come up. */
  async #fill(slot: Slot): Promise<void> {
    const { output, reportWithinMs } = this.#options;
    const worker = new Worker({
      number: slot.number,
      of: this.#slots.length,
      sockets: this.#sockets!.descriptors,
      hear: (message) => this.#hear(worker, message),
      ...(output === undefined ? {} : { output: (chunk: Buffer) => output(chunk, slot.number) }),
      ...(reportWithinMs === undefined ? {} : { reportWithinMs }),
    });
    slot.worker = worker;
    void worker.ended.then(({ code, signal }) => this.#ended(slot, worker, code, signal));
    await worker.start(this.#handed!, this.#tickets.state);
  }

  #ended(slot: Slot, worker: Worker, code: number | null, signal: NodeJS.Signals | null): void {
    slot.worker = null;
    if (worker.metrics !== null) this.#observability.metrics.inherit(worker.metrics);
    if (this.#state !== 'serving') return;
    const { metrics, log } = this.#observability;
    const afterMs = slot.backOff.next(Date.now() - worker.startedAt);
    const stuck = worker.missed >= maxMissed;
    metrics.workerRestarted(stuck ? 'unresponsive' : signal === null ? 'exit' : 'signal');
    log.program('error', 'worker ended', {
      worker: slot.number,
      pid: worker.pid,
      code,
      signal,
      restartMs: afterMs,
      failures: slot.backOff.failures,
    });
    slot.timer = setTimeout(() => void this.#restart(slot), afterMs);
  }

  async #restart(slot: Slot): Promise<void> {
    slot.timer = null;
    // A worker must not begin with one configuration while the others take over the next.
    await this.#reloading;
    if (this.#state !== 'serving' || slot.worker !== null) return;
    const { log } = this.#observability;
    try {
      await this.#fill(slot);
      log.program('info', 'worker started', {
        worker: slot.number,
        pid: this.#slots[slot.number - 1]?.worker?.pid,
      });
    } catch (error) {
      log.program('error', 'worker did not start', { worker: slot.number, detail: String(error) });
      (slot.worker as Worker | null)?.kill();
    }
  }

  /**
   * One worker after the other; gives what kept one from it, and then all are back at what they had. Who does not
   * answer might take it over at any time later, so it is ended, and its successor gets what is in force.
   */
  async #roll(next: Handed): Promise<readonly string[]> {
    const before = this.#handed!;
    const done: Worker[] = [];
    for (const worker of this.#workers) {
      const problems = await worker.configure(next);
      if (problems === null) worker.kill();
      if (problems?.length === 0) done.push(worker);
      // Who fell meanwhile starts with whatever is in force when this is over.
      else if (this.#workers.includes(worker)) {
        for (const one of done) {
          if ((await one.configure(before))?.length !== 0) one.kill();
        }
        return problems ?? [`worker ${worker.number} did not take the configuration over`];
      }
    }
    this.#handed = next;
    return [];
  }

  #hear(worker: Worker, message: FromWorker): void {
    switch (message.type) {
      case 'renew':
        this.#tickets.raise(message.name, message.renewals);
        this.#sendTickets();
        return;
      case 'learned':
        this.#proofs.learn(message.key, message.proof);
        return;
      case 'denials':
        for (const denial of message.denials) this.#observability.denials.add(denial);
        return;
      case 'identities':
        for (const state of message.identities) {
          const entry = entryFrom(state);
          if (entry !== null) this.#observability.inventory.absorb(entry);
        }
        return;
      case 'ask': {
        const { id } = message;
        this.#proofs.ask(message.key, (proof) => worker.send({ type: 'proof', id, proof }));
        return;
      }
      default:
        return;
    }
  }

  #sendTickets(): void {
    for (const worker of this.#workers) worker.send({ type: 'tickets', tickets: this.#tickets.state });
  }

  /** Keeps the numbers of each worker near enough for when it falls, and ends those that no longer answer. */
  #look(): void {
    for (const worker of this.#workers) {
      if (worker.version === null) continue;
      void worker.report();
      if (worker.missed >= maxMissed) worker.kill();
    }
  }

  /** Has all workers say how they are. */
  async #report(): Promise<void> {
    const serving = this.#workers.filter(({ version }) => version !== null);
    await Promise.all(serving.map((worker) => worker.report()));
  }

  async #metrics(): Promise<string> {
    await this.#report();
    const { metrics } = this.#observability;
    metrics.workers({
      wanted: this.#slots.length,
      ready: this.#readyWorkers,
      configurations: this.#configurations,
    });
    const states = this.#workers.map((worker) => worker.metrics);
    return metrics.renderWith(states.filter((state): state is MetricsState => state !== null));
  }

  get #readyWorkers(): number {
    return this.#workers.filter(
      ({ version, draining, missed }) => version !== null && !draining && missed === 0,
    ).length;
  }

  /** How many that workers serve. One, but for a reload that goes from worker to worker. */
  get #configurations(): number {
    return new Set(this.#workers.flatMap(({ version }) => version ?? [])).size;
  }

  #ready(): Readiness {
    if (this.#state !== 'serving') return { ready: false, reason: this.#state };
    if (this.#readyWorkers === 0) return { ready: false, reason: 'no worker is ready' };
    const count = this.#configurations;
    if (count <= 1) return { ready: true };
    return this.#rolling
      ? {
          ready: true,
          note: `workers serve ${count} configurations while a reload goes from one to the next`,
        }
      : { ready: false, reason: `workers disagree: they serve ${count} configurations` };
  }

  async #page(): Promise<PageFacts> {
    // Many hosts make long reports: those that come by themselves are enough then.
    if ((this.#snapshot?.hosts.all.length ?? 0) <= maxHosts) await this.#report();
    const ready = this.#ready();
    const note = ready.ready ? ready.note : ready.reason;
    return {
      ...factsOfWorkers(commonFacts(this.#observability, this.#snapshot), this.#slots),
      state: this.#state,
      note: note === this.#state ? null : (note ?? null),
    };
  }

  #status(): Record<string, unknown> {
    const workers = this.#slots.map(({ number, worker, backOff }) => ({
      worker: number,
      pid: worker?.pid ?? null,
      configuration: worker?.version ?? null,
      falls: backOff.failures,
      connections: worker?.status['connections'] ?? 0,
      upstreams: worker?.status['upstreams'] ?? null,
    }));
    return {
      state: this.#state,
      configuration: this.snapshot.version,
      hosts: describeHosts(this.snapshot),
      lastReload: this.#observability.lastReload(),
      problems: this.#observability.problems(),
      ...(this.#source.status === undefined ? {} : { source: this.#source.status() }),
      connections: workers.reduce((sum, { connections }) => sum + Number(connections), 0),
      workers,
    };
  }
}

function handedOf({ config, material }: Loaded): Handed {
  return { config, material };
}

function delay(ms: number): Promise<false> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms, false).unref();
  });
}

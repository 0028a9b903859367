import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Admin } from './admin/admin.ts';
import { endpointsOf } from './admin/endpoints.ts';
import { commonFacts, type PageFacts } from './admin/page/facts.ts';
import type { Changed, Loaded, Source, Unloadable } from './config/source.ts';
import type { ListenTarget } from './listen.ts';
import { atNextStart, type Started, startedWith } from './next-start.ts';
import { readLeaves } from './observe/certificate-series.ts';
import { loadTracing, type Tracing } from './observe/tracing.ts';
import { createObservability, type Observability } from './observe/observe.ts';
import { seenOf } from './observe/inventory/seen.ts';
import { Lanes } from './proxy/lanes.ts';
import { answerPlainHttp } from './proxy/plain-http.ts';
import { createRedirectListener } from './proxy/redirect-listener.ts';
import { quietTurn } from './quiet-turn.ts';
import { inSlices } from './slices.ts';
import { Upstreams } from './proxy/upstream/upstreams.ts';
import { CompileMemory, compileSteps } from './snapshot/compile.ts';
import type { Connection } from './snapshot/connection.ts';
import { decide } from './snapshot/decide.ts';
import type { Reports } from './snapshot/report.ts';
import type { ListenAddress, Snapshot } from './snapshot/snapshot.ts';
import type { Acceptor } from './tls/acceptor.ts';
import { TlsListener } from './tls/listener.ts';
import { TlsMaterialError } from './tls/host-servers.ts';
import type { ProofShare } from './tls/proof-memory.ts';
import type { TicketKeys } from './tls/ticket-keys.ts';

/** Milliseconds that a drain waits for a moment in which no connection comes. */
const quietMs = 1000;

/** The configuration cannot be served; `problems` say why, a line each. */
export class ConfigurationError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'ConfigurationError';
    this.problems = problems;
  }
}

/** An address that cannot be listened on, and what to do about it. */
export class ListenError extends Error {}

/** Where the program listens. */
export interface Addresses {
  readonly https: AddressInfo;
  readonly http: AddressInfo | null;
  readonly admin: AddressInfo;
}

/** What an App is given that is one of several worker processes. It has no admin listener: its supervisor has. */
export interface WorkerParts {
  /** File descriptors of sockets that are bound already. */
  readonly sockets: { readonly https: number; readonly http: number | null };
  readonly tickets: TicketKeys;
  readonly proofs: ProofShare;
  /** Its part of what a snapshot allows. */
  readonly share: (snapshot: Snapshot) => Snapshot;
}

/** The composition root: builds the parts, starts them, reloads, drains and stops. */
export class App {
  readonly #source: Source;
  readonly #observability: Observability;
  readonly #upstreams: Upstreams;
  readonly #lane: Lanes;
  readonly #https: TlsListener;
  readonly #http: Acceptor;
  readonly #admin: Admin;
  readonly #worker: WorkerParts | null;
  readonly #connections = new WeakMap<Duplex, Connection>();
  readonly #memory = new CompileMemory();
  #watch: { close(): void } | null = null;
  #tracing: Tracing | null = null;
  #snapshot: Snapshot | null = null;
  #started: Started | null = null;
  #state: 'starting' | 'serving' | 'draining' | 'stopped' = 'starting';
  #reloading: Promise<readonly string[]> = Promise.resolve([]);
  #denyListFile: string | null = null;
  readonly #drainAsked = Promise.withResolvers<void>();
  #configuring: Promise<unknown> = Promise.resolve();

  constructor(
    source: Source,
    observability: Observability = createObservability(),
    worker: WorkerParts | null = null,
  ) {
    this.#source = source;
    this.#worker = worker;
    this.#observability = observability;
    const { observer } = observability;
    const snapshot = (): Snapshot => this.snapshot;
    this.#upstreams = new Upstreams({ observer });
    this.#lane = new Lanes({
      snapshot,
      decide,
      upstreams: this.#upstreams,
      observer,
      tracing: () => this.#tracing,
      connectionOf: (socket) => this.#connections.get(socket)!,
    });
    this.#https = new TlsListener({
      snapshot,
      observer,
      accept: (socket, connection) => this.#accept(socket, connection),
      acceptPlain: (socket, client) => answerPlainHttp(socket, client, observer),
      ...(worker === null ? {} : { tickets: worker.tickets, proofs: worker.proofs }),
    });
    this.#http = createRedirectListener({
      snapshot,
      observer,
      accept: (socket, connection) => this.#accept(socket, connection),
    });
    this.#admin = new Admin({
      snapshot: () => this.#snapshot,
      log: observability.log,
      endpoints: endpointsOf({
        metrics: () => observability.metrics.render(),
        ready: () => (this.#state === 'serving' ? { ready: true } : { ready: false, reason: this.#state }),
        status: () => this.status(),
        snapshot: () => this.snapshot,
        denials: observability.denials,
        identities: () => seenOf(observability),
        page: () => Promise.resolve(this.#page()),
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

  /** The configuration in force. */
  get snapshot(): Snapshot {
    if (this.#snapshot === null) throw new Error('no configuration is in force yet');
    return this.#snapshot;
  }

  /**
   * Loads the configuration and starts listening. A worker has no admin listener; its address is the one for https.
   * @throws ConfigurationError, ListenError; nothing is left running then.
   */
  async start(): Promise<Addresses> {
    try {
      this.#tracing = await loadTracing();
      await this.#take();
      await this.#lane.ready;
      const { listeners } = this.snapshot;
      const sockets = this.#worker?.sockets ?? null;
      const { reusePort } = listeners;
      const target = (address: ListenAddress, fd: number | null | undefined): ListenTarget => ({
        ...address,
        reusePort,
        ...(typeof fd === 'number' ? { fd } : {}),
      });
      const admin =
        sockets !== null
          ? null
          : await listen('admin', target(listeners.admin, null), (where) => this.#admin.listen(where));
      const https = await listen('https', target(listeners.https, sockets?.https), (where) =>
        this.#https.listen(where),
      );
      const http =
        listeners.http === null || sockets?.http === null
          ? null
          : await listen('http', target(listeners.http, sockets?.http), (where) => this.#http.listen(where));
      this.#state = 'serving';
      if (admin === null) return { https, http, admin: https };
      logListening(this.#observability, { https, http, admin });
      return { https, http, admin };
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Reloads whenever one of the source's files changes. */
  watch(): void {
    this.#watch = this.#source.watch((changed) => void this.reload(changed));
  }

  /**
   * Loads the configuration anew and swaps it in, whole; a bad one changes nothing and is reported. Gives what is wrong
   * with it, a line each. Never rejects. Reloads asked for meanwhile run after it, one at a time.
   *
   * @param changed What the source's watch told of; without: everything is looked at.
   */
  reload(changed: Changed | null = null): Promise<readonly string[]> {
    this.#reloading = this.#reloading.then(async () => {
      const problems = await this.configure(changed);
      if (problems.length > 0) {
        this.#observability.observer.reload({ result: 'failure', version: null, problems });
      }
      return problems;
    });
    return this.#reloading;
  }

  /** Swaps in what the source now has; gives what is wrong with it, and then nothing has changed. Never rejects. */
  configure(changed: Changed | null = null): Promise<readonly string[]> {
    const configured = this.#configuring.then(() => this.#configure(changed));
    this.#configuring = configured;
    return configured;
  }

  async #configure(changed: Changed | null): Promise<readonly string[]> {
    if (this.#state === 'stopped') return [];
    try {
      await this.#take(changed);
      return [];
    } catch (error) {
      // Stopped while it loaded: nobody is left to be told.
      if (this.#isStopped()) return [];
      return error instanceof ConfigurationError ? error.problems : [String(error)];
    }
  }

  /**
   * Says no to new work, waits for requests under way up to the configured grace, and stops. Resolves when
   * everything is closed; true if no request was cut off.
   */
  async drain(): Promise<boolean> {
    if (this.#state !== 'serving') {
      await this.stop();
      return true;
    }
    const { delayMs, graceMs } = this.snapshot.shutdown;
    const { log } = this.#observability;
    this.#state = 'draining';
    // The next instance answers there from now on.
    if (this.snapshot.listeners.reusePort) void this.#admin.close();
    log.program('info', 'draining', { connections: this.#openConnections, delayMs, graceMs });
    await delay(delayMs);
    await quietTurn(quietMs);
    const stopped = Promise.all([this.#https.stop(), this.#http.stop()]).then(() => true);
    this.#lane.drain();
    const clean = await Promise.race([stopped, delay(graceMs).then(() => false)]);
    log.program(clean ? 'info' : 'warn', 'stopped', { connectionsCut: this.#openConnections });
    await this.stop();
    return clean;
  }

  /** Closes everything at once. */
  async stop(): Promise<void> {
    this.#state = 'stopped';
    this.#watch?.close();
    const stopped = [this.#https.stop(), this.#http.stop()];
    this.#https.destroyConnections();
    this.#http.destroyConnections();
    await Promise.all(stopped);
    await this.#https.close();
    await this.#lane.close();
    await this.#upstreams.destroy();
    await this.#admin.close();
    await this.#source.close?.();
    await this.#observability.close();
  }

  #accept(socket: Socket, connection: Connection): void {
    this.#connections.set(socket, connection);
    this.#lane.accept(socket);
  }

  /**
   * Loads the configuration and puts it in force. What takes long is done in slices, between which connections are
   * served; the swap itself is one step.
   * @throws ConfigurationError, also when TLS does not take a certificate or trust store; nothing has changed then.
   */
  async #take(changed: Changed | null = null): Promise<void> {
    const loaded = await this.#source.load(changed);
    const whole = await checkedSnapshot(loaded, this.#observability, this.#memory);
    const snapshot = this.#worker === null ? whole : this.#worker.share(whole);
    let commit: (() => void)[];
    try {
      commit = [
        await inSlices(this.#https.prepareSteps(snapshot)),
        await inSlices(this.#admin.prepareSteps(snapshot)),
        () => {
          this.#denyListFile = (loaded.ok ? loaded.denyListFile : null) ?? null;
        },
      ];
    } catch (error) {
      if (error instanceof TlsMaterialError) throw new ConfigurationError([error.message]);
      throw error;
    }
    await inSlices(readLeaves(snapshot));
    if (this.#isStopped()) throw new ConfigurationError(['the program has stopped']);
    this.#swap(snapshot, commit);
  }

  #swap(snapshot: Snapshot, commit: readonly (() => void)[]): void {
    for (const part of commit) part();
    this.#upstreams.update(snapshot.upstreams);
    this.#snapshot = snapshot;
    this.#lane.reviewTunnels();
    this.#lane.reviewConnections();
    this.#observability.describe(snapshot);
    this.#https.staple(snapshot);
    // Of worker processes the supervisor reports it, once.
    if (this.#worker !== null) return;
    const { observer, log } = this.#observability;
    observer.reload({ result: 'success', version: snapshot.version, problems: [] });
    this.#started ??= startedWith(snapshot);
    for (const line of atNextStart(this.#started, snapshot)) log.program('warn', line);
  }

  /** What the admin listener shows to people. */
  status(): Record<string, unknown> {
    const { snapshot } = this;
    return {
      state: this.#state,
      configuration: snapshot.version,
      hosts: describeHosts(snapshot),
      upstreams: this.#upstreams.status(),
      lastReload: this.#observability.lastReload(),
      problems: this.#observability.problems(),
      ...(this.#source.status === undefined ? {} : { source: this.#source.status() }),
      connections: this.#openConnections,
    };
  }

  #page(): PageFacts {
    return {
      ...commonFacts(this.#observability, this.#snapshot),
      state: this.#state,
      note: null,
      connections: this.#openConnections,
      upstreams: [this.#upstreams.status()],
      workers: null,
    };
  }

  #isStopped(): boolean {
    return this.#state === 'stopped';
  }

  get #openConnections(): number {
    return this.#https.openConnections + this.#http.openConnections;
  }
}

/** The checks that only report; none where all refuse. */
function reportingOf(reports: Reports): readonly string[] {
  return Object.entries(reports).flatMap(([check, reporting]) => (reporting ? [check] : []));
}

/** The hosts of a snapshot, for people. */
export function describeHosts(snapshot: Snapshot): unknown {
  return snapshot.hosts.all.map((host) => ({
    names: host.names,
    clientAuth: host.clientAuth.mode,
    reports: reportingOf(host.reports),
    routes: host.routes.all.map(({ path, pathType, upstream, policy, reports }) => ({
      path,
      pathType,
      upstream,
      policy: policy !== null,
      reports: reportingOf(reports),
    })),
  }));
}

/**
 * The snapshot of what a source gave; its warnings are logged.
 * Rejects with a ConfigurationError.
 */
export async function checkedSnapshot(
  loaded: Loaded | Unloadable,
  { log, tellProblems }: Pick<Observability, 'log' | 'tellProblems'>,
  memory: CompileMemory = new CompileMemory(),
): Promise<Snapshot> {
  if (!loaded.ok) throw new ConfigurationError(loaded.problems);
  for (const warning of loaded.warnings) log.program('warn', warning);
  const compiled = await inSlices(compileSteps(loaded.config, loaded.material, memory));
  if (!compiled.ok) throw new ConfigurationError(compiled.problems.map((problem) => loaded.place(problem)));
  tellProblems(loaded.problems ?? []);
  return compiled.snapshot;
}

/** Says where the program listens, a line for each listener. */
export function logListening({ log }: Pick<Observability, 'log'>, addresses: Addresses): void {
  for (const [listener, bound] of Object.entries(addresses) as [string, AddressInfo | null][]) {
    if (bound === null) continue;
    const { address, port } = bound;
    log.program('info', 'listening', { listener, address, port });
  }
}

/** @throws ListenError */
export async function listen<Address extends { readonly address: string; readonly port: number }, Bound>(
  name: string,
  address: Address,
  start: (address: Address) => Promise<Bound>,
): Promise<Bound> {
  try {
    return await start(address);
  } catch (error) {
    throw listenErrorOf(name, address, error);
  }
}

/** What the system says of an address, in words. */
export function listenErrorOf(name: string, address: ListenAddress, cause: unknown): ListenError {
  const { code, message } = cause as NodeJS.ErrnoException;
  const where = `${address.address}:${address.port}`;
  const what =
    code === 'EADDRINUSE'
      ? `cannot use ${where}: another program listens there`
      : code === 'EACCES'
        ? `may not use ${where}: ports below 1024 need a privilege`
        : `cannot use ${where}: ${message}`;
  return new ListenError(`the ${name} listener ${what}`, { cause });
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}

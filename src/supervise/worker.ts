import { type ChildProcess, fork } from 'node:child_process';
import { extname, join } from 'node:path';
import type { ActivityState } from '../observe/activity.ts';
import type { MetricsState } from '../observe/page.ts';
import type { FromWorker, Handed, ToWorker } from './messages.ts';

/** Sources run as they are, the image compiled. */
const program = join(import.meta.dirname, `worker-process${extname(import.meta.filename)}`);

/** Milliseconds for a report; what a worker last said stands in for one that is late. */
const reportMs = 2000;

/** Milliseconds for a worker to start, and to take over a configuration. Thousands of hosts take seconds. */
const configureMs = 120_000;

/** Where file descriptors from the parent begin in a child, behind standard streams and the channel. */
const firstSocket = 4;

/** How a worker process ended. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface WorkerDeps {
  readonly number: number;
  readonly of: number;
  /** File descriptors in this process. */
  readonly sockets: { readonly https: number; readonly http: number | null };
  /** Everything but the answers to what was asked of it here. */
  readonly hear: (message: FromWorker) => void;
  /** Takes the worker's log; without, it goes where ours goes. */
  readonly output?: (chunk: Buffer) => void;
  /** Milliseconds for a report, 2000 where it is left out. */
  readonly reportWithinMs?: number;
}

/** It could not serve what it was handed; a line each. */
export class RefusedError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}

/** One worker process, as its supervisor sees it. */
export class Worker {
  readonly number: number;
  readonly startedAt = Date.now();
  readonly ended: Promise<Ending>;
  /** Of the configuration that it serves; null until it does. */
  version: string | null = null;
  draining = false;
  /** What it last said of itself. */
  metrics: MetricsState | null = null;
  activity: ActivityState | null = null;
  status: Readonly<Record<string, unknown>> = {};
  /** Reports in a row that did not come in time. */
  missed = 0;
  readonly #child: ChildProcess;
  readonly #deps: WorkerDeps;
  readonly #waiting = new Map<number, (message: FromWorker | null) => void>();
  #reporting: Promise<void> | null = null;
  #id = 0;

  constructor(deps: WorkerDeps) {
    this.#deps = deps;
    this.number = deps.number;
    const { https, http } = deps.sockets;
    const output = deps.output === undefined ? 'inherit' : 'pipe';
    this.#child = fork(program, [], {
      serialization: 'advanced',
      stdio: ['ignore', output, 'inherit', 'ipc', https, ...(http === null ? [] : [http])],
    });
    if (deps.output !== undefined) this.#child.stdout?.on('data', deps.output);
    this.ended = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => resolve({ code, signal }));
      // It could not be started at all.
      this.#child.once('error', () => {
        if (this.#child.pid === undefined) resolve({ code: null, signal: null });
      });
    });
    void this.ended.then(() => {
      for (const answer of this.#waiting.values()) answer(null);
    });
    this.#child.on('message', (message) => this.#take(message as FromWorker));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /**
   * Has it serve a configuration; resolves when it takes traffic.
   * @throws RefusedError when it cannot serve what it was handed, Error when it ended first or takes too long.
   */
  async start(handed: Handed, tickets: Extract<ToWorker, { type: 'start' }>['tickets']): Promise<void> {
    const { number: worker, of, sockets } = this.#deps;
    this.send({
      type: 'start',
      worker,
      of,
      handed,
      tickets,
      sockets: { https: firstSocket, http: sockets.http === null ? null : firstSocket + 1 },
    });
    const answer = await this.#answer(0, configureMs);
    if (answer?.type === 'refused') throw new RefusedError(answer.problems);
    if (answer?.type !== 'started') throw new Error(`worker ${this.number} did not start`);
    this.version = answer.version;
  }

  /**
   * Gives what kept it from taking a configuration over, a line each; none when it did, null when it did not say in
   * time, or ended. Never rejects.
   */
  async configure(handed: Handed): Promise<readonly string[] | null> {
    const id = ++this.#id;
    this.send({ type: 'configure', id, handed });
    const answer = await this.#answer(id, configureMs);
    return answer?.type === 'configured' ? answer.problems : null;
  }

  /** Brings `metrics` and `status` up to date, if it answers in time. One question at a time. */
  report(): Promise<void> {
    this.#reporting ??= this.#report().finally(() => {
      this.#reporting = null;
    });
    return this.#reporting;
  }

  send(message: ToWorker): void {
    // One that is gone has no use for it.
    if (this.#child.connected) this.#child.send(message, () => {});
  }

  /** Has it finish its requests and end. */
  drain(): void {
    this.draining = true;
    this.send({ type: 'drain' });
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  async #report(): Promise<void> {
    const id = ++this.#id;
    this.send({ type: 'report', id });
    const answer = await this.#answer(id, this.#deps.reportWithinMs ?? reportMs);
    if (answer === null) this.missed++;
  }

  #answer(id: number, timeoutMs: number): Promise<FromWorker | null> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => settle(null), timeoutMs);
      const settle = (message: FromWorker | null): void => {
        clearTimeout(timer);
        this.#waiting.delete(id);
        resolve(message);
      };
      this.#waiting.set(id, settle);
    });
  }

  #take(message: FromWorker): void {
    switch (message.type) {
      case 'started':
      case 'refused':
        this.#waiting.get(0)?.(message);
        return;
      case 'configured':
        this.version = message.version;
        this.#waiting.get(message.id)?.(message);
        return;
      case 'report':
        this.missed = 0;
        this.metrics = message.metrics;
        this.activity = message.activity;
        if (message.id > 0) this.status = message.status;
        this.#waiting.get(message.id)?.(message);
        return;
      default:
        this.#deps.hear(message);
    }
  }
}

import type { KubernetesFault } from '../../observe/labels.ts';
import type { ApiError } from './api-error.ts';

/** Takes lines for the log. */
export type Log = (
  level: 'info' | 'warn' | 'error',
  message: string,
  fields: Readonly<Record<string, unknown>>,
) => void;

/** Counts what goes wrong. */
export interface HealthReport {
  /** So many watches fail now. */
  kubernetesFailing(count: number): void;
  kubernetesFault(reason: KubernetesFault): void;
}

/** While something fails it is said again this often, in milliseconds. */
const sayAgainMs = 60_000;

/** Milliseconds over which those who waited for the server come back, so that they do not come all at once. */
const spreadMs = 250;

/** Names in a line, or in the status. */
const maxNamed = 10;

/** What is wrong between us and the API server, for people. */
export interface HealthStatus {
  /** Watches that fail at the moment. */
  readonly failing: number;
  /** The first of them, with why. */
  readonly faults: readonly string[];
}

/**
 * What fails between us and the API server, over all watches: told in a few lines, however many of them fail together. Those who
 * wait out an outage are woken when any of them gets through.
 */
export class Health {
  readonly #log: Log;
  readonly #report: HealthReport | null;
  readonly #failing = new Map<string, ApiError>();
  readonly #refused = new Set<string>();
  readonly #sleepers = new Set<() => void>();
  #saidAt = Number.NEGATIVE_INFINITY;
  #saidCount = 0;

  constructor(log: Log, report: HealthReport | null = null) {
    this.#log = log;
    this.#report = report;
    this.#report?.kubernetesFailing(0);
  }

  get status(): HealthStatus {
    return { failing: this.#failing.size, faults: this.#faults() };
  }

  /** Why something fails at the moment; null: it does not. */
  faultOf(label: string): ApiError | null {
    return this.#failing.get(label) ?? null;
  }

  failed(label: string, error: ApiError): void {
    const isFirst = this.#failing.size === 0;
    this.#failing.delete(label);
    this.#failing.set(label, error);
    this.#report?.kubernetesFault(reasonOf(error));
    this.#report?.kubernetesFailing(this.#failing.size);
    const now = performance.now();
    if (!isFirst && now - this.#saidAt < sayAgainMs) return;
    this.#saidAt = now;
    this.#saidCount++;
    this.#log('warn', 'watches of the Kubernetes API fail: what is known stays', {
      watches: this.#failing.size,
      detail: this.#faults(),
    });
  }

  /** It goes well. */
  worked(label: string): void {
    const before = this.#failing.get(label);
    if (before === undefined) return;
    this.#failing.delete(label);
    this.#report?.kubernetesFailing(this.#failing.size);
    // Who is refused for rights is not helped by another's success.
    if (isOutage(before)) this.#sleepers.forEach((wake) => wake());
    if (this.#failing.size > 0) return;
    this.#log('info', 'all watches of the Kubernetes API work again', { warnings: this.#saidCount });
    this.#saidAt = Number.NEGATIVE_INFINITY;
    this.#saidCount = 0;
  }

  /** It may not be read, and need not be: no fault, and said once. */
  refused(label: string, error: ApiError): void {
    if (this.#refused.has(label)) return;
    this.#refused.add(label);
    this.#log('info', 'done without what may not be read of the Kubernetes API', {
      watch: label,
      detail: error.message,
    });
  }

  /** Nobody asks for it any more. */
  forget(label: string): void {
    this.#failing.delete(label);
    this.#report?.kubernetesFailing(this.#failing.size);
  }

  /** Waits so many milliseconds, or, in an outage, until the server is known to answer again. Resolves early when aborted. */
  async pause(ms: number, error: ApiError | null, signal: AbortSignal): Promise<void> {
    await sleep(ms, signal, (wake) => {
      if (error !== null && isOutage(error)) this.#sleepers.add(wake);
      return () => this.#sleepers.delete(wake);
    });
  }

  #faults(): string[] {
    return [...this.#failing].slice(0, maxNamed).map(([label, error]) => `${label}: ${error.message}`);
  }
}

const reasons: Readonly<Record<number, KubernetesFault>> = {
  0: 'unreachable',
  401: 'unauthorized',
  403: 'forbidden',
  410: 'expired',
  429: 'throttled',
};

function reasonOf({ status }: ApiError): KubernetesFault {
  return reasons[status] ?? 'error';
}

function isOutage({ status }: ApiError): boolean {
  return status === 0 || status >= 500;
}

function sleep(ms: number, signal: AbortSignal, register: (wake: () => void) => () => void): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    let timer = setTimeout(done, ms);
    const unregister = register(() => {
      unregister();
      clearTimeout(timer);
      timer = setTimeout(done, Math.random() * spreadMs);
    });
    function done(): void {
      clearTimeout(timer);
      unregister();
      signal.removeEventListener('abort', done);
      resolve();
    }
    signal.addEventListener('abort', done);
  });
}

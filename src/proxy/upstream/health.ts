import type { Health } from '../../snapshot/snapshot.ts';
import { Attempt } from './attempt.ts';
import { Connection } from './connection.ts';
import { Deadline } from './deadline.ts';
import type { LiveEndpoint } from './live-endpoint.ts';
import type { LiveUpstream, Surroundings } from './live-upstream.ts';

/** The first check comes within this time, so that a dead endpoint is known soon, but not all at the same instant. */
const firstMs = 1000;
/** How far intervals stray, as a fraction: many proxies must not check in step. */
const jitter = 0.1;

/** Asks each endpoint of an upstream again and again whether it is well. Timers keep no process alive. */
export class HealthChecks {
  readonly #loops: readonly Loop[];

  constructor(upstream: LiveUpstream, health: Health, surroundings: Surroundings) {
    this.#loops = upstream.endpoints.map((one) => new Loop(upstream, one, health, surroundings));
  }

  stop(): void {
    for (const loop of this.#loops) loop.stop();
  }
}

class Loop {
  readonly #upstream: LiveUpstream;
  readonly #endpoint: LiveEndpoint;
  readonly #health: Health;
  readonly #random: () => number;
  #timer: NodeJS.Timeout;
  #cancel: (() => void) | null = null;

  constructor(upstream: LiveUpstream, endpoint: LiveEndpoint, health: Health, { random }: Surroundings) {
    this.#upstream = upstream;
    this.#endpoint = endpoint;
    this.#health = health;
    this.#random = random;
    this.#timer = this.#after(Math.min(firstMs, health.intervalMs) * random());
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#cancel?.();
  }

  #after(ms: number): NodeJS.Timeout {
    return setTimeout(() => this.#check(), ms).unref();
  }

  #check(): void {
    this.#cancel = check(this.#endpoint, this.#health, (passed, detail) => {
      this.#cancel = null;
      this.#timer = this.#after(this.#health.intervalMs * (1 + jitter * (2 * this.#random() - 1)));
      this.#upstream.checked(this.#endpoint, passed, detail);
    });
  }
}

/**
 * One check: a GET over a connection of its own, under the upstream's TLS settings, since a kept connection would not
 * show that the endpoint still accepts. 2xx and 3xx within `timeoutMs`, all told, is well (as for Kubernetes' probes).
 * `done` is called once and never before this returns; not at all after the returned function.
 */
export function check(
  { endpoint, dialer }: LiveEndpoint,
  health: Health,
  done: (passed: boolean, detail: string) => void,
): () => void {
  let undo: () => void;
  const finish = (passed: boolean, detail: string): void => {
    cancel();
    done(passed, detail);
  };
  const deadline = new Deadline(() => finish(false, `no answer within ${health.timeoutMs} ms`));
  const cancel = (): void => {
    deadline.stop();
    undo();
  };
  deadline.start(health.timeoutMs);
  undo = dialer.dial(health.timeoutMs, (failure, socket) => {
    if (socket === null) return finish(false, `${failure?.reason}: ${failure?.detail}`);
    const connection = new Connection(socket, { connections: 1, timeoutMs: health.timeoutMs }, 0);
    const request = {
      method: 'GET',
      target: health.path,
      headers: ['Host', health.host ?? endpoint.name, 'User-Agent', 'mtls-ingress', 'Connection', 'close'],
      body: null,
    };
    const time = { sendMs: health.timeoutMs, readMs: health.timeoutMs };
    const attempt = new Attempt(connection, request, time, {
      information: () => {},
      // The status says it all: the body is not waited for.
      response: (status) => finish(status >= 200 && status < 400, `status ${status}`),
      data: () => true,
      end: () => {},
      failed: ({ failure }) => finish(false, `${failure.reason}: ${failure.detail}`),
    });
    undo = () => attempt.abort();
    attempt.start();
  });
  return cancel;
}

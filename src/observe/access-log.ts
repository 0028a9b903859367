import { pino, type Level, type Logger } from 'pino';
import type { Connection } from '../snapshot/connection.ts';
import { type ConnectionRefusal, connectionRefusals, type HandshakeReason } from '../snapshot/reason.ts';
import {
  connectionFields,
  handshakeFields,
  reloadFields,
  requestFields,
  upstreamFields,
} from './log-fields.ts';
import { LineRate } from './line-rate.ts';
import type { LogSink } from './log-sink.ts';
import type {
  ConnectionRefusedEvent,
  HandshakeEvent,
  Observer,
  OcspEvent,
  ReloadEvent,
  RequestEvent,
  StapleEvent,
  UpstreamEvent,
} from './observer.ts';
import { shorten } from './shorten.ts';

/** Lines in a second for each reason why connections are refused unread. */
const refusalLines = 10;

/** Lines in a second about requests let through under a CRL past its nextUpdate. */
const staleCrlLines = 1;

/** Lines of this level and above are written; `silent`: none. */
export type LogLevel = Level | 'silent';

/**
 * Writes what happened as JSON lines (log-fields.ts has the table of fields). Requests that went well are
 * `info`; those refused, and handshakes that failed, `warn`; answers of 500 and above, and reloads that failed,
 * `error`.
 */
export class AccessLog implements Observer {
  /** False: no lines for requests. Everything else is still written. */
  requests = true;
  readonly #logger: Logger;
  readonly #softPasses: LineRate;
  readonly #staleCrls: LineRate;
  readonly #refusals: Readonly<Record<ConnectionRefusal, LineRate>>;
  /** Loggers that carry the fields of a connection already printed; they go with their connection. */
  readonly #connections = new WeakMap<Connection, Logger>();

  /** @param worker The worker process that writes, a field of every line; null: there is only one process. */
  constructor(
    sink: Pick<LogSink, 'write'>,
    level: LogLevel = 'info',
    now: () => number = Date.now,
    worker: number | null = null,
  ) {
    this.#staleCrls = new LineRate(staleCrlLines, now);
    this.#refusals = {
      overload: new LineRate(refusalLines, now),
      address_overload: new LineRate(refusalLines, now),
      proxy_protocol: new LineRate(refusalLines, now),
    };
    this.#softPasses = new LineRate(refusalLines, now);
    this.#logger = pino(
      {
        level,
        base: worker === null ? null : { worker },
        messageKey: 'message',
        timestamp: createTimestamp(now),
        formatters: { level: (label) => ({ level: label }) },
      },
      sink,
    );
  }

  handshake(event: HandshakeEvent): void {
    if (event.result === 'accepted' || !this.#logger.isLevelEnabled('warn')) return;
    const { reason } = event;
    if (!isRefusal(reason)) {
      this.#logger.warn(handshakeFields(event));
      return;
    }
    const omitted = this.#refusals[reason].pass();
    if (omitted !== null) this.#logger.warn(handshakeFields(event, omitted));
  }

  /** On https, the failed handshake has its line. */
  connectionRefused({ listener, reason, detail, remoteAddress }: ConnectionRefusedEvent): void {
    if (listener === 'https') return;
    const omitted = this.#refusals[reason].pass();
    if (omitted === null) return;
    this.program('warn', 'connection refused', {
      listener,
      reason,
      detail,
      remote_address: shorten(remoteAddress, 64),
      omitted,
    });
  }

  request(event: RequestEvent): void {
    this.#staleCrl(event);
    const level = levelOf(event);
    if (!this.requests || event.decision.route?.accessLog === false) return;
    if (!this.#logger.isLevelEnabled(level)) return;
    this.#loggerOf(event.connection)[level](requestFields(event));
  }

  /** A client that was let in though nothing is known of its certificate. Of others the failed handshake has its line. */
  ocsp({ host, result, passed, remoteAddress, identity, detail }: OcspEvent): void {
    if (!passed || result === 'good') return;
    const omitted = this.#softPasses.pass();
    if (omitted === null) return;
    this.program('warn', 'certificate let in without an OCSP answer', {
      host,
      result,
      detail: detail === null ? null : shorten(detail, 512),
      remote_address: shorten(remoteAddress, 64),
      fingerprint: identity?.sha256 ?? null,
      omitted,
    });
  }

  staple({ host, nextUpdate, detail }: StapleEvent): void {
    if (detail === null) return;
    const stapled = nextUpdate !== null;
    const fields = { host, stapled, detail: shorten(detail, 512) };
    this.program('warn', stapled ? 'the staple is not renewed' : 'no OCSP response is stapled', fields);
  }

  upstream(event: UpstreamEvent): void {
    const level = event.kind === 'ejected' || event.kind === 'unhealthy' ? 'warn' : 'info';
    this.#logger[level](upstreamFields(event));
  }

  reload(event: ReloadEvent): void {
    this.#logger[event.result === 'success' ? 'info' : 'error'](reloadFields(event));
  }

  /** Counted, not logged: the request or the failed handshake has its line. */
  connectionOpened(): void {}
  connectionClosed(): void {}
  connectionEnded(): void {}

  /** Something about the program itself: started, draining, stopped. */
  program(level: Level, message: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.#logger[level]({ kind: 'program', ...fields }, '%s', shorten(message, 2048));
  }

  /** Told also where requests have no lines: whoever chose to serve on has to hear that they do. */
  #staleCrl({ decision, connection }: RequestEvent): void {
    if (decision.action !== 'forward' || decision.staleCrl === undefined) return;
    const omitted = this.#staleCrls.pass();
    if (omitted === null) return;
    this.program('warn', 'let through under a CRL past its nextUpdate', {
      host: decision.host.id,
      detail: shorten(decision.staleCrl, 512),
      remote_address: shorten(connection.remoteAddress, 64),
      fingerprint: connection.identity?.sha256 ?? null,
      omitted,
    });
  }

  #loggerOf(connection: Connection): Logger {
    const known = this.#connections.get(connection);
    if (known !== undefined) return known;
    const logger = this.#logger.child(connectionFields(connection));
    this.#connections.set(connection, logger);
    return logger;
  }
}

function isRefusal(reason: HandshakeReason): reason is ConnectionRefusal {
  return (connectionRefusals as readonly HandshakeReason[]).includes(reason);
}

function levelOf({ status, decision, reason }: RequestEvent): 'info' | 'warn' | 'error' {
  if (status >= 500) return 'error';
  if (reason === 'upstream_truncated') return 'error';
  if (reason === 'redirect_https' || reason === 'cors_preflight') return 'info';
  if (decision.wouldDeny !== undefined) return 'warn';
  return decision.action === 'respond' ? 'warn' : 'info';
}

/** pino's part of a line for the time. The date is printed once a second: with it, a line costs 0.7 µs more. */
function createTimestamp(now: () => number): () => string {
  let second = NaN;
  let date = '';
  return () => {
    const time = now();
    const current = Math.floor(time / 1000);
    if (current !== second) {
      second = current;
      date = new Date(current * 1000).toISOString().slice(0, -4);
    }
    return `,"time":"${date}${String(Math.floor(time) - current * 1000).padStart(3, '0')}Z"`;
  };
}

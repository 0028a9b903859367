import { defaults } from '../../config/defaults.ts';
import type { UpstreamConfig } from '../../config/schema.ts';
import type { Endpoint, Upstream, UpstreamTls } from '../snapshot.ts';
import { compileKeyTemplate } from '../key-template.ts';
import { type CompileContext, digest } from './context.ts';
import { duration } from './duration.ts';

/** A named group of endpoints. */
export function compileUpstream(
  context: CompileContext,
  name: string,
  config: UpstreamConfig,
  path: string,
): Upstream {
  const upstream = {
    name,
    endpoints: Object.freeze(config.endpoints.map((text) => endpoint(text))),
    balance: typeof config.balance === 'string' ? config.balance : defaults.balance,
    hash: compileHash(context, config.balance, `${path}/balance`),
    tls: config.tls === undefined ? null : compileUpstreamTls(context, config.tls, `${path}/tls`),
    health:
      config.health === undefined
        ? null
        : Object.freeze({
            path: config.health.path,
            host: config.health.host ?? null,
            intervalMs: duration(config.health.interval, defaults.health.intervalMs),
            timeoutMs: duration(config.health.timeout, defaults.health.timeoutMs),
            healthyAfter: config.health.healthyAfter ?? defaults.health.healthyAfter,
            unhealthyAfter: config.health.unhealthyAfter ?? defaults.health.unhealthyAfter,
          }),
    ejection: Object.freeze({
      failures: config.ejection?.failures ?? defaults.ejection.failures,
      durationMs: duration(config.ejection?.duration, defaults.ejection.durationMs),
      maxDurationMs: duration(config.ejection?.maxDuration, defaults.ejection.maxDurationMs),
    }),
    tries: config.tries ?? defaults.tries,
    keepAlive: Object.freeze({
      connections: config.keepAlive?.connections ?? defaults.upstreamKeepAlive.connections,
      timeoutMs: duration(config.keepAlive?.timeout, defaults.upstreamKeepAlive.timeoutMs),
    }),
  } as const;
  return Object.freeze({ ...upstream, key: digest(JSON.stringify(upstream)) });
}

function compileHash(
  context: CompileContext,
  balance: UpstreamConfig['balance'],
  path: string,
): Upstream['hash'] {
  if (typeof balance !== 'object') return null;
  const template = compileKeyTemplate(balance.hash);
  if (!('problem' in template)) return Object.freeze({ template, subset: balance.subset ?? 1 });
  context.problem(`${path}/hash`, template.problem);
  return null;
}

function compileUpstreamTls(
  context: CompileContext,
  config: NonNullable<UpstreamConfig['tls']>,
  path: string,
): UpstreamTls {
  if ((config.cert === undefined) !== (config.key === undefined)) {
    context.problem(path, 'a client certificate needs both cert and key');
  }
  const file = (name: 'ca' | 'cert' | 'key'): string | null =>
    config[name] === undefined ? null : context.file(config[name], `${path}/${name}`);
  return Object.freeze({
    verify: config.dangerouslySkipVerification !== true,
    ca: file('ca'),
    serverName: config.serverName ?? null,
    sendServerName: config.sendServerName ?? true,
    minVersion: config.minVersion ?? 'TLSv1.2',
    maxVersion: config.maxVersion ?? 'TLSv1.3',
    ciphers: config.ciphers === undefined ? null : Object.freeze([...config.ciphers]),
    cert: file('cert'),
    key: file('key'),
  });
}

function endpoint(text: string): Endpoint {
  const colon = text.lastIndexOf(':');
  const bracketed = text.slice(0, colon);
  const address = bracketed.startsWith('[') ? bracketed.slice(1, -1) : bracketed;
  return Object.freeze({ address, port: Number(text.slice(colon + 1)), name: text });
}

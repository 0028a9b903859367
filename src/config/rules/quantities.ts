import { error, type Finding, given, pointer, warning } from '../problem.ts';
import { defaults } from '../defaults.ts';
import type { Config } from '../schema.ts';
import { parseDuration, parseSize } from '../units.ts';

/** A head has to fit into memory many times over. */
const headSize = { min: 1024, max: 1024 ** 2 };

/**
 * Lengths of time and sizes can be counted, and bound something: a timer of 0 means "never" to Node, and a head of
 * unlimited size is a way to fill memory.
 */
export function checkQuantities(config: Config): Finding[] {
  const { limits = {}, shutdown = {} } = config;
  return [
    ...timers('/listeners/https/proxyProtocol', { timeout: config.listeners.https.proxyProtocol?.timeout }),
    ...timers('/listeners/http/proxyProtocol', { timeout: config.listeners.http?.proxyProtocol?.timeout }),
    ...timers('/limits', {
      handshakeTimeout: limits.handshakeTimeout,
      headTimeout: limits.headTimeout,
      bodyTimeout: limits.bodyTimeout,
      keepAliveTimeout: limits.keepAliveTimeout,
    }),
    ...(limits.headSize === undefined ? [] : headSizeFindings(limits.headSize)),
    ...timers('/shutdown', { delay: shutdown.delay, grace: shutdown.grace }, 0),
    ...config.hosts.flatMap((host, index) =>
      host.routes.flatMap((route, number) => {
        const path = pointer('hosts', index, 'routes', number);
        return [
          ...timers(`${path}/timeouts`, { ...route.timeouts }),
          ...cacheFindings(route, `${path}/access/external/cache`),
          ...timers(`${path}/cors`, { maxAge: route.cors?.maxAge }, 0),
          ...(route.bodyLimit === undefined
            ? []
            : measured(`${path}/bodyLimit`, () => parseSize(route.bodyLimit!))),
        ];
      }),
    ),
    ...Object.entries(config.upstreams).flatMap(upstreamFindings),
  ];
}

function cacheFindings({ access }: Route, path: string): Finding[] {
  const { duration, durations = {} } = access?.external?.cache ?? {};
  return [...timers(path, { duration }, 0), ...timers(`${path}/durations`, durations, 0)];
}

function upstreamFindings([name, { health, ejection, keepAlive }]: [string, Upstream]): Finding[] {
  const path = pointer('upstreams', name);
  return [
    ...timers(`${path}/health`, { interval: health?.interval, timeout: health?.timeout }),
    ...timers(`${path}/ejection`, { duration: ejection?.duration, maxDuration: ejection?.maxDuration }),
    ...timers(`${path}/keepAlive`, { timeout: keepAlive?.timeout }),
    ...(health === undefined ? [] : slowHealth(health, `${path}/health`)),
    ...(ejection === undefined ? [] : shortEjection(ejection, `${path}/ejection`)),
  ];
}

function timers(path: string, texts: Readonly<Record<string, string | undefined>>, min = 1): Finding[] {
  return Object.entries(texts).flatMap(([name, text]) => {
    if (text === undefined) return [];
    return measured(`${path}/${name}`, () => {
      if (parseDuration(text) < min)
        throw new RangeError('must be longer than 0: without a limit anyone can wait forever');
    });
  });
}

function headSizeFindings(text: string): Finding[] {
  return measured('/limits/headSize', () => {
    const size = parseSize(text);
    if (size < headSize.min || size > headSize.max) throw new RangeError('must be 1k to 1m');
  });
}

/** Turns the RangeError of a unit that cannot be read into a finding. */
function measured(path: string, measure: () => unknown): Finding[] {
  try {
    measure();
    return [];
  } catch (fault) {
    if (!(fault instanceof RangeError)) throw fault;
    return [error(path, fault.message)];
  }
}

type Upstream = Config['upstreams'][string];
type Route = Config['hosts'][number]['routes'][number];

function slowHealth(health: NonNullable<Upstream['health']>, path: string): Finding[] {
  const interval = length(health.interval, defaults.health.intervalMs);
  const timeout = length(health.timeout, defaults.health.timeoutMs);
  if (interval === null || timeout === null || timeout <= interval) return [];
  return [
    given(
      warning(
        `${path}/${health.timeout === undefined ? 'interval' : 'timeout'}`,
        'checks overlap: the timeout is longer than the interval',
      ),
      `${path}/interval`,
    ),
  ];
}

function shortEjection(ejection: NonNullable<Upstream['ejection']>, path: string): Finding[] {
  const first = length(ejection.duration, defaults.ejection.durationMs);
  const longest = length(ejection.maxDuration, defaults.ejection.maxDurationMs);
  if (first === null || longest === null || first <= longest) return [];
  return [
    given(
      error(
        `${path}/${ejection.maxDuration === undefined ? 'duration' : 'maxDuration'}`,
        'duration must not be longer than maxDuration',
      ),
      `${path}/duration`,
    ),
  ];
}

/** Null where the text cannot be read or is zero, which has been told. */
function length(text: string | undefined, otherwise: number): number | null {
  if (text === undefined) return otherwise;
  try {
    return parseDuration(text) || null;
  } catch {
    return null;
  }
}

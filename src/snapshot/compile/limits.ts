import { defaults } from '../../config/defaults.ts';
import type { Config } from '../../config/schema.ts';
import { parseSize } from '../../config/units.ts';
import type { Limits } from '../snapshot.ts';
import { duration } from './duration.ts';

/** What one program takes on at most. */
export function compileLimits(config: Config): Limits {
  const given = config.limits ?? {};
  return Object.freeze({
    handshakeTimeoutMs: duration(given.handshakeTimeout, defaults.limits.handshakeTimeoutMs),
    handshakes: given.handshakes ?? defaults.limits.handshakes,
    handshakesPerAddress: given.handshakesPerAddress ?? defaults.limits.handshakesPerAddress,
    connections: given.connections ?? defaults.limits.connections,
    connectionsPerAddress: given.connectionsPerAddress ?? defaults.limits.connectionsPerAddress,
    headSize: given.headSize === undefined ? defaults.limits.headSize : parseSize(given.headSize),
    headerCount: given.headerCount ?? defaults.limits.headerCount,
    headTimeoutMs: duration(given.headTimeout, defaults.limits.headTimeoutMs),
    bodyTimeoutMs: duration(given.bodyTimeout, defaults.limits.bodyTimeoutMs),
    keepAliveTimeoutMs: duration(given.keepAliveTimeout, defaults.limits.keepAliveTimeoutMs),
    keepAliveRequests: given.keepAliveRequests ?? defaults.limits.keepAliveRequests,
  });
}

import { defaults } from '../../config/defaults.ts';
import type { CorsConfig } from '../../config/schema/cors.ts';
import type { Cors } from '../cors.ts';
import { duration } from './duration.ts';

/** A route's CORS policy; null: it has none, and CORS is left to the upstream. */
export function compileCors(config: CorsConfig | undefined): Cors | null {
  if (config === undefined) return null;
  const origins = (config.origins ?? defaults.cors.origins).map((origin) => origin.toLowerCase());
  const { exposeHeaders = [] } = config;
  return Object.freeze({
    anyOrigin: origins.includes('*'),
    origins: new Set(origins.filter((origin) => !origin.includes('*'))),
    wildcards: Object.freeze(origins.flatMap(readWildcard)),
    methods: (config.methods ?? defaults.cors.methods).join(', '),
    headers: (config.headers ?? defaults.cors.headers).join(','),
    exposeHeaders: exposeHeaders.length === 0 ? null : exposeHeaders.join(','),
    credentials: config.credentials ?? defaults.cors.credentials,
    maxAgeSeconds: Math.floor(duration(config.maxAge, defaults.cors.maxAgeMs) / 1000),
  });
}

function readWildcard(origin: string): Cors['wildcards'] {
  const mark = origin.indexOf('://*.');
  if (mark === -1) return [];
  return [Object.freeze({ scheme: origin.slice(0, mark + 3), suffix: origin.slice(mark + 4) })];
}

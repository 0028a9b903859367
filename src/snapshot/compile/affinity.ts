import { defaults } from '../../config/defaults.ts';
import type { RouteConfig } from '../../config/schema.ts';
import type { Affinity } from '../affinity.ts';

/** Null where a route has none. */
export function compileAffinity({ affinity, path, pathType }: RouteConfig): Affinity | null {
  if (affinity === undefined) return null;
  return Object.freeze({
    cookie: affinity.cookie ?? defaults.affinity.cookie,
    mode: affinity.mode ?? defaults.affinity.mode,
    canary: affinity.canary ?? defaults.affinity.canary,
    // A browser compares prefixes: a regular expression would never match.
    path: affinity.path ?? (pathType === 'Regex' ? '/' : path),
    domain: affinity.domain ?? null,
    sameSite: affinity.sameSite ?? null,
    conditionalSameSiteNone: affinity.conditionalSameSiteNone ?? false,
    partitioned: affinity.partitioned ?? false,
    secure: affinity.secure ?? null,
    maxAge: affinity.maxAge ?? null,
    expires: affinity.expires ?? null,
    changeOnFailure: affinity.changeOnFailure ?? false,
  });
}

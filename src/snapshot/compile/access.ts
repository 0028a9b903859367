import { defaults } from '../../config/defaults.ts';
import { readHtpasswd } from '../../config/htpasswd.ts';
import type { RouteConfig } from '../../config/schema.ts';
import { AddressRanges, parseCidr } from '../../tls/cidr.ts';
import type { Access, BasicAuth, RateLimit } from '../access.ts';
import type { Upstream } from '../snapshot.ts';
import type { CompileContext } from './context.ts';
import { compileExternalAuth } from './external-auth.ts';

/** Who may use a route; null: everyone that certificates and policies let in. */
export function compileAccess(
  context: CompileContext,
  config: RouteConfig['access'],
  upstreams: ReadonlyMap<string, Upstream>,
  path: string,
): Access | null {
  if (config === undefined) return null;
  const { allow, deny, basicAuth } = config;
  const addresses =
    allow === undefined && deny === undefined
      ? null
      : Object.freeze({
          allow: allow === undefined ? null : compileRanges(context, allow, `${path}/allow`),
          deny: deny === undefined ? null : compileRanges(context, deny, `${path}/deny`),
        });
  return Object.freeze({
    satisfy: config.satisfy ?? 'all',
    addresses,
    basicAuth: basicAuth === undefined ? null : compileBasicAuth(context, basicAuth, `${path}/basicAuth`),
    external:
      config.external === undefined
        ? null
        : compileExternalAuth(context, config.external, upstreams, `${path}/external`),
  });
}

/** A list of ranges; what is none is a problem. */
export function compileRanges(
  context: CompileContext,
  texts: readonly string[],
  path: string,
): AddressRanges {
  const ranges = texts.flatMap((text, index) => {
    const range = parseCidr(text);
    if (range === null) context.problem(`${path}/${index}`, `${text} is no address and no range of them`);
    return range ?? [];
  });
  return new AddressRanges(ranges);
}

/** How much one client may ask for; null: as much as it likes. */
export function compileRateLimit(
  context: CompileContext,
  config: RouteConfig['rateLimit'],
  path: string,
): RateLimit | null {
  if (config === undefined) return null;
  const burst = config.burst ?? defaults.rateLimit.burst;
  const rates = [
    ...(config.perSecond === undefined
      ? []
      : [{ perSecond: config.perSecond, burst: config.perSecond * burst }]),
    ...(config.perMinute === undefined
      ? []
      : [{ perSecond: config.perMinute / 60, burst: config.perMinute * burst }]),
  ];
  return Object.freeze({
    rates: Object.freeze(rates),
    connections: config.connections ?? Infinity,
    pace:
      config.bytesPerSecond === undefined
        ? null
        : Object.freeze({ bytesPerSecond: config.bytesPerSecond, after: config.bytesBefore ?? 0 }),
    exempt: config.exempt === undefined ? null : compileRanges(context, config.exempt, `${path}/exempt`),
    status: config.status ?? defaults.rateLimit.status,
    connectionsStatus: config.connectionsStatus ?? config.status ?? defaults.rateLimit.status,
  });
}

function compileBasicAuth(
  context: CompileContext,
  config: NonNullable<NonNullable<RouteConfig['access']>['basicAuth']>,
  path: string,
): BasicAuth {
  const users = new Map<string, string>();
  for (const file of [config.users].flat()) {
    const { entries, problems } = readHtpasswd(context.file(file, `${path}/users`));
    for (const problem of problems) context.problem(`${path}/users`, `${file}: ${problem}`);
    // As nginx: the first line of a name counts.
    for (const [name, hash] of entries) if (!users.has(name)) users.set(name, hash);
  }
  return Object.freeze({ realm: config.realm ?? '', users });
}

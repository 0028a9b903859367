import { defaults } from '../../config/defaults.ts';
import { pointer } from '../../config/problem.ts';
import type { HostConfig, RouteConfig } from '../../config/schema.ts';
import { parseSize } from '../../config/units.ts';
import { checkTemplates } from '../../proxy/headers/identity.ts';
import { normalisePath } from '../path.ts';
import type { IdentityHeaders, Route, Timeouts, Upstream } from '../snapshot.ts';
import type { CompileContext } from './context.ts';
import { duration } from './duration.ts';
import { compileHostPolicy } from './policy.ts';

/** A route of a host. */
export function compileRoute(
  context: CompileContext,
  config: RouteConfig,
  host: HostConfig,
  hostId: string,
  upstreams: ReadonlyMap<string, Upstream>,
  path: string,
): Route {
  const pathType = config.pathType ?? defaults.pathType;
  const normal = normalisePath(config.path);
  if (normal === null || normal.path !== config.path) {
    context.problem(`${path}/path`, `write the path as it is matched: ${normal?.path ?? 'it leads nowhere'}`);
  }
  if (!upstreams.has(config.upstream))
    context.problem(`${path}/upstream`, `there is no upstream ${config.upstream}`);
  return Object.freeze({
    id: `${hostId} ${pathType} ${config.path}`,
    hostId,
    path: config.path,
    pathType,
    policy: compileHostPolicy(context, config.policy, `${path}/policy`),
    upstream: config.upstream,
    identityHeaders: compileIdentityHeaders(
      context,
      { ...host.identityHeaders, ...config.identityHeaders },
      path,
    ),
    timeouts: timeouts(config.timeouts),
    bodyLimit: config.bodyLimit === undefined ? defaults.bodyLimit : parseSize(config.bodyLimit),
    upgrade: Object.freeze((config.upgrade ?? defaults.upgrade).map((token) => token.toLowerCase())),
  });
}

function compileIdentityHeaders(
  context: CompileContext,
  config: NonNullable<RouteConfig['identityHeaders']>,
  path: string,
): IdentityHeaders {
  const templates = new Map(Object.entries(config.templates ?? {}));
  for (const { name, problem } of checkTemplates(templates)) {
    context.problem(path + pointer('identityHeaders', 'templates', name), problem);
  }
  return Object.freeze({
    dialects: Object.freeze([...(config.dialects ?? defaults.dialects)]),
    certificate: config.certificate ?? false,
    templates,
  });
}

function timeouts(config: RouteConfig['timeouts']): Timeouts {
  return Object.freeze({
    connectMs: duration(config?.connect, defaults.timeouts.connectMs),
    sendMs: duration(config?.send, defaults.timeouts.sendMs),
    readMs: duration(config?.read, defaults.timeouts.readMs),
  });
}

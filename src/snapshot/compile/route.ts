import { defaults } from '../../config/defaults.ts';
import { pointer } from '../../config/problem.ts';
import type { HostConfig, RouteConfig } from '../../config/schema.ts';
import { parseSize } from '../../config/units.ts';
import { checkTemplates } from '../../proxy/headers/identity.ts';
import { compilePathPattern, type PathPattern } from '../path-pattern.ts';
import { normalisePath } from '../path.ts';
import { reportsOfRoute } from '../report.ts';
import type {
  ClientAuth,
  IdentityHeaders,
  Mirror,
  Route,
  RouteAnswer,
  Timeouts,
  Upstream,
} from '../snapshot.ts';
import { compileRouteClientAuth } from './client-auth.ts';
import { compileAccess, compileRateLimit } from './access.ts';
import { compileAffinity } from './affinity.ts';
import { compileCanaries } from './canary.ts';
import type { CompileContext } from './context.ts';
import { compileCors } from './cors.ts';
import { duration } from './duration.ts';
import { compileRequestHeaders } from './request-headers.ts';
import { compileResponseEdits } from './response-edits.ts';
import { compileTargetOf } from './target.ts';
import { compileErrorPages } from './error-pages.ts';
import { compileHostPolicy } from './policy.ts';
import { compileRetry } from './retry.ts';

/** A route of a host. */
export function compileRoute(
  context: CompileContext,
  config: RouteConfig,
  host: { readonly config: HostConfig; readonly id: string; readonly clientAuth: ClientAuth },
  upstreams: ReadonlyMap<string, Upstream>,
  path: string,
): Route {
  const pathType = config.pathType ?? defaults.pathType;
  const pattern = compilePath(context, config.path, pathType, `${path}/path`);
  const answer = compileAnswer(context, config, path);
  if (answer === null && !context.hasUpstream(upstreams, config.upstream ?? '')) {
    context.problem(`${path}/upstream`, `there is no upstream ${config.upstream ?? ''}`);
  }
  const route: Omit<Route, 'express'> = {
    id: `${host.id} ${pathType} ${config.path}`,
    hostId: host.id,
    path: config.path,
    pathType,
    pattern,
    answer,
    rewrite:
      config.rewrite === undefined ? null : compileTargetOf(context, config.rewrite, `${path}/rewrite`),
    upstreamHost: config.upstreamHost ?? null,
    plainHttp: config.plainHttp ?? defaults.plainHttp,
    httpsRedirect: Object.freeze({ ...defaults.httpsRedirect, ...config.httpsRedirect }),
    clientAuth: compileRouteClientAuth(
      context,
      config.clientAuth,
      { config: host.config.clientAuth, compiled: host.clientAuth },
      `${path}/clientAuth`,
    ),
    policy: compileHostPolicy(context, config.policy, `${path}/policy`),
    reports: Object.freeze(reportsOfRoute(host.config, config)),
    access: compileAccess(context, config.access, upstreams, `${path}/access`),
    rateLimit: compileRateLimit(context, config.rateLimit, `${path}/rateLimit`),
    cors: compileCors(config.cors),
    errorPages: compileErrorPages(context, config.errorPages, upstreams, `${path}/errorPages`),
    response: compileResponseEdits(context, config.response, `${path}/response`),
    requestHeaders: compileRequestHeaders(context, config.request, `${path}/request/set`),
    accessLog: config.accessLog ?? true,
    ingress: config.ingress === undefined ? null : Object.freeze({ ...config.ingress }),
    upstream: config.upstream ?? '',
    canaries: compileCanaries(context, config.canary, upstreams, `${path}/canary`),
    affinity: compileAffinity(config),
    retry: compileRetry(config.retry),
    bufferRequest: config.bufferRequest ?? false,
    responseHeadLimit:
      config.responseHeadLimit === undefined ? Infinity : parseSize(config.responseHeadLimit),
    closesConnections: config.connectionHeader === 'close',
    mirror: compileMirror(context, config.mirror, upstreams, `${path}/mirror`),
    identityHeaders: compileIdentityHeaders(
      context,
      { ...host.config.identityHeaders, ...config.identityHeaders },
      path,
    ),
    timeouts: timeouts(config.timeouts),
    bodyLimit: config.bodyLimit === undefined ? defaults.bodyLimit : parseSize(config.bodyLimit),
    upgrade: Object.freeze((config.upgrade ?? defaults.upgrade).map((token) => token.toLowerCase())),
  };
  checkSetHeaders(context, route, path);
  return Object.freeze({ ...route, express: isExpress(route) });
}

/** What a template of the route says of the client is nobody else's to say, to no one (rule 4). */
function checkSetHeaders(
  context: CompileContext,
  { identityHeaders, requestHeaders, access }: Omit<Route, 'express'>,
  path: string,
): void {
  for (const name of identityHeaders.templates.keys()) {
    const lower = name.toLowerCase();
    const told = `${name} is set by the proxy itself, out of the client certificate`;
    if (requestHeaders.has(lower)) context.problem(`${path}/request/set`, told);
    if (access?.external?.headers.has(lower) === true)
      context.problem(`${path}/access/external/headers`, told);
  }
}

/**
 * The express lane knows a request by its head and passes bodies by. What waits for an answer elsewhere, reads bodies,
 * chooses among upstreams by the client's cookies, or counts what it did before, is the full lane's.
 */
function isExpress(route: Omit<Route, 'express'>): boolean {
  const { access, rateLimit, errorPages, canaries, affinity, mirror, bufferRequest } = route;
  const asks = access !== null && (access.basicAuth !== null || access.external !== null);
  const plain = rateLimit === null && errorPages === null && affinity === null && mirror === null;
  return plain && !asks && canaries.length === 0 && !bufferRequest;
}

function compilePath(
  context: CompileContext,
  path: string,
  pathType: Route['pathType'],
  place: string,
): PathPattern | null {
  if (pathType !== 'Regex') {
    const normal = normalisePath(path);
    if (normal === null || normal.path !== path) {
      context.problem(place, `write the path as it is matched: ${normal?.path ?? 'it leads nowhere'}`);
    }
    return null;
  }
  const pattern = compilePathPattern(path);
  if (!('problem' in pattern)) return pattern;
  context.problem(place, pattern.problem);
  return null;
}

function compileAnswer(context: CompileContext, config: RouteConfig, path: string): RouteAnswer | null {
  const { redirect, respond } = config;
  const given = [config.upstream, redirect, respond].filter((one) => one !== undefined);
  if (given.length !== 1) context.problem(path, 'a route has exactly one of upstream, redirect and respond');
  if (redirect !== undefined) {
    const to = compileTargetOf(context, redirect.to, `${path}/redirect/to`);
    if (to === null) return null;
    return Object.freeze({
      kind: 'redirect',
      status: redirect.status ?? defaults.redirectStatus,
      to,
      stripTrailingSlash: redirect.stripTrailingSlash ?? false,
    });
  }
  if (respond === undefined) return null;
  return Object.freeze({
    kind: 'respond',
    status: respond.status,
    contentType: respond.contentType ?? 'text/plain; charset=utf-8',
    body: respond.body ?? null,
  });
}

function compileMirror(
  context: CompileContext,
  config: RouteConfig['mirror'],
  upstreams: ReadonlyMap<string, Upstream>,
  path: string,
): Mirror | null {
  if (config === undefined) return null;
  const { upstream, host = null, body = true } = config;
  if (!upstreams.has(upstream)) context.problem(`${path}/upstream`, `there is no upstream ${upstream}`);
  return Object.freeze({ upstream, host, body });
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

import type { RouteConfig } from '../../config/schema.ts';
import { isReservedHeader } from '../../proxy/headers/request.ts';
import type { ExternalAuth } from '../access.ts';
import type { Upstream } from '../snapshot.ts';
import { compileTarget } from '../target-template.ts';
import { compileKeyTemplate } from '../key-template.ts';
import { defaults } from '../../config/defaults.ts';
import type { CompileContext } from './context.ts';
import { duration } from './duration.ts';
import { compileTargetOf } from './target.ts';

type Config = NonNullable<NonNullable<RouteConfig['access']>['external']>;

/** Stands for a template that did not compile; the snapshot that holds it is never handed out. */
const nowhere = Object.freeze({ text: '/', render: () => '/' });

/** A service that is asked about each request. */
export function compileExternalAuth(
  context: CompileContext,
  config: Config,
  upstreams: ReadonlyMap<string, Upstream>,
  path: string,
): ExternalAuth {
  if (!context.hasUpstream(upstreams, config.upstream)) {
    context.problem(`${path}/upstream`, `there is no upstream ${config.upstream}`);
  }
  const responseHeaders = config.responseHeaders ?? [];
  for (const [index, name] of responseHeaders.entries()) {
    // What says who the client is comes from its certificate alone (rule 4).
    if (isReservedHeader(name.toLowerCase())) {
      context.problem(`${path}/responseHeaders/${index}`, `${name} is set by the proxy itself`);
    }
  }
  const redirect = compileTarget(config.redirect ?? '{uri}');
  if ('problem' in redirect) context.problem(`${path}/redirect`, redirect.problem);
  return Object.freeze({
    upstream: config.upstream,
    target: compileTargetOf(context, config.target, `${path}/target`) ?? nowhere,
    host: config.host ?? null,
    method: config.method ?? 'GET',
    responseHeaders: Object.freeze([...responseHeaders]),
    signin: config.signin === undefined ? null : compileTargetOf(context, config.signin, `${path}/signin`),
    signinParameter: config.signinParameter ?? 'rd',
    redirect: 'problem' in redirect ? nowhere : redirect,
    alwaysSetCookie: config.alwaysSetCookie ?? false,
    cache: compileCache(context, config.cache, `${path}/cache`),
  });
}

function compileCache(context: CompileContext, config: Config['cache'], path: string): ExternalAuth['cache'] {
  if (config === undefined) return null;
  const key = compileKeyTemplate(config.key);
  if ('problem' in key) {
    context.problem(`${path}/key`, key.problem);
    return null;
  }
  return Object.freeze({
    key,
    statuses: new Set(config.statuses ?? defaults.authCache.statuses),
    durationMs: duration(config.duration, defaults.authCache.durationMs),
  });
}

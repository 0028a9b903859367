import type { RouteConfig } from '../../config/schema.ts';
import { pointer } from '../../config/problem.ts';
import { isReservedHeader, isReservedInQuestion } from '../../proxy/headers/request.ts';
import type { ExternalAuth } from '../access.ts';
import type { Upstream } from '../snapshot.ts';
import { compileTarget, type TargetTemplate } from '../target-template.ts';
import { compileKeyTemplate } from '../key-template.ts';
import { defaults } from '../../config/defaults.ts';
import type { CompileContext } from './context.ts';
import { duration } from './duration.ts';
import { parseDuration } from '../../config/units.ts';
import { compileTargetOf } from './target.ts';

type Config = NonNullable<NonNullable<RouteConfig['access']>['external']>;

/** Stands for a template that did not compile; the snapshot that holds it is never handed out. */
const nowhere = Object.freeze({ text: '/', render: () => '/' });

/** Takes a header off the question. */
const nothing = Object.freeze({ text: '', render: () => '' });

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
    headers: compileHeaders(context, config.headers ?? {}, `${path}/headers`),
    responseHeaders: Object.freeze([...responseHeaders]),
    signin: config.signin === undefined ? null : compileTargetOf(context, config.signin, `${path}/signin`),
    signinParameter: config.signinParameter ?? 'rd',
    redirect: 'problem' in redirect ? nowhere : redirect,
    alwaysSetCookie: config.alwaysSetCookie ?? false,
    cache: compileCache(context, config.cache, `${path}/cache`),
  });
}

function compileHeaders(
  context: CompileContext,
  config: NonNullable<Config['headers']>,
  path: string,
): ExternalAuth['headers'] {
  const headers = new Map<string, readonly [string, TargetTemplate]>();
  for (const [name, text] of Object.entries(config)) {
    const lower = name.toLowerCase();
    const place = path + pointer(name);
    if (isReservedInQuestion(lower)) context.problem(place, `${name} is set by the proxy itself`);
    else if (headers.has(lower)) context.problem(place, `${name} is there already, in other letters`);
    const value = text === '' ? nothing : (compileTargetOf(context, text, place) ?? nowhere);
    headers.set(lower, [name, value]);
  }
  return headers;
}

function compileCache(context: CompileContext, config: Config['cache'], path: string): ExternalAuth['cache'] {
  if (config === undefined) return null;
  const key = compileKeyTemplate(config.key);
  if ('problem' in key) {
    context.problem(`${path}/key`, key.problem);
    return null;
  }
  const { durations = {} } = config;
  const isBySingle = config.durations !== undefined && (config.statuses ?? config.duration) === undefined;
  const together = isBySingle ? [] : (config.statuses ?? defaults.authCache.statuses);
  const one = duration(config.duration, defaults.authCache.durationMs);
  const all = new Map([
    ...together.map((status) => [status, one] as const),
    ...Object.entries(durations).map(([status, text]) => [Number(status), parseDuration(text)] as const),
  ]);
  return Object.freeze({ key, durations: new Map([...all].filter(([, length]) => length > 0)) });
}

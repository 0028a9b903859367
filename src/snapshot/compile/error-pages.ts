import type { RouteConfig } from '../../config/schema.ts';
import type { ErrorPages } from '../error-pages.ts';
import type { Upstream } from '../snapshot.ts';
import type { CompileContext } from './context.ts';

/** Whose answers stand in for errors; null: errors are answered as they come. */
export function compileErrorPages(
  context: CompileContext,
  config: RouteConfig['errorPages'],
  upstreams: ReadonlyMap<string, Upstream>,
  path: string,
): ErrorPages | null {
  if (config === undefined) return null;
  if (!context.hasUpstream(upstreams, config.upstream)) {
    context.problem(`${path}/upstream`, `there is no upstream ${config.upstream}`);
  }
  return Object.freeze({
    statuses: new Set(config.statuses),
    upstream: config.upstream,
    headers: Object.freeze(Object.entries(config.headers ?? {}).flat()),
  });
}

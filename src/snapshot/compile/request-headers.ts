import { pointer } from '../../config/problem.ts';
import type { RouteConfig } from '../../config/schema.ts';
import { isReservedHeader } from '../../proxy/headers/request.ts';
import type { Route } from '../snapshot.ts';
import type { CompileContext } from './context.ts';

/** Headers that a route sets on requests; identity, framing and forwarding headers are not its to set (rule 4). */
export function compileRequestHeaders(
  context: CompileContext,
  config: RouteConfig['request'],
  path: string,
): Route['requestHeaders'] {
  const headers = new Map<string, readonly [string, string]>();
  for (const [name, value] of Object.entries(config?.set ?? {})) {
    const lower = name.toLowerCase();
    if (isReservedHeader(lower)) context.problem(path + pointer(name), `${name} is set by the proxy itself`);
    headers.set(lower, [name, value]);
  }
  return headers;
}

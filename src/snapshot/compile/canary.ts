import { defaults } from '../../config/defaults.ts';
import type { RouteConfig } from '../../config/schema.ts';
import { maximumValueLength, readRegex } from '../../policy/regex.ts';
import { type Canary, type CanaryHeader, readWord } from '../canary.ts';
import type { Upstream } from '../snapshot.ts';
import type { CompileContext } from './context.ts';

type CanaryConfig = NonNullable<RouteConfig['canary']>[number];

/** The other upstreams of a route. */
export function compileCanaries(
  context: CompileContext,
  configs: RouteConfig['canary'],
  upstreams: ReadonlyMap<string, Upstream>,
  path: string,
): readonly Canary[] {
  const canaries = (configs ?? []).map((config, index) => {
    const place = `${path}/${index}`;
    if (!context.hasUpstream(upstreams, config.upstream)) {
      context.problem(`${place}/upstream`, `there is no upstream ${config.upstream}`);
    }
    const share = (config.weight ?? 0) / (config.weightTotal ?? defaults.canaryWeightTotal);
    const header = compileHeader(context, config, place);
    return Object.freeze({ upstream: config.upstream, header, cookie: config.cookie ?? null, share });
  });
  if (canaries.reduce((sum, { share }) => sum + share, 0) > 1 + 1e-9) {
    context.problem(path, 'the weights are more than all requests');
  }
  return Object.freeze(canaries);
}

/** ingress-nginx's order: an exact value, else a pattern, else `always` and `never`. */
function compileHeader(context: CompileContext, config: CanaryConfig, place: string): CanaryHeader | null {
  const { header, headerValue, headerPattern } = config;
  if (header === undefined) {
    if ((headerValue ?? headerPattern) !== undefined) context.problem(place, 'there is no header to look at');
    return null;
  }
  const name = header.toLowerCase();
  if (headerValue !== undefined) {
    return Object.freeze({
      name,
      judge: (value: string) => (value === headerValue ? ('always' as const) : null),
    });
  }
  if (headerPattern === undefined) return Object.freeze({ name, judge: readWord });
  const regex = readRegex(headerPattern, false);
  if ('problem' in regex) {
    context.problem(`${place}/headerPattern`, regex.problem);
    return null;
  }
  return Object.freeze({
    name,
    judge: (value: string) =>
      value.length <= maximumValueLength && regex.matcher(value).find() ? ('always' as const) : null,
  });
}

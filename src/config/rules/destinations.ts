import { readRegex } from '../../policy/regex.ts';
import { defaults } from '../defaults.ts';
import { error, type Finding, given, pointer, warning } from '../problem.ts';
import type { Config, RouteConfig } from '../schema.ts';
import { didYouMean, quote } from '../text.ts';

/** Canaries lead somewhere and ask for what can be asked; a cookie that keeps clients can be kept itself. */
export function checkDestinations(config: Config): Finding[] {
  return config.hosts.flatMap((host, hostIndex) =>
    host.routes.flatMap((route, index) => {
      const place = pointer('hosts', hostIndex, 'routes', index);
      return [...canaryFindings(route, place), ...affinityFindings(route, place)];
    }),
  );
}

/** There is no such upstream. `path`: where its name stands. */
export function upstreamFindings(upstream: string, path: string, { upstreams }: Config): Finding[] {
  if (Object.hasOwn(upstreams, upstream)) return [];
  const meant = didYouMean(upstream, Object.keys(upstreams));
  const message = `there is no upstream ${quote(upstream)}${meant === '' ? ': add it to /upstreams' : meant}`;
  return [given(error(path, message), pointer('upstreams', upstream))];
}

function canaryFindings(route: RouteConfig, place: string): Finding[] {
  const { canary: canaries } = route;
  if (canaries === undefined) return [];
  const path = `${place}/canary`;
  if (route.upstream === undefined) return [error(path, 'a route that forwards nothing has no canary')];
  const shares = canaries.map(
    ({ weight = 0, weightTotal = defaults.canaryWeightTotal }) => weight / weightTotal,
  );
  const sum = shares.reduce((total, share) => total + share, 0);
  return [
    ...canaries.flatMap((canary, index) => headerFindings(canary, `${path}/${index}`)),
    ...(sum > 1 + 1e-9 ? [error(path, 'the weights are more than all requests')] : []),
  ];
}

function headerFindings(canary: NonNullable<RouteConfig['canary']>[number], place: string): Finding[] {
  const { header, headerValue, headerPattern, cookie, weight = 0 } = canary;
  if (header === undefined) {
    const key = headerValue === undefined ? 'headerPattern' : 'headerValue';
    if (canary[key] !== undefined)
      return [error(`${place}/${key}`, 'says not of which header: add `header`')];
    if (cookie !== undefined || weight > 0) return [];
    return [warning(place, 'no request goes there: add a header, a cookie or a weight')];
  }
  if (headerPattern === undefined) return [];
  const regex = readRegex(headerPattern, false);
  if ('problem' in regex) return [error(`${place}/headerPattern`, regex.problem)];
  return headerValue === undefined
    ? []
    : [warning(`${place}/headerPattern`, 'unused: `headerValue` goes before it')];
}

function affinityFindings({ affinity, upstream }: RouteConfig, place: string): Finding[] {
  if (affinity === undefined) return [];
  const path = `${place}/affinity`;
  if (upstream === undefined) return [error(path, 'a route that forwards nothing keeps no client')];
  const findings: Finding[] = [];
  if (affinity.path !== undefined && !/^[!-:<-~]+$/.test(affinity.path)) {
    findings.push(error(`${path}/path`, 'a path in a cookie has no spaces, `;` or characters beyond ASCII'));
  }
  if (affinity.sameSite === 'None' && affinity.secure === false) {
    findings.push(
      warning(`${path}/sameSite`, 'browsers drop a cookie with SameSite=None that is not secure'),
    );
  }
  if (affinity.partitioned === true && affinity.secure === false) {
    findings.push(
      warning(`${path}/partitioned`, 'browsers drop a cookie with Partitioned that is not secure'),
    );
  }
  return findings;
}

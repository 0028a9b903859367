import { checkTemplates } from '../../proxy/headers/identity.ts';
import { compilePathPattern } from '../../snapshot/path-pattern.ts';
import { normalisePath } from '../../snapshot/path.ts';
import { compileTarget } from '../../snapshot/target-template.ts';
import { defaults } from '../defaults.ts';
import { error, type Finding, given, pointer } from '../problem.ts';
import type { Config, HostConfig, RouteConfig } from '../schema.ts';
import { quote } from '../text.ts';
import { upstreamsOf } from '../route-upstreams.ts';
import { upstreamFindings } from './destinations.ts';

/** Routes lead somewhere, no two of a host cover the same, and what they send can be sent. */
export function checkRoutes(config: Config): Finding[] {
  return config.hosts.flatMap((host, hostIndex) => {
    const path = pointer('hosts', hostIndex);
    const taken = new Map<string, string>();
    return [
      ...templateFindings(host, path),
      ...host.routes.flatMap((route, index) => {
        const place = `${path}/routes/${index}`;
        return [
          ...pathFindings(route, place, taken),
          ...actionFindings(route, place, config),
          ...upgradeFindings(route, place),
          ...templateFindings(route, place),
        ];
      }),
    ];
  });
}

function pathFindings(route: RouteConfig, place: string, taken: Map<string, string>): Finding[] {
  const path = `${place}/path`;
  const type = route.pathType ?? defaults.pathType;
  if (type === 'Regex') {
    const pattern = compilePathPattern(route.path);
    if ('problem' in pattern) return [error(path, pattern.problem)];
    return coveredFindings(type, route.path, place, taken);
  }
  const normal = normalisePath(route.path);
  if (normal === null) {
    return [
      error(
        path,
        `${quote(route.path)} is no path that a request can have: no ?, #, spaces or %00, and no .. above /`,
      ),
    ];
  }
  if (normal.path !== route.path) {
    return [
      error(
        path,
        `no request has the path ${quote(route.path)} once it is normalised: write ${quote(normal.path)}`,
      ),
    ];
  }
  return coveredFindings(type, type === 'Prefix' ? route.path.replace(/\/$/, '') : route.path, place, taken);
}

/** No two routes of a host that match the same. */
function coveredFindings(type: string, key: string, place: string, taken: Map<string, string>): Finding[] {
  const path = `${place}/path`;
  const earlier = taken.get(`${type} ${key}`);
  if (earlier !== undefined) {
    return [
      given(
        error(
          path,
          `covers the same as ${earlier}, which is found first: keep one, or make one of them Exact`,
        ),
        earlier,
        earlier.replace(/path$/, 'pathType'),
        `${place}/pathType`,
      ),
    ];
  }
  taken.set(`${type} ${key}`, path);
  return [];
}

/** A route leads to an upstream, or it is answered here. */
function actionFindings(route: RouteConfig, place: string, config: Config): Finding[] {
  const actions = (['upstream', 'redirect', 'respond'] as const).filter((key) => route[key] !== undefined);
  if (actions.length === 0)
    return [error(place, 'says not what happens there: add upstream, redirect or respond')];
  if (actions.length > 1) {
    return [
      error(
        `${place}/${actions[1]}`,
        `a route does one thing, and this one has ${quote(actions[0])} already`,
      ),
    ];
  }
  if (actions[0] !== 'upstream' && (route.access?.basicAuth ?? route.access?.external) !== undefined) {
    return [
      error(`${place}/access`, `nobody is asked for a password where ${quote(actions[0])} answers at once`),
    ];
  }
  const targets = { [`${place}/rewrite`]: route.rewrite, [`${place}/redirect/to`]: route.redirect?.to };
  return [
    ...upstreamsOf(route).flatMap(({ name, path }) => upstreamFindings(name, place + path, config)),
    ...Object.entries(targets).flatMap(([path, text]) => {
      const template = text === undefined ? null : compileTarget(text);
      return template === null || !('problem' in template) ? [] : [error(path, template.problem)];
    }),
  ];
}

function upgradeFindings({ upgrade = [] }: RouteConfig, place: string): Finding[] {
  return upgrade.flatMap((token, index) => {
    const path = `${place}/upgrade/${index}`;
    // A tunnel of cleartext HTTP/2 would carry requests past every check (h2c smuggling).
    if (/^h2c?$/i.test(token))
      return [error(path, `${token} never passes: requests inside it would not be seen`)];
    if (/^[!#$%&'*+.^_`|~0-9A-Za-z/-]+$/.test(token)) return [];
    return [error(path, `${quote(token)} is no protocol name such as \`websocket\``)];
  });
}

function templateFindings({ identityHeaders }: HostConfig | RouteConfig, place: string): Finding[] {
  return checkTemplates(Object.entries(identityHeaders?.templates ?? {})).map(({ name, problem }) =>
    error(place + pointer('identityHeaders', 'templates', name), problem),
  );
}

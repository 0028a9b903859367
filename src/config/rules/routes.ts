import { checkTemplates } from '../../proxy/headers/identity.ts';
import { normalisePath } from '../../snapshot/path.ts';
import { defaults } from '../defaults.ts';
import { error, type Finding, given, pointer } from '../problem.ts';
import type { Config, HostConfig, RouteConfig } from '../schema.ts';
import { didYouMean, quote } from '../text.ts';

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
          ...upstreamFindings(route, place, config),
          ...upgradeFindings(route, place),
          ...templateFindings(route, place),
        ];
      }),
    ];
  });
}

function pathFindings(route: RouteConfig, place: string, taken: Map<string, string>): Finding[] {
  const path = `${place}/path`;
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
  const type = route.pathType ?? defaults.pathType;
  const key = type === 'Exact' ? route.path : route.path.replace(/\/$/, '');
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

function upstreamFindings(route: RouteConfig, place: string, { upstreams }: Config): Finding[] {
  if (Object.hasOwn(upstreams, route.upstream)) return [];
  const meant = didYouMean(route.upstream, Object.keys(upstreams));
  return [
    given(
      error(
        `${place}/upstream`,
        `there is no upstream ${quote(route.upstream)}${meant === '' ? ': add it to /upstreams' : meant}`,
      ),
      pointer('upstreams', route.upstream),
    ),
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

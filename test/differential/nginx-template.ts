import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Ingress } from '../../src/ingress/object.ts';
import { block, headersMore, main, type Files } from './hosts.ts';
import { bodyOf, isCanary, read, type Location } from './nginx-location.ts';
import { listenOptions, maps, serverLines } from './nginx-settings.ts';
import type { Surroundings } from './surroundings.ts';

/**
 * Writes nginx.conf as ingress-nginx's nginx.tmpl renders Ingresses, for what stock nginx can do: what is Lua there (the
 * redirect to https) stands here as directives with the same effect. It goes by the annotations' texts alone, so that it
 * shares nothing with our own translation. Returns the file's path.
 */
export function writeIngressConfig(
  dir: string,
  ingresses: readonly Ingress[],
  files: Files,
  around: Surroundings,
): string {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text, { mode: 0o600 });
  const hosts = new Map<string, Ingress[]>();
  for (const ingress of ingresses) {
    for (const { host } of ingress.rules) {
      const all = hosts.get(host ?? '_') ?? [];
      if (!all.includes(ingress)) all.push(ingress);
      hosts.set(host ?? '_', all);
    }
  }
  const options = listenOptions(around.settings);
  const listens = [
    `listen 127.0.0.1:${around.http}${options}`,
    `listen 127.0.0.1:${around.https} ssl${options}`,
  ];
  const http = [
    // The Lua redirect leaves a slash at the end of the target out, whatever stands before it.
    'map $request_uri $stripped_uri { ~^(?<before>.*)/$ $before; default $request_uri; }',
    'map $server_port $empty { default ""; }',
  ];
  const servers = [...hosts].map(([name, all]) => server(name, all, listens, around, dir, http));
  const rest = block('server', [
    ...listens.map((listen) => `${listen} default_server;`),
    'server_name _;',
    block('location /', ['return 404;']),
  ]);
  const file = join(dir, 'nginx.conf');
  const body = `${http.join('\n')}\n${servers.join('')}${rest}`;
  const load = body.includes('more_set_headers') ? `load_module ${headersMore};\n` : '';
  writeFileSync(file, load + main(dir, body, maps(around.settings)));
  return file;
}

function server(
  name: string,
  all: readonly Ingress[],
  listens: readonly string[],
  around: Surroundings,
  dir: string,
  http: string[],
): string {
  const aliases = all.flatMap((ingress) => read(ingress, 'server-alias')?.split(',') ?? []);
  const lines = [
    ...listens.map((listen) => `${listen};`),
    `server_name ${[serverName(name), ...aliases].join(' ')};`,
    ...serverLines(around.settings),
  ];
  // Per host: the first Ingress with a Secret wins.
  const guard = all.find((ingress) => read(ingress, 'auth-tls-secret') !== null) ?? null;
  if (guard !== null) {
    const secret = around.secrets[read(guard, 'auth-tls-secret')!]!;
    lines.push(`ssl_client_certificate ${dir}/${secret['ca.crt']};`);
    lines.push(`ssl_verify_client ${read(guard, 'auth-tls-verify-client') ?? 'on'};`);
    lines.push(`ssl_verify_depth ${read(guard, 'auth-tls-verify-depth') ?? '1'};`);
    const cn = read(guard, 'auth-tls-match-cn');
    if (cn !== null) {
      lines.push(`if ($ssl_client_s_dn !~ "${cn}") { return 403 "client certificate unauthorized"; }`);
    }
  }
  const enforcesRegex = all.some(
    (ingress) => read(ingress, 'use-regex') === 'true' || read(ingress, 'rewrite-target') !== null,
  );
  const hasTls = all.some(({ tls }) => tls.some(({ hosts }) => hosts.includes(name)));
  for (const location of locationsOf(name, all)) {
    const beside: string[] = [];
    const root = location.ingress === null ? null : read(location.ingress, 'app-root');
    const rule = `if ($uri = /) { return 302 $scheme://$http_host${root}; }`;
    if (root !== null && !lines.includes(rule)) lines.push(rule);
    lines.push(
      block(
        `location ${matchOf(location, enforcesRegex)}`,
        bodyOf(location, { first: all[0]!, guard, hasTls, name, around, dir, http, beside, all }),
      ),
      ...beside,
    );
  }
  const www = all.some((ingress) => read(ingress, 'from-to-www-redirect') === 'true')
    ? block('server', [
        ...listens.map((listen) => `${listen};`),
        `server_name ${name.startsWith('www.') ? name.slice(4) : `www.${name}`};`,
        // Its Lua cuts off a slash at the end.
        'set $to $request_uri;',
        'if ($request_uri ~ "^([^?]*)/$") { set $to $1; }',
        `return 308 $scheme://${name}$to;`,
      ])
    : '';
  return block('server', lines) + www;
}

/** buildServerName: a wildcard is one label. */
function serverName(name: string): string {
  return name.startsWith('*.') ? `~^(?<subdomain>[\\w-]+)\\.${name.slice(2).replaceAll('.', '\\.')}$` : name;
}

/** Sorted as the controller does, then with the second location that a Prefix needs (updateServerLocations). */
function locationsOf(name: string, all: readonly Ingress[]): Location[] {
  const given: Location[] = all
    .filter((ingress) => !isCanary(ingress))
    .flatMap((ingress) =>
      ingress.rules
        .filter(({ host }) => (host ?? '_') === name)
        .flatMap(({ paths }) =>
          paths.map(({ path, pathType, backend }) => ({
            ingress,
            path,
            written: path,
            pathType,
            service: backend!.service,
          })),
        ),
    );
  if (!given.some(({ path }) => path === '/'))
    given.push({ ingress: null, path: '/', written: '/', pathType: 'Prefix', service: '' });
  given.sort((a, b) => (a.path > b.path ? -1 : 1)).sort((a, b) => b.path.length - a.path.length);
  const exact = new Set(given.filter(({ pathType }) => pathType === 'Exact').map(({ path }) => path));
  return given.flatMap((location) => {
    if (location.path === '/' || location.pathType !== 'Prefix') return [location];
    const path = location.path.endsWith('/') ? location.path : `${location.path}/`;
    const below = { ...location, path };
    return exact.has(location.path) ? [below] : [below, { ...location, pathType: 'Exact' as const }];
  });
}

/** buildLocation. */
function matchOf({ path, pathType }: Location, enforcesRegex: boolean): string {
  if (enforcesRegex) return `~* "^${path}"`;
  return `${pathType === 'Exact' ? '= ' : ''}"${path}"`;
}

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Ingress, IngressPath } from '../../src/ingress/object.ts';
import { block, main, proxySettings, requestHeaders, type Files } from './hosts.ts';

/** Where requests go, and what a controller would know beside the Ingresses. */
export interface Surroundings {
  readonly endpoint: string;
  /** The port of each listener. */
  readonly http: number;
  readonly https: number;
  /** Files of Secrets, by the annotation's value and the key behind it. */
  readonly secrets: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

const prefix = 'nginx.ingress.kubernetes.io/';

/** An annotation's value by its name; null where it is absent. */
function read({ annotations }: Ingress, name: string): string | null {
  return annotations.get(prefix + name) ?? null;
}

interface Location {
  readonly ingress: Ingress | null;
  readonly path: string;
  readonly pathType: IngressPath['pathType'];
}

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
  const listens = [`listen 127.0.0.1:${around.http}`, `listen 127.0.0.1:${around.https} ssl`];
  const http = [
    // The Lua redirect leaves a slash at the end of the target out, whatever stands before it.
    'map $request_uri $stripped_uri { ~^(?<before>.*)/$ $before; default $request_uri; }',
  ];
  const servers = [...hosts].map(([name, all]) => server(name, all, listens, around, dir, http));
  const rest = block('server', [
    ...listens.map((listen) => `${listen.replace(/( ssl)?$/, ' default_server$1')};`),
    'server_name _;',
    block('location /', ['return 404;']),
  ]);
  const file = join(dir, 'nginx.conf');
  writeFileSync(file, main(dir, `${http.join('\n')}\n${servers.join('')}${rest}`));
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
    const root = location.ingress === null ? null : read(location.ingress, 'app-root');
    const rule = `if ($uri = /) { return 302 $scheme://$http_host${root}; }`;
    if (root !== null && !lines.includes(rule)) lines.push(rule);
    lines.push(
      block(
        `location ${matchOf(location, enforcesRegex)}`,
        bodyOf(location, { first: all[0]!, guard, hasTls, name, around, dir, http }),
      ),
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
  const given: Location[] = all.flatMap((ingress) =>
    ingress.rules
      .filter(({ host }) => (host ?? '_') === name)
      .flatMap(({ paths }) => paths.map(({ path, pathType }) => ({ ingress, path, pathType }))),
  );
  if (!given.some(({ path }) => path === '/')) given.push({ ingress: null, path: '/', pathType: 'Prefix' });
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

interface Host {
  /** The location of what no path serves has its annotations. */
  readonly first: Ingress;
  readonly guard: Ingress | null;
  readonly hasTls: boolean;
  readonly name: string;
  readonly around: Surroundings;
  readonly dir: string;
  readonly http: string[];
}

function bodyOf(
  { ingress, path }: Location,
  { first, guard, hasTls, around, dir, name, http }: Host,
): string[] {
  const hsts = `add_header Strict-Transport-Security $hsts_${hasTls ? 'on' : 'off'} always;`;
  const map = `map $scheme $hsts_${hasTls ? 'on' : 'off'} { default ""; ${hasTls ? 'https "max-age=31536000; includeSubDomains";' : ''} }`;
  if (!http.includes(map)) http.push(map);
  const of = (annotation: string): string | null => read(ingress ?? first, annotation);
  const lines: string[] = [];
  const moved = of('temporal-redirect') ?? of('permanent-redirect');
  const redirects =
    of('force-ssl-redirect') === 'true' || (hasTls && (of('ssl-redirect') ?? 'true') === 'true');
  if (redirects && moved === null) {
    const uri = of('preserve-trailing-slash') === 'true' ? '$request_uri' : '$stripped_uri';
    lines.push(`if ($scheme = http) { return 308 https://$host${uri}; }`);
  }
  if (ingress === null) return [...lines, hsts, 'return 404;'];
  const list = (annotation: string): string[] =>
    of(annotation)
      ?.split(',')
      .map((item) => item.trim()) ?? [];
  lines.push(...list('denylist-source-range').map((range) => `deny ${range};`));
  const allowed = [...list('whitelist-source-range'), ...list('allowlist-source-range')];
  if (allowed.length > 0) lines.push(...allowed.map((range) => `allow ${range};`), 'deny all;');
  if (of('satisfy') !== null) lines.push(`satisfy ${of('satisfy')};`);
  if (of('auth-type') === 'basic') {
    const users = around.secrets[`${ingress.namespace}/${of('auth-secret')}`]!;
    lines.push(`auth_basic "${of('auth-realm') ?? ''}";`, `auth_basic_user_file ${dir}/${users['auth']};`);
    lines.push('proxy_set_header Authorization "";');
  }
  const cors = of('enable-cors') === 'true' ? corsLines(of, hsts) : [];
  lines.push(...cors, hsts);
  lines.push(`client_max_body_size ${of('proxy-body-size') ?? '1m'};`);
  const passes = guard !== null && read(guard, 'auth-tls-pass-certificate-to-upstream') === 'true';
  const vhost = of('upstream-vhost');
  lines.push(
    ...requestHeaders(guard !== null, passes).map((line) =>
      vhost !== null && line.startsWith('proxy_set_header Host ')
        ? `proxy_set_header Host "${vhost}";`
        : line,
    ),
    ...proxySettings,
  );
  const { 'proxy-redirect-from': from, 'proxy-redirect-to': to } = Object.fromEntries(
    ['proxy-redirect-from', 'proxy-redirect-to'].map((key) => [key, of(key)]),
  );
  lines.push(from === null || from === undefined ? 'proxy_redirect off;' : `proxy_redirect ${from} ${to};`);
  if (of('proxy-cookie-path') !== null) lines.push(`proxy_cookie_path ${of('proxy-cookie-path')};`);
  if (of('proxy-cookie-domain') !== null) lines.push(`proxy_cookie_domain ${of('proxy-cookie-domain')};`);
  if (moved !== null) {
    const code =
      of('temporal-redirect') === null
        ? (of('permanent-redirect-code') ?? '301')
        : (of('temporal-redirect-code') ?? '302');
    return [...lines, `return ${code} ${moved};`];
  }
  const target = of('rewrite-target');
  if (target !== null && target !== path) {
    const forwarded = of('x-forwarded-prefix');
    if (forwarded !== null) lines.push(`proxy_set_header X-Forwarded-Prefix "${forwarded}";`);
    lines.push(`rewrite "(?i)${path}" ${target} break;`);
  }
  return [...lines, `proxy_pass http://${around.endpoint};`, `# ${name}`];
}

const corsMethods = 'GET, PUT, POST, DELETE, PATCH, OPTIONS';
const corsHeaders =
  'DNT,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,Cache-Control,Content-Type,Range,Authorization';

/** The template's CORS, with add_header in place of more_set_headers; in an `if` they replace those outside. */
function corsLines(of: (annotation: string) => string | null, hsts: string): string[] {
  const origins = (of('cors-allow-origin') ?? '*').split(',').map((origin) => origin.trim());
  const regex = origins
    .map((origin) => origin.replaceAll('.', String.raw`\.`).replace(/\*/g, '[A-Za-z0-9-]+'))
    .join('|');
  const open = origins.includes('*');
  const expose = of('cors-expose-headers');
  const common = [
    `add_header Access-Control-Allow-Origin ${open ? '*' : '$http_origin'} always;`,
    ...((of('cors-allow-credentials') ?? 'true') === 'true'
      ? ['add_header Access-Control-Allow-Credentials true always;']
      : []),
    ...(expose === null ? [] : [`add_header Access-Control-Expose-Headers "${expose}" always;`]),
    `add_header Access-Control-Allow-Methods "${of('cors-allow-methods') ?? corsMethods}" always;`,
    `add_header Access-Control-Allow-Headers "${of('cors-allow-headers') ?? corsHeaders}" always;`,
    `add_header Access-Control-Max-Age "${of('cors-max-age') ?? '1728000'}" always;`,
    hsts,
  ];
  return [
    'set $cors "";',
    open ? `set $cors 'true';` : `if ($http_origin ~* "^(${regex})$") { set $cors 'true'; }`,
    `if ($request_method = 'OPTIONS') { set $cors \${cors}options; }`,
    block('if ($cors = "true")', common),
    block('if ($cors = "trueoptions")', [...common, 'return 204;']),
  ];
}

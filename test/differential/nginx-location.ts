import type { Ingress, IngressPath } from '../../src/ingress/object.ts';
import { block, proxySettings, requestHeaders } from './hosts.ts';
import * as families from './nginx-families.ts';
import type { Surroundings } from './surroundings.ts';

const prefix = 'nginx.ingress.kubernetes.io/';

/** An annotation's value by its name; null where it is absent. */
export function read({ annotations }: Ingress, name: string): string | null {
  return annotations.get(prefix + name) ?? null;
}

/** One location of a server, before it is written. */
export interface Location {
  readonly ingress: Ingress | null;
  readonly path: string;
  /** The path as the Ingress has it. */
  readonly written: string;
  readonly pathType: IngressPath['pathType'];
  readonly service: string;
}

/** An Ingress that shares the requests of another. */
export const isCanary = (ingress: Ingress): boolean => read(ingress, 'canary') === 'true';

/** What a location needs to know of its server. */
export interface Host {
  /** The location of what no path serves has its annotations. */
  readonly first: Ingress;
  readonly guard: Ingress | null;
  readonly hasTls: boolean;
  readonly name: string;
  readonly around: Surroundings;
  readonly dir: string;
  readonly http: string[];
  /** What stands in the server beside the location. */
  readonly beside: string[];
  readonly all: readonly Ingress[];
}

/** The directives inside a location, in the order of the template. */
export function bodyOf(
  { ingress, path, written, service }: Location,
  { first, guard, hasTls, around, dir, name, http, beside, all }: Host,
): string[] {
  const { settings } = around;
  const told = hasTls && settings['hsts'] !== 'false';
  const hsts = `add_header Strict-Transport-Security $hsts_${told ? 'on' : 'off'} always;`;
  const promise = `max-age=${settings['hsts-max-age'] ?? '31536000'}${settings['hsts-include-subdomains'] === 'false' ? '' : '; includeSubDomains'}${settings['hsts-preload'] === 'true' ? '; preload' : ''}`;
  const map = `map $scheme $hsts_${told ? 'on' : 'off'} { default ""; ${told ? `https "${promise}";` : ''} }`;
  if (!http.includes(map)) http.push(map);
  const of = (annotation: string): string | null => read(ingress ?? first, annotation);
  const lines: string[] = [];
  const moved = of('temporal-redirect') ?? of('permanent-redirect');
  const redirects =
    of('force-ssl-redirect') === 'true' ||
    (hasTls && (of('ssl-redirect') ?? settings['ssl-redirect'] ?? 'true') === 'true');
  if (redirects && moved === null) {
    const uri = of('preserve-trailing-slash') === 'true' ? '$request_uri' : '$stripped_uri';
    lines.push(
      `if ($pass_access_scheme = http) { return ${settings['http-redirect-code'] ?? '308'} https://$redirect_host${uri}; }`,
    );
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
  lines.push(`client_max_body_size ${of('proxy-body-size') ?? settings['proxy-body-size'] ?? '1m'};`);
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
  const text = { http, server: beside, lines };
  const facts = (one: Ingress, to: string): families.LocationFacts => ({
    of: (annotation) => read(one, annotation),
    id: http.length + beside.length,
    namespace: one.namespace,
    name: one.name,
    service: to,
    path: written,
    isGuarded: guard !== null,
    around,
  });
  const mine = facts(ingress, service);
  families.limits(mine, text);
  families.externalAuth(mine, text);
  families.mirror(mine, text);
  families.tuning(mine, text);
  families.errorPages(mine, text, hsts);
  families.affinity(mine, text);
  const other = all.find(isCanary);
  const chosen =
    other === undefined
      ? families.upstream(text, `${ingress.namespace}/${service}`, around)
      : families.canary(mine, facts(other, other.rules[0]!.paths[0]!.backend!.service), text);
  return [...lines, `proxy_pass http://${chosen};`, `# ${name}`];
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

import { block, requestHeaders } from './hosts.ts';
import type { Surroundings } from './surroundings.ts';

/** What a location adds to the configuration. */
export interface LocationText {
  /** Beside the servers. */
  readonly http: string[];
  /** Beside the location. */
  readonly server: string[];
  readonly lines: string[];
}

export interface LocationFacts {
  /** An annotation's value by its name; null where it is absent. */
  readonly of: (annotation: string) => string | null;
  /** A number of its own. */
  readonly id: number;
  readonly namespace: string;
  readonly name: string;
  readonly service: string;
  /** As the Ingress has it. */
  readonly path: string;
  readonly isGuarded: boolean;
  readonly around: Surroundings;
}

const list = (text: string | null): string[] => text?.split(',').map((item) => item.trim()) ?? [];

/** The name of an upstream block; a controller's balancer forgets no endpoint that failed. */
export function upstream(text: LocationText, name: string, around: Surroundings): string {
  const id = name.replace(/\W/g, '-');
  const servers = around.services[name]!.map((endpoint) => `server ${endpoint} max_fails=0;`);
  const written = block(`upstream ${id}`, [...servers, 'keepalive 8;']);
  if (!text.http.includes(written)) text.http.push(written);
  return id;
}

/** Rate limits: buildRateLimitZones and buildRateLimit. All paths of an Ingress share its zones. */
export function limits(facts: LocationFacts, { http, lines }: LocationText): void {
  const { of, around } = facts;
  const times = Number(of('limit-burst-multiplier') ?? '5');
  const exempt = list(of('limit-allowlist') ?? of('limit-whitelist'));
  const wanted = ['limit-connections', 'limit-rps', 'limit-rpm'].filter((name) => (of(name) ?? '0') !== '0');
  if (wanted.length === 0) return;
  const id = `${facts.namespace}_${facts.name}`.replaceAll(/\W/g, '_');
  const shared = [
    block(`geo $remote_addr $exempt_${id}`, ['default 0;', ...exempt.map((range) => `${range} 1;`)]),
    `map $exempt_${id} $limit_${id} { 0 $binary_remote_addr; 1 ""; }`,
  ];
  for (const name of wanted) {
    const zone = `${name}-${id}`;
    const count = Number(of(name));
    if (name === 'limit-connections') {
      shared.push(`limit_conn_zone $limit_${id} zone=${zone}:5m;`);
      lines.push(`limit_conn ${zone} ${count};`);
    } else {
      shared.push(`limit_req_zone $limit_${id} zone=${zone}:5m rate=${count}r/${name.at(-1)};`);
      lines.push(`limit_req zone=${zone} burst=${count * times} nodelay;`);
    }
  }
  http.push(...shared.filter((line) => !http.includes(line)));
  const { settings } = around;
  lines.push(`limit_req_status ${settings['limit-req-status-code'] ?? '503'};`);
  lines.push(`limit_conn_status ${settings['limit-conn-status-code'] ?? '503'};`);
}

/** custom-http-errors, and their locations. */
export function errorPages(facts: LocationFacts, text: LocationText, hsts: string): void {
  const { of, id, around, namespace, name, service } = facts;
  const own = list(of('custom-http-errors'));
  const codes = own.length > 0 ? own : list(around.settings['custom-http-errors'] ?? null);
  const backend = of('default-backend');
  const stand = backend === null ? around.defaultBackend : `${namespace}/${backend}`;
  if (codes.length === 0 || stand === null) return;
  text.lines.push('proxy_intercept_errors on;');
  for (const code of codes) {
    text.lines.push(`error_page ${code} = @custom_${id}_${code};`);
    text.server.push(
      block(`location @custom_${id}_${code}`, [
        'internal;',
        hsts,
        'proxy_intercept_errors off;',
        'proxy_buffer_size 16k;',
        'proxy_buffers 8 16k;',
        'proxy_http_version 1.1;',
        `proxy_set_header X-Code ${code};`,
        'proxy_set_header X-Format $http_accept;',
        'proxy_set_header X-Original-URI $request_uri;',
        `proxy_set_header X-Namespace ${namespace};`,
        `proxy_set_header X-Ingress-Name ${name};`,
        `proxy_set_header X-Service-Name ${service};`,
        'proxy_set_header X-Service-Port 80;',
        'proxy_set_header X-Request-ID $req_id;',
        'proxy_set_header X-Forwarded-For $remote_addr;',
        'proxy_set_header Host $best_http_host;',
        'rewrite (.*) / break;',
        `proxy_pass http://${upstream(text, stand, around)};`,
      ]),
    );
  }
}

/** auth-url: the subrequest's location, what it gives the upstream, and where a sign-in sends. */
export function externalAuth(facts: LocationFacts, text: LocationText): void {
  const { of, id, around, isGuarded } = facts;
  const url = /^http:\/\/([^./]+)\.([^./]+)\.svc\.cluster\.local(\/.*)$/.exec(of('auth-url') ?? '');
  if (url === null) return;
  const method = of('auth-method');
  const key = of('auth-cache-key');
  text.lines.push(
    `auth_request /_external-auth-${id};`,
    'auth_request_set $auth_cookie $upstream_http_set_cookie;',
    `add_header Set-Cookie $auth_cookie${of('auth-always-set-cookie') === 'true' ? ' always' : ''};`,
  );
  for (const [index, header] of list(of('auth-response-headers')).entries()) {
    const variable = `$upstream_http_${header.toLowerCase().replaceAll('-', '_')}`;
    text.lines.push(`auth_request_set $authHeader${index} ${variable};`);
    text.lines.push(`proxy_set_header '${header}' $authHeader${index};`);
  }
  if (key !== null) {
    text.http.push(`proxy_cache_path auth_cache_${id} levels=1:2 keys_zone=auth_cache_${id}:1m;`);
  }
  const headers = Object.entries(around.configMaps[of('auth-proxy-set-headers') ?? ''] ?? {});
  text.server.push(
    block(`location = /_external-auth-${id}`, [
      'internal;',
      ...(key === null
        ? []
        : [
            `proxy_cache_key "${key}";`,
            `proxy_cache auth_cache_${id};`,
            'proxy_cache_valid 200 202 401 5m;',
          ]),
      'proxy_pass_request_body off;',
      'proxy_set_header Content-Length "";',
      'proxy_set_header X-Forwarded-Proto "";',
      'proxy_set_header X-Request-ID $req_id;',
      ...(method === null
        ? []
        : [
            `proxy_method ${method};`,
            'proxy_set_header X-Original-URI $request_uri;',
            'proxy_set_header X-Scheme $pass_access_scheme;',
          ]),
      `proxy_set_header Host ${url[1]}.${url[2]}.svc.cluster.local;`,
      'proxy_set_header X-Original-URL $scheme://$http_host$request_uri;',
      'proxy_set_header X-Original-Method $request_method;',
      'proxy_set_header X-Sent-From "nginx-ingress-controller";',
      'proxy_set_header X-Real-IP $remote_addr;',
      'proxy_set_header X-Forwarded-For $told_forwarded_for;',
      `proxy_set_header X-Auth-Request-Redirect ${of('auth-request-redirect') ?? '$request_uri'};`,
      ...requestHeaders(isGuarded, false).filter((line) => line.includes('ssl-client-')),
      ...headers.map(([name, value]) => `proxy_set_header '${name}' '${value}';`),
      'proxy_http_version 1.1;',
      'proxy_buffer_size 16k;',
      'proxy_buffers 8 16k;',
      `set $target http://${around.services[`${url[2]}/${url[1]}`]![0]}${url[3]};`,
      'proxy_pass $target;',
    ]),
  );
  const signin = of('auth-signin');
  if (signin === null) return;
  // The Lua escapes the target; here a map knows those of the test.
  const escapes = around.targets.map((target) => `"${target}" ${encodeURIComponent(target)};`);
  text.http.push(block(`map $request_uri $escaped_${id}`, ['default "";', ...escapes]));
  const parameter = of('auth-signin-redirect-param') ?? 'rd';
  const back = `${parameter}=$pass_access_scheme://$http_host$escaped_${id}`;
  const where = new URL(signin).searchParams;
  const to = where.has(parameter) ? signin : `${signin}${where.size === 0 ? '?' : '&'}${back}`;
  text.lines.push(`error_page 401 = @signin_${id};`);
  text.server.push(
    block(`location @signin_${id}`, [
      'internal;',
      'add_header Set-Cookie $auth_cookie;',
      `return 302 ${to};`,
    ]),
  );
}

/** mirror-target. */
export function mirror({ of, id, around }: LocationFacts, text: LocationText): void {
  const target = /^http:\/\/(([^./$]+)\.([^./$]+)\.svc\.cluster\.local)(\$request_uri)?$/.exec(
    of('mirror-target') ?? '',
  );
  if (target === null) return;
  text.lines.push(`mirror /_mirror-${id};`, `mirror_request_body ${of('mirror-request-body') ?? 'on'};`);
  text.server.push(
    block(`location = /_mirror-${id}`, [
      'internal;',
      `proxy_set_header Host "${of('mirror-host') ?? target[1]}";`,
      `set $mirror_${id} http://${around.services[`${target[3]}/${target[2]}`]![0]}${target[4] ?? ''};`,
      `proxy_pass $mirror_${id};`,
    ]),
  );
}

/** The balancer's Lua route_to_alternative_balancer as maps: header, then cookie, then all or nothing by weight. */
export function canary(main: LocationFacts, other: LocationFacts, text: LocationText): string {
  const { of, id, around } = other;
  const variable = (name: string | null): string => name?.toLowerCase().replaceAll('-', '_') ?? '';
  const header = of('canary-by-header');
  const value = of('canary-by-header-value');
  const pattern = of('canary-by-header-pattern');
  const cookie = of('canary-by-cookie');
  const [weight, total] = [of('canary-weight') ?? '0', of('canary-weight-total') ?? '100'];
  if (weight !== '0' && weight !== total) throw new Error('a share by chance cannot be compared');
  // As regular expressions: nginx compares other words of a map without case, Lua does not.
  const words = ['~^always$ 1;', '~^never$ 0;'];
  const byValue = value === null ? words : [`"~^${value.replace(/\W/g, String.raw`\$&`)}$" 1;`];
  const byHeader = pattern === null || value !== null ? byValue : [`"~${pattern}" 1;`];
  text.http.push(
    block(`map $${header === null ? 'empty' : `http_${variable(header)}`} $by_header_${id}`, [
      'default "";',
      ...(header === null ? [] : byHeader),
    ]),
    block(`map $${cookie === null ? 'empty' : `cookie_${cookie}`} $by_cookie_${id}`, [
      'default "";',
      ...(cookie === null ? [] : words),
    ]),
    block(`map "$by_header_${id}$by_cookie_${id}" $chosen_${id}`, [
      `default ${upstream(text, `${weight === '0' ? main.namespace : other.namespace}/${weight === '0' ? main.service : other.service}`, around)};`,
      `~^1 ${upstream(text, `${other.namespace}/${other.service}`, around)};`,
      `~^0 ${upstream(text, `${main.namespace}/${main.service}`, around)};`,
    ]),
  );
  return `$chosen_${id}`;
}

/** affinity: the cookie that sticky.lua bakes for who has none; nginx chooses no endpoint by it. */
export function affinity({ of, id, path }: LocationFacts, { http, lines }: LocationText): void {
  if (of('affinity') !== 'cookie') return;
  const name = of('session-cookie-name') ?? 'INGRESSCOOKIE';
  const part = (key: string, value: string | null): string => (value === null ? '' : `; ${key}=${value}`);
  const secure = of('session-cookie-secure');
  http.push(`map $scheme $secure_${id} { default ""; https "; Secure"; }`);
  const baked = [
    `${name}=generated`,
    part('Expires', of('session-cookie-expires') === null ? null : 'generated'),
    part('Max-Age', of('session-cookie-max-age')),
    part('Domain', of('session-cookie-domain')),
    part('Path', of('session-cookie-path') ?? path),
    secure === null ? `\${secure_${id}}` : secure === 'true' ? '; Secure' : '',
    '; HttpOnly',
    part('SameSite', of('session-cookie-samesite')),
    of('session-cookie-partitioned') === 'true' ? '; Partitioned' : '',
  ].join('');
  http.push(`map $cookie_${name} $baked_${id} { default ""; "" "${baked}"; }`);
  lines.push(`add_header Set-Cookie $baked_${id};`);
}

/** What else of a location the template writes as it stands: timeouts, retries, headers of answers. */
export function tuning({ of, around, namespace }: LocationFacts, { lines }: LocationText): void {
  for (const which of ['connect', 'send', 'read']) {
    const value = of(`proxy-${which}-timeout`);
    if (value !== null) lines.push(`proxy_${which}_timeout ${value}s;`);
  }
  for (const header of list(around.settings['hide-headers'] ?? null)) {
    lines.push(`proxy_hide_header ${header};`);
  }
  const tries = of('proxy-next-upstream-tries') ?? '3';
  lines.push(`proxy_next_upstream ${of('proxy-next-upstream') ?? 'error timeout'};`);
  lines.push(`proxy_next_upstream_tries ${tries};`);
  const custom = of('custom-headers');
  const key = custom?.includes('/') === true ? custom : `${namespace}/${custom}`;
  for (const [name, value] of [
    ...Object.entries(around.configMaps[around.settings['add-headers'] ?? ''] ?? {}),
    ...Object.entries(custom === null ? {} : around.configMaps[key]!),
  ]) {
    lines.push(`more_set_headers "${name}: ${value}";`);
  }
  for (const [name, value] of Object.entries(
    around.configMaps[around.settings['proxy-set-headers'] ?? ''] ?? {},
  )) {
    lines.push(`proxy_set_header ${name} "${value}";`);
  }
}

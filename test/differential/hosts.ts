import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ClientAuthMode, HostConfig } from '../../src/config/schema.ts';
import type { PartialConfig } from '../support/proxy.ts';

/** One virtual host, told once; both configurations are written from it. */
export interface HostSpec {
  /** A name, or `*.…`. */
  readonly name: string;
  /** Files by name; `verify` in nginx's words. Without: a host whose Ingress has no auth-tls annotations. */
  readonly clientAuth?: {
    readonly verify: 'on' | 'optional' | 'optional_no_ca' | 'off';
    readonly ca: string;
    readonly crl?: string;
  };
  /** auth-tls-match-cn is `CN=` and this; letters and digits only. */
  readonly matchCn?: string;
  /** auth-tls-pass-certificate-to-upstream. */
  readonly passCertificate?: boolean;
  /** enable-cors with this cors-allow-origin. */
  readonly cors?: readonly string[];
}

/** Sets headers as ingress-nginx does; Debian has it in libnginx-mod-http-headers-more-filter. */
export const headersMore = '/usr/lib/nginx/modules/ngx_http_headers_more_filter_module.so';

export type Files = Readonly<Record<string, string>>;

const modes: Readonly<Record<NonNullable<HostSpec['clientAuth']>['verify'], ClientAuthMode>> = {
  on: 'require',
  optional: 'optional',
  optional_no_ca: 'optional_no_ca',
  off: 'off',
};

/** Our configuration for the hosts. `server.pem` and `server.key` are every host's. */
export function ourConfig(hosts: readonly HostSpec[], endpoint: string): PartialConfig {
  return { hosts: hosts.map(ourHost), upstreams: { backend: { endpoints: [endpoint] } } };
}

function ourHost({ name, clientAuth, matchCn, passCertificate, cors }: HostSpec): HostConfig {
  const mode = modes[clientAuth?.verify ?? 'off'];
  return {
    names: [name],
    certificate: { cert: 'server.pem', key: 'server.key' },
    ...(clientAuth === undefined || mode === 'off'
      ? {}
      : {
          clientAuth: {
            mode,
            ca: clientAuth.ca,
            ...(clientAuth.crl === undefined ? {} : { crl: clientAuth.crl }),
          },
        }),
    ...(matchCn === undefined ? {} : { policy: { cn: matchCn } }),
    ...(passCertificate === true ? { identityHeaders: { certificate: true } } : {}),
    routes: [
      { path: '/', upstream: 'backend', ...(cors === undefined ? {} : { cors: { origins: [...cors] } }) },
    ],
  };
}

/** Where one nginx listens, and the host that answers there for unknown names; null: ingress-nginx's `_`. */
export interface NginxListen {
  readonly port: number;
  readonly defaultHost: string | null;
}

/**
 * Writes nginx.conf and the files it names into `dir`, with the directives of ingress-nginx's template
 * (auth-tls and the locations' proxy_set_header) for every host; returns the file's path.
 */
export function writeNginxConfig(
  dir: string,
  hosts: readonly HostSpec[],
  files: Files,
  endpoint: string,
  listens: readonly NginxListen[],
): string {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text, { mode: 0o600 });
  const servers = hosts.map((host) => server(host, endpoint, listens)).join('');
  const file = join(dir, 'nginx.conf');
  const load = hosts.some(({ cors }) => cors !== undefined) ? `load_module ${headersMore};\n` : '';
  writeFileSync(file, load + main(dir, servers + catchAll(listens)));
  return file;
}

/** Without proxies in front that are believed. */
export const asItCame = `underscores_in_headers off;
  map $scheme $pass_port { default $server_port; https 443; }
  map $http_host $best_http_host { default $http_host; }
  map $scheme $pass_access_scheme { default $scheme; }
  map $remote_addr $told_forwarded_for { default $remote_addr; }
  map $host $redirect_host { default $host; }`;

/**
 * nginx.conf around its servers, as the template has it.
 *
 * @param told What the template's variables about the client are: `$pass_port` and the like.
 */
export function main(dir: string, servers: string, told = asItCame): string {
  return `daemon off;
master_process off;
pid ${dir}/nginx.pid;
error_log stderr notice;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path ${dir}/body;
  proxy_temp_path ${dir}/proxy;
  fastcgi_temp_path ${dir}/fastcgi;
  uwsgi_temp_path ${dir}/uwsgi;
  scgi_temp_path ${dir}/scgi;
  server_tokens off;
  keepalive_timeout 75s;
  keepalive_requests 1000;
  client_header_buffer_size 1k;
  large_client_header_buffers 4 8k;
  ignore_invalid_headers on;
  server_name_in_redirect off;
  port_in_redirect off;
  server_names_hash_bucket_size 128;
  default_type text/html;
  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_early_data off;
  ssl_session_cache shared:SSL:10m;
  ssl_session_timeout 10m;
  ssl_session_tickets off;
  ssl_certificate ${dir}/server.pem;
  ssl_certificate_key ${dir}/server.key;
  map $http_x_request_id $req_id { default $http_x_request_id; "" $request_id; }
  ${told}
  map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
${servers}}
`;
}

function server(host: HostSpec, endpoint: string, listens: readonly NginxListen[]): string {
  const { name, clientAuth, matchCn, passCertificate } = host;
  const lines = listens.map(
    ({ port, defaultHost }) =>
      `listen 127.0.0.1:${port}${defaultHost === name ? ' default_server' : ''} ssl;`,
  );
  lines.push(`server_name ${name};`);
  if (clientAuth !== undefined) {
    lines.push(`ssl_client_certificate ${clientAuth.ca};`);
    if (clientAuth.crl !== undefined) lines.push(`ssl_crl ${clientAuth.crl};`);
    lines.push(`ssl_verify_client ${clientAuth.verify};`, 'ssl_verify_depth 1;');
  }
  if (matchCn !== undefined) {
    lines.push(
      `if ( $ssl_client_s_dn !~ "CN=${matchCn}" ) { return 403 "client certificate unauthorized"; }`,
    );
  }
  const location = [
    'client_max_body_size 1m;',
    ...(host.cors === undefined ? [] : corsLines(host.cors)),
    ...requestHeaders(clientAuth !== undefined, passCertificate === true),
    ...proxySettings,
    'proxy_next_upstream off;',
    'proxy_redirect off;',
    `proxy_pass http://${endpoint};`,
  ];
  return block('server', [...lines, block('location /', location)]);
}

/** The template's proxy_set_header directives. */
export function requestHeaders(asksForCertificates: boolean, passesCertificate: boolean): string[] {
  const identity = [
    'ssl-client-verify $ssl_client_verify',
    'ssl-client-subject-dn $ssl_client_s_dn',
    'ssl-client-issuer-dn $ssl_client_i_dn',
    ...(passesCertificate ? ['ssl-client-cert $ssl_client_escaped_cert'] : []),
  ];
  const headers = [
    // 443 is where a controller listens.
    'Host $best_http_host',
    ...(asksForCertificates ? identity : []),
    'Upgrade $http_upgrade',
    'Connection $connection_upgrade',
    'X-Request-ID $req_id',
    'X-Real-IP $remote_addr',
    'X-Forwarded-For $told_forwarded_for',
    'X-Forwarded-Host $best_http_host',
    'X-Forwarded-Port $pass_port',
    'X-Forwarded-Proto $pass_access_scheme',
    'X-Forwarded-Scheme $pass_access_scheme',
    'X-Scheme $pass_access_scheme',
    'X-Original-Forwarded-For $http_x_forwarded_for',
    'X-Original-Forwarded-Host $http_x_forwarded_host',
    'Proxy ""',
  ];
  return headers.map((header) => `proxy_set_header ${header};`);
}

/** What else the template says to every location that forwards. */
export const proxySettings: readonly string[] = [
  'proxy_http_version 1.1;',
  'proxy_buffering off;',
  // Only the recording backend's answers are larger than the template's 4k.
  'proxy_buffer_size 16k;',
  'proxy_buffers 8 16k;',
  'proxy_request_buffering on;',
];

/** The template's server `_`: no client certificates, and the default backend's 404. */
function catchAll(listens: readonly NginxListen[]): string {
  const lines = listens
    .filter(({ defaultHost }) => defaultHost === null)
    .map(({ port }) => `listen 127.0.0.1:${port} default_server ssl;`);
  return lines.length === 0
    ? ''
    : block('server', [...lines, 'server_name _;', block('location /', ['return 404;'])]);
}

export function block(head: string, lines: readonly string[]): string {
  return `${head} {\n${lines.map((line) => `  ${line}\n`).join('')}}\n`;
}

/** The template's part for enable-cors, with the annotations' defaults. */
function corsLines(origins: readonly string[]): string[] {
  const regex = (origin: string): string =>
    `(${origin.replace(/[.+?^$()[\]{}|\\]/g, '\\$&').replace('*', '[A-Za-z0-9\\-]+')})`;
  const said = [
    "more_set_headers 'Access-Control-Allow-Origin: $http_origin';",
    "more_set_headers 'Access-Control-Allow-Credentials: true';",
    "more_set_headers 'Access-Control-Allow-Methods: GET, PUT, POST, DELETE, PATCH, OPTIONS';",
    "more_set_headers 'Access-Control-Allow-Headers: DNT,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,Cache-Control,Content-Type,Range,Authorization';",
    "more_set_headers 'Access-Control-Max-Age: 1728000';",
  ];
  const nothing = [
    "more_set_headers 'Content-Type: text/plain charset=UTF-8';",
    "more_set_headers 'Content-Length: 0';",
  ];
  return [
    ...(origins.includes('*')
      ? ['set $http_origin *;', "set $cors 'true';"]
      : [`if ($http_origin ~* (${origins.map(regex).join('|')})$ ) { set $cors 'true'; }`]),
    "if ($request_method = 'OPTIONS') { set $cors ${cors}options; }",
    block('if ($cors = "true")', said),
    block('if ($cors = "trueoptions")', [...said, ...nothing, 'return 204;']),
  ];
}

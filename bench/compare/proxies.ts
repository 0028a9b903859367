import { spawnSync } from 'node:child_process';
import { freePort, host, type Proxy, type Rig } from '../rig.ts';

const identity: readonly (readonly [header: string, nginx: string, haproxy: string, caddy: string])[] = [
  ['ssl-client-verify', '$ssl_client_verify', 'SUCCESS', 'SUCCESS'],
  ['ssl-client-subject-dn', '$ssl_client_s_dn', '%{+Q}[ssl_c_s_dn]', '{tls_client_subject}'],
  ['ssl-client-issuer-dn', '$ssl_client_i_dn', '%{+Q}[ssl_c_i_dn]', '{tls_client_issuer}'],
  ['X-Request-ID', '$request_id', '%[uuid()]', '{http.request.uuid}'],
  ['X-Real-IP', '$remote_addr', '%[src]', '{remote_host}'],
  ['X-Forwarded-For', '$remote_addr', '%[src]', '{remote_host}'],
  ['X-Forwarded-Host', '$host', '%[req.hdr(host)]', '{host}'],
  ['X-Forwarded-Port', '443', '443', '443'],
  ['X-Forwarded-Proto', '$scheme', 'https', 'https'],
  ['X-Forwarded-Scheme', '$scheme', 'https', 'https'],
  ['X-Scheme', '$scheme', 'https', 'https'],
];

/**
 * What every proxy does: TLS 1.2 and 1.3, a client certificate required and verified, its OU checked for every request,
 * the same headers set, connections to the origin kept, no access log.
 *
 * @param routes 1, or many, each with the check of its own.
 */
export async function startProxies(rig: Rig, originPort: number, routes: 1 | 200 = 1): Promise<Proxy[]> {
  const paths = routes === 1 ? ['/'] : Array.from({ length: routes }, (_, index) => `/many/r${index}/`);
  const [nginxPort, haproxyPort, caddyPort] = [await freePort(), await freePort(), await freePort()];
  const proxies = [
    await rig.startOurs(1, ours(originPort, paths, true)),
    await rig.startOurs(1, ours(originPort, paths, false), 'mtls-ingress, full lane'),
    await rig.startNginx(1, 'proxy', nginxPort, nginx(nginxPort, originPort, paths)),
    await rig.startHaproxy(1, haproxyPort, haproxy(haproxyPort, originPort, paths)),
  ];
  if (spawnSync('caddy', ['version']).error === undefined) {
    proxies.push(await rig.startCaddy(1, caddyPort, caddy(caddyPort, originPort, paths)));
  }
  return proxies;
}

const ours = (
  originPort: number,
  paths: readonly string[],
  expressLane: boolean,
): string => `expressLane: ${expressLane}
limits: { keepAliveRequests: 1000000 }
hosts:
  - names: [${host}]
    certificate: { cert: server.pem, key: server-key.pem }
    clientAuth: { mode: require, ca: root.pem }
    routes:
${paths.map((path) => `      - { path: ${path}, upstream: origin, bodyLimit: 10m, policy: { ou: ITOps } }`).join('\n')}
upstreams: { origin: { endpoints: ['127.0.0.1:${originPort}'] } }
`;

function nginx(port: number, originPort: number, paths: readonly string[]): string {
  const check = 'if ($ssl_client_s_dn !~ "OU=ITOps") { return 403; }';
  const headers = identity.map(([name, value]) => `proxy_set_header ${name} ${value};`).join(' ');
  const pass = `proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
proxy_buffering off; proxy_request_buffering off; ${headers}`;
  return `upstream origin { server 127.0.0.1:${originPort}; keepalive 320; keepalive_requests 1000000; }
server { listen 127.0.0.1:${port} ssl; server_name ${host}; ssl_certificate server.pem; ssl_certificate_key server-key.pem;
ssl_protocols TLSv1.2 TLSv1.3; ssl_client_certificate root.pem; ssl_verify_client on; ssl_verify_depth 1;
ssl_session_cache shared:SSL:10m; ssl_session_tickets on; client_max_body_size 10m;
${paths.map((path) => `location ${path} { ${check} ${pass} }`).join('\n')} }`;
}

function haproxy(port: number, originPort: number, paths: readonly string[]): string {
  const headers = identity.map(([name, , value]) => `  http-request set-header ${name} ${value}`).join('\n');
  return `frontend https
  bind 127.0.0.1:${port} ssl crt haproxy.pem ca-file root.pem verify required ssl-min-ver TLSv1.2
  acl itops ssl_c_s_dn(OU) -m str ITOps
${paths.map((path) => `  http-request deny deny_status 403 if { path_beg ${path} } !itops`).join('\n')}
${headers}
  default_backend origin
backend origin
  http-reuse always
  server origin 127.0.0.1:${originPort} pool-max-conn 320
`;
}

function caddy(port: number, originPort: number, paths: readonly string[]): string {
  const headers = identity.map(([name, , , value]) => `    header_up ${name} ${value}`).join('\n');
  const check = 'not vars_regexp {http.request.tls.client.subject} OU=ITOps';
  return `{
  admin off
  auto_https off
  log default {
    level ERROR
  }
}
https://${host}:${port} {
  bind 127.0.0.1
  tls server.pem server-key.pem {
    protocols tls1.2 tls1.3
    client_auth {
      mode require_and_verify
      trusted_ca_cert_file root.pem
    }
  }
  @others ${check}
${paths
  .map(
    (path) => `  handle ${path}* {
    respond @others 403
    reverse_proxy 127.0.0.1:${originPort} {
${headers}
    }
  }`,
  )
  .join('\n')}
}
`;
}

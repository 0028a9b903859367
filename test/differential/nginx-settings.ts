import { asItCame } from './hosts.ts';

type Settings = Readonly<Record<string, string>>;

const isOn = (settings: Settings, key: string): boolean => settings[key] === 'true';

/** What the ConfigMap says of the listeners. */
export function listenOptions(settings: Settings): string {
  return isOn(settings, 'use-proxy-protocol') ? ' proxy_protocol' : '';
}

/** The variables about the client, which lua_ingress.rewrite sets in ingress-nginx. */
export function maps(settings: Settings): string {
  const underscores = `underscores_in_headers ${isOn(settings, 'enable-underscores-in-headers') ? 'on' : 'off'};\n`;
  const speaksProxy = isOn(settings, 'use-proxy-protocol');
  if (speaksProxy) {
    return (
      underscores +
      asItCame
        .replace(/underscores_in_headers off;\n/, '')
        .replace('default $server_port; https 443;', 'default $proxy_protocol_server_port;')
        .replace(
          'map $scheme $pass_access_scheme { default $scheme;',
          'map $proxy_protocol_server_port $pass_access_scheme { default $scheme; 443 https;',
        )
    );
  }
  if (!isOn(settings, 'use-forwarded-headers')) {
    return underscores + asItCame.replace(/underscores_in_headers off;\n/, '');
  }
  const full = isOn(settings, 'compute-full-forwarded-for');
  return `${underscores}
  map $scheme $own_port { default $server_port; https 443; }
  map $http_x_forwarded_port $pass_port { default $http_x_forwarded_port; "" $own_port; }
  map $http_x_forwarded_host $best_http_host { default $http_x_forwarded_host; ~^(?<one_host>[^,]+), $one_host; "" $http_host; }
  map $best_http_host $redirect_host { default $best_http_host; ~^(?<bare_host>[^:]+): $bare_host; }
  map $http_x_forwarded_proto $pass_access_scheme { default $http_x_forwarded_proto; "" $scheme; }
  map $http_x_forwarded_for $full_forwarded_for { default "$http_x_forwarded_for, $realip_remote_addr"; "" $realip_remote_addr; }
  map $scheme $told_forwarded_for { default ${full ? '$full_forwarded_for' : '$remote_addr'}; }`;
}

/** What stands in every server. */
export function serverLines(settings: Settings): string[] {
  const [proxy, headers] = ['use-proxy-protocol', 'use-forwarded-headers'].map((key) => isOn(settings, key));
  if (proxy !== true && headers !== true) return [];
  const ranges = (settings['proxy-real-ip-cidr'] ?? '0.0.0.0/0').split(',');
  return [
    `real_ip_header ${proxy === true ? 'proxy_protocol' : 'X-Forwarded-For'};`,
    'real_ip_recursive on;',
    ...ranges.map((range) => `set_real_ip_from ${range.trim()};`),
  ];
}

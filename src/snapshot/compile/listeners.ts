import { defaults } from '../../config/defaults.ts';
import type { Config } from '../../config/schema.ts';
import { AddressRanges, parseCidr } from '../../tls/cidr.ts';
import type { Listeners, ProxyProtocol } from '../snapshot.ts';
import { compileAdminAccess, compileAdminHost } from './admin.ts';
import type { CompileContext } from './context.ts';
import { duration } from './duration.ts';

/** The addresses to accept on. */
export function compileListeners(context: CompileContext, config: Config): Listeners {
  const { https, http, admin } = config.listeners;
  return Object.freeze({
    https: Object.freeze({
      address: https.address ?? defaults.address,
      port: https.port,
      proxyProtocol: compileProxyProtocol(https),
    }),
    http:
      http === undefined
        ? null
        : Object.freeze({
            address: http.address ?? defaults.address,
            port: http.port,
            proxyProtocol: compileProxyProtocol(http),
            redirectPort: http.redirectPort ?? null,
          }),
    admin: Object.freeze({
      address: admin?.address ?? defaults.admin.address,
      port: admin?.port ?? defaults.admin.port,
      access: compileAdminAccess(context, admin),
      host: compileAdminHost(context, config),
    }),
    reusePort: config.listeners.reusePort ?? defaults.reusePort,
  });
}

type ListenerConfig = Config['listeners']['https'];

function compileProxyProtocol({ proxyProtocol }: ListenerConfig): ProxyProtocol | null {
  if (proxyProtocol === undefined) return null;
  // What is no range was reported by its rule; left out, it trusts no one.
  const ranges = proxyProtocol.trusted.flatMap((text) => parseCidr(text) ?? []);
  return Object.freeze({
    trusted: new AddressRanges(ranges),
    timeoutMs: duration(proxyProtocol.timeout, defaults.proxyProtocolTimeoutMs),
  });
}

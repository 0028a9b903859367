import { defaults } from '../../config/defaults.ts';
import type { Config } from '../../config/schema.ts';
import type { Listeners } from '../snapshot.ts';

/** The addresses to accept on. */
export function compileListeners(config: Config): Listeners {
  const { https, http, admin } = config.listeners;
  return Object.freeze({
    https: Object.freeze({ address: https.address ?? defaults.address, port: https.port }),
    http:
      http === undefined
        ? null
        : Object.freeze({
            address: http.address ?? defaults.address,
            port: http.port,
            redirectPort: http.redirectPort ?? null,
          }),
    admin: Object.freeze({
      address: admin?.address ?? defaults.admin.address,
      port: admin?.port ?? defaults.admin.port,
    }),
  });
}

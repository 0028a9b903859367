import type { RouteConfig } from '../config/schema.ts';
import { anyName } from '../snapshot/host-name.ts';
import type { ObjectSet } from './object-set.ts';
import type { TranslateOptions } from './options.ts';
import type { UpstreamBuilder } from './upstream-builder.ts';

/** The host that answers for every name that is nobody else's, as ingress-nginx's server `_`. */
export const catchAll = anyName;

/** What answers where no Ingress does: the default backend's first port, else 404. */
export function lastResort(
  { defaultBackendService }: TranslateOptions,
  objects: ObjectSet,
  upstreams: UpstreamBuilder,
): RouteConfig {
  const [port] = objects.services.get(defaultBackendService ?? '')?.ports ?? [];
  const [namespace, service] = (defaultBackendService ?? '').split('/');
  if (port === undefined || service === undefined) return { path: '/', respond: { status: 404 } };
  return { path: '/', upstream: upstreams.add(namespace!, { service, port: port.port }, {}, false).name };
}

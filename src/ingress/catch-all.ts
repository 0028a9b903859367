import type { RouteConfig } from '../config/schema.ts';
import type { ObjectSet } from './object-set.ts';
import type { TranslateOptions } from './options.ts';
import type { UpstreamBuilder } from './upstream-builder.ts';

/** The host that stands in for all that are not named, as ingress-nginx's server of that name. */
export const catchAll = '_';

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

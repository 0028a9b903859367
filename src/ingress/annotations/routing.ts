import { quote } from '../../config/text.ts';
import { annotation, different, type Parsed, type ValueType } from './annotation.ts';
import { family } from './family.ts';
import { flag, host as hostType, listType, objectName, text } from './value-types.ts';

/** Each host of an Ingress asks for all of them. */
const maxAliases = 200;

const alias = annotation(
  'server-alias',
  listType(hostType, 'hosts', maxAliases),
  'Further names of the host. One that is another host already is left out.',
  {
    scope: 'ingress',
    risk: 'High',
    state: different(
      `Regular expressions (\`~…\`) are no names, and refused; so are more than ${maxAliases}.`,
    ),
  },
);

/** What the native configuration takes for a Host. */
const hostHeader = /^[A-Za-z0-9._:[\]-]{1,253}$/;

/** Variables that ingress-nginx sets for each location are known when it is translated. */
const vhostType: ValueType<string> = {
  name: 'host',
  parse(written): Parsed<string> {
    const line = text.parse(written);
    if ('problem' in line) return line;
    if (/^\$(?:http_host|best_http_host|host)$/.test(written)) return { value: '' };
    const bare = written.replaceAll(/\$\{?(?:namespace|ingress_name|service_name|service_port)\b\}?/g, 'x');
    if (bare.includes('$'))
      return {
        problem: 'holds a variable other than $namespace, $service_name, $service_port and $ingress_name',
      };
    return hostHeader.test(bare) ? { value: written } : { problem: 'is no host name' };
  },
};

const vhost = annotation(
  'upstream-vhost',
  vhostType,
  "The Host that the upstream gets in place of the client's.",
  {
    state: different(
      'Of variables only `$namespace`, `$service_name`, `$service_port` and `$ingress_name` may be part of it.',
    ),
  },
);

const serviceUpstream = annotation(
  'service-upstream',
  flag,
  "Go to the Service's own address and not to its endpoints.",
  { scope: 'ingress', default: 'false', global: true },
);

/** Shared with the pages of errors. */
export const defaultBackend = annotation(
  'default-backend',
  objectName,
  'The Service that answers in place of one without endpoints, and whose pages `custom-http-errors` shows.',
  {},
);

export const routing = family({
  name: 'routing',
  title: 'Routing',
  annotations: [alias, vhost, serviceUpstream, defaultBackend],
  applyHost(values, draft) {
    draft.aliases.push(...(values.get(alias) ?? []));
  },
  applyRoute(values, route, context) {
    const name = values.get(vhost);
    if (name !== null && name !== '') {
      const { ingress, backend } = route;
      const filled = name.replaceAll(
        /\$\{?(namespace|ingress_name|service_name|service_port)\b\}?/g,
        (_, variable: string) =>
          ({
            namespace: ingress.namespace,
            ingress_name: ingress.name,
            service_name: backend?.service ?? '',
            service_port: String(backend?.port ?? ''),
          })[variable] ?? '',
      );
      if (hostHeader.test(filled)) route.config.upstreamHost = filled;
      else context.error(vhost, `${quote(filled)} is no host name: it has no effect`);
    }
    if (context.value(serviceUpstream) === true) route.usesClusterIp = true;
    const standIn = values.get(defaultBackend);
    if (standIn === null) return;
    if (standIn.namespace !== null && standIn.namespace !== route.ingress.namespace) {
      context.error(defaultBackend, 'is a Service of another namespace, which is refused: it has no effect');
      return;
    }
    const [port] = context.service(standIn.name)?.ports ?? [];
    if (port === undefined)
      context.errorElsewhere(defaultBackend, `there is no Service ${standIn.name} with a port`);
    else route.standIn = { service: standIn.name, port: port.port };
  },
});

import { normaliseHostName } from '../../snapshot/host-name.ts';
import { isThisMachine } from '../endpoints.ts';
import { annotation, different, type Parsed, type ValueType } from './annotation.ts';
import { family } from './family.ts';
import { onOff } from './value-types.ts';

interface Target {
  readonly scheme: 'http' | 'https';
  /** Normalised. */
  readonly host: string;
  readonly port: number;
}

const targetType: ValueType<Target> = {
  name: 'URL',
  parse(written): Parsed<Target> {
    const match =
      /^(https?):\/\/(\[[0-9A-Fa-f:.]+\]|[^/:?#@[\]$]+)(?::([0-9]{1,5}))?(?:\/?|\$request_uri)$/.exec(
        written,
      );
    if (match === null)
      return { problem: 'is no http or https URL without a path, or with $request_uri behind it' };
    const [, scheme, name, digits] = match;
    const host = normaliseHostName(name!);
    const port = digits === undefined ? (scheme === 'https' ? 443 : 80) : Number(digits);
    if (host === null || port < 1 || port > 65535) return { problem: 'names no host' };
    if (isThisMachine(host)) return { problem: 'is this machine itself, which is refused' };
    return { value: { scheme: scheme as Target['scheme'], host, port } };
  },
};
const hostType: ValueType<string> = {
  name: 'host',
  parse(written) {
    return /^[A-Za-z0-9._:[\]-]{1,253}$/.test(written) ? { value: written } : { problem: 'is no host name' };
  },
};

const target = annotation(
  'mirror-target',
  targetType,
  'Where a copy of each request goes; its answer is thrown away.',
  {
    scope: 'ingress',
    risk: 'High',
    state: different(
      'Copies have the path of the request, always, and say who the client is by the same headers as to the upstream.',
    ),
  },
);
const hostHeader = annotation('mirror-host', hostType, "The copies' Host; else that of the target.", {
  scope: 'ingress',
  risk: 'High',
});
const body = annotation('mirror-request-body', onOff, 'With the body.', {
  scope: 'ingress',
  default: 'on',
  state: different('A request whose body is larger than 1 MiB is not copied.'),
});

export const mirror = family({
  name: 'mirror',
  title: 'Mirror',
  annotations: [target, hostHeader, body],
  applyRoute(values, route, context) {
    const to = values.get(target);
    if (to === null) return;
    const name = to.host.includes(':') ? `[${to.host}]` : to.host;
    route.config.mirror = {
      upstream: context.externalUpstream(to.scheme, to.host, to.port),
      host: values.get(hostHeader) ?? name,
      ...(values.get(body) === false ? { body: false } : {}),
    };
  },
});

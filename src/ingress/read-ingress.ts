import { quote } from '../config/text.ts';
import type { Fields } from './fields.ts';
import type { Backend, Ingress, IngressPath, IngressRule, IngressTls, PathType } from './object.ts';
import { isLabel, type Meta } from './read-meta.ts';

/** More than the API server takes in its megabyte. */
const maxPaths = 20_000;

/** Reads an Ingress of any version: `serviceName` and `servicePort` are v1beta1's words for `service`. */
export function readIngress({ base, findings }: Meta, object: Fields, apiVersion: string): Ingress {
  const isV1 = apiVersion === 'networking.k8s.io/v1';
  const spec = object.map('spec');
  const backendOf = isV1 ? backendV1 : backendBeta;
  const tls = spec.maps('tls').map(readTls);
  const rules = spec.maps('rules').map((rule) => readRule(rule, backendOf, isV1));
  if (rules.reduce((count, rule) => count + rule.paths.length, 0) > maxPaths) {
    findings.error('/spec/rules', `more than ${maxPaths} paths`);
  }
  const backendKey = isV1 ? 'defaultBackend' : 'backend';
  const defaultBackend = spec.has(backendKey) ? backendOf(spec.map(backendKey)) : null;
  return Object.freeze({
    kind: 'Ingress',
    ...base,
    className: spec.text('ingressClassName'),
    defaultBackend,
    tls: Object.freeze(tls),
    rules: Object.freeze(rules),
    isInvalid: findings.hasErrors,
  });
}

function readTls(tls: Fields): IngressTls {
  return Object.freeze({
    hosts: Object.freeze(tls.texts('hosts').map((host) => host.toLowerCase())),
    secretName: tls.text('secretName'),
    place: tls.path,
  });
}

type ReadBackend = (backend: Fields) => Backend | null;

function readRule(rule: Fields, backendOf: ReadBackend, isV1: boolean): IngressRule {
  const host = rule.text('host');
  return Object.freeze({
    host: host === null || host === '' ? null : host.toLowerCase(),
    paths: Object.freeze(
      rule
        .map('http')
        .maps('paths')
        .map((path) => readPath(path, backendOf, isV1)),
    ),
    place: rule.path,
  });
}

const pathTypes: readonly PathType[] = ['Exact', 'Prefix', 'ImplementationSpecific'];

function readPath(fields: Fields, backendOf: ReadBackend, isV1: boolean): IngressPath {
  const { findings } = fields;
  const written = fields.text('path') ?? '';
  if (written !== '' && !written.startsWith('/')) {
    findings.error(fields.at('path'), `${quote(written)} is no absolute path: it starts with /`);
  }
  const type = fields.text('pathType');
  const pathType = pathTypes.find((known) => known === type);
  if (type !== null && pathType === undefined) {
    findings.error(fields.at('pathType'), `${quote(type)} is none of ${pathTypes.join(', ')}`);
  } else if (type === null && isV1) {
    findings.warning(fields.path, 'has no pathType, which the API server refuses: ImplementationSpecific');
  }
  if (!fields.has('backend')) findings.error(fields.path, 'has no backend');
  return Object.freeze({
    path: written === '' ? '/' : written,
    pathType: pathType ?? 'ImplementationSpecific',
    backend: fields.has('backend') ? backendOf(fields.map('backend')) : null,
    place: fields.path,
  });
}

function backendV1(backend: Fields): Backend | null {
  if (!backend.has('service')) {
    if (backend.has('resource')) {
      backend.findings.warning(backend.path, 'a resource is no Service: the default backend answers');
    } else if (backend.has('serviceName')) {
      backend.findings.error(backend.path, 'serviceName is of v1beta1: write service with name and port');
    } else backend.findings.error(backend.path, 'names no service');
    return null;
  }
  const service = backend.map('service');
  const port = service.map('port');
  const [number, name] = [port.port('number'), port.text('name')];
  if (number === null && name === null) service.findings.error(service.path, 'names no port');
  return checked(service.text('name'), number ?? name, service);
}

function backendBeta(backend: Fields): Backend | null {
  if (!backend.has('serviceName')) {
    if (backend.has('resource')) {
      backend.findings.warning(backend.path, 'a resource is no Service: the default backend answers');
    } else if (backend.has('service')) {
      backend.findings.error(backend.path, 'service is of v1: write serviceName and servicePort');
    } else backend.findings.error(backend.path, 'names no serviceName');
    return null;
  }
  const port = backend.get('servicePort');
  if (port === undefined) backend.findings.error(backend.path, 'names no servicePort');
  const isText = typeof port === 'string' && !/^[0-9]+$/.test(port);
  return checked(
    backend.text('serviceName'),
    isText ? port : typeof port === 'string' ? Number(port) : backend.port('servicePort'),
    backend,
  );
}

function checked(service: string | null, port: number | string | null, backend: Fields): Backend | null {
  if (service === null || !isLabel(service)) {
    backend.findings.error(backend.path, `${quote(service ?? '')} is no name of a Service`);
    return null;
  }
  if (port === null) return null;
  const isPort =
    typeof port === 'number'
      ? port >= 1 && port <= 65535
      : /^[a-z0-9-]{1,63}$/.test(port) && /[a-z]/.test(port);
  if (!isPort) {
    backend.findings.error(backend.path, `${quote(port)} is no port and no port's name`);
    return null;
  }
  return Object.freeze({ service, port });
}

/** A kind of object at the API server, in one version. */
export interface Resource {
  readonly kind: string;
  /** `v1` for the core group, else `group/version`. */
  readonly apiVersion: string;
  readonly plural: string;
}

/**
 * The path of a resource, of one object of it, or of a part of one (`status`). Without a namespace: all of them.
 * Every word is encoded, so no name leads anywhere else.
 */
export function pathOf(
  { apiVersion, plural }: Resource,
  namespace: string | null = null,
  name: string | null = null,
  subresource: string | null = null,
): string {
  const words: string[] = [];
  if (namespace !== null && namespace !== '') words.push('namespaces', namespace);
  words.push(plural);
  if (name !== null) words.push(name);
  if (subresource !== null) words.push(subresource);
  return `${discoveryPath(apiVersion)}/${words.map((word) => encodeURIComponent(word)).join('/')}`;
}

function resource(kind: string, plural: string, apiVersion: string): Resource {
  return Object.freeze({ kind, plural, apiVersion });
}

/** What is read, and the versions of each that it may be served as: the one that we like best first. */
export const resources = Object.freeze({
  ingresses: [
    resource('Ingress', 'ingresses', 'networking.k8s.io/v1'),
    resource('Ingress', 'ingresses', 'networking.k8s.io/v1beta1'),
  ],
  classes: [
    resource('IngressClass', 'ingressclasses', 'networking.k8s.io/v1'),
    resource('IngressClass', 'ingressclasses', 'networking.k8s.io/v1beta1'),
  ],
  services: [resource('Service', 'services', 'v1')],
  /** Kubernetes mirrors the one into the other, so either will do. */
  endpoints: [
    resource('EndpointSlice', 'endpointslices', 'discovery.k8s.io/v1'),
    resource('EndpointSlice', 'endpointslices', 'discovery.k8s.io/v1beta1'),
    resource('Endpoints', 'endpoints', 'v1'),
  ],
  secrets: [resource('Secret', 'secrets', 'v1')],
  configMaps: [resource('ConfigMap', 'configmaps', 'v1')],
  namespaces: [resource('Namespace', 'namespaces', 'v1')],
  /** Not read as configuration: by it replicas agree on who leads. */
  leases: [resource('Lease', 'leases', 'coordination.k8s.io/v1')],
  webhooks: [
    resource(
      'ValidatingWebhookConfiguration',
      'validatingwebhookconfigurations',
      'admissionregistration.k8s.io/v1',
    ),
  ],
  /** Only written. */
  events: [resource('Event', 'events', 'v1')],
} as const satisfies Readonly<Record<string, readonly Resource[]>>);

/** Path of what an API server says that it serves under an apiVersion. */
export function discoveryPath(apiVersion: string): string {
  const root = apiVersion.includes('/') ? 'apis' : 'api';
  return `/${[root, ...apiVersion.split('/')].map((word) => encodeURIComponent(word)).join('/')}`;
}

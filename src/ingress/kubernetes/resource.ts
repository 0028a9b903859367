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
  const root = apiVersion.includes('/') ? 'apis' : 'api';
  const words = [root, ...apiVersion.split('/')];
  if (namespace !== null && namespace !== '') words.push('namespaces', namespace);
  words.push(plural);
  if (name !== null) words.push(name);
  if (subresource !== null) words.push(subresource);
  return `/${words.map((word) => encodeURIComponent(word)).join('/')}`;
}

/** What a group may be served as, the version we like best first. */
export interface Versions {
  readonly kind: string;
  readonly plural: string;
  /** Empty for the core group. */
  readonly group: string;
  readonly versions: readonly string[];
}

/** Every kind that the source reads. */
export const kinds = {
  Ingress: {
    kind: 'Ingress',
    plural: 'ingresses',
    group: 'networking.k8s.io',
    versions: ['v1', 'v1beta1'],
  },
  IngressClass: {
    kind: 'IngressClass',
    plural: 'ingressclasses',
    group: 'networking.k8s.io',
    versions: ['v1', 'v1beta1'],
  },
  Service: { kind: 'Service', plural: 'services', group: '', versions: ['v1'] },
  EndpointSlice: {
    kind: 'EndpointSlice',
    plural: 'endpointslices',
    group: 'discovery.k8s.io',
    versions: ['v1', 'v1beta1'],
  },
  Endpoints: { kind: 'Endpoints', plural: 'endpoints', group: '', versions: ['v1'] },
  Secret: { kind: 'Secret', plural: 'secrets', group: '', versions: ['v1'] },
  ConfigMap: { kind: 'ConfigMap', plural: 'configmaps', group: '', versions: ['v1'] },
  Namespace: { kind: 'Namespace', plural: 'namespaces', group: '', versions: ['v1'] },
} as const satisfies Readonly<Record<string, Versions>>;

/** The resource of a kind in its first version, for kinds that have but one. */
export function resourceOf({ kind, plural, group, versions }: Versions, version = versions[0]!): Resource {
  return { kind, plural, apiVersion: group === '' ? version : `${group}/${version}` };
}

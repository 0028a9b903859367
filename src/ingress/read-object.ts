import { quote } from '../config/text.ts';
import { Fields, Findings } from './fields.ts';
import type { KubernetesObject, Origin } from './object.ts';
import { readEndpoints, readEndpointSlice } from './read-endpoints.ts';
import { readIngress } from './read-ingress.ts';
import { readIngressClass } from './read-ingress-class.ts';
import { type Meta, readMeta } from './read-meta.ts';
import { readConfigMap, readSecret } from './read-secret.ts';
import { readService } from './read-service.ts';

type Reader = (meta: Meta, object: Fields, apiVersion: string) => KubernetesObject;

const networking = ['networking.k8s.io/v1', 'networking.k8s.io/v1beta1'];
const discovery = ['discovery.k8s.io/v1', 'discovery.k8s.io/v1beta1'];

/** What is read, and under which versions. */
const readers = new Map<
  string,
  { readonly versions: readonly string[]; readonly scope: 'namespace' | 'cluster'; readonly read: Reader }
>([
  ['Ingress', { versions: [...networking, 'extensions/v1beta1'], scope: 'namespace', read: readIngress }],
  ['IngressClass', { versions: networking, scope: 'cluster', read: readIngressClass }],
  ['Service', { versions: ['v1'], scope: 'namespace', read: readService }],
  ['Endpoints', { versions: ['v1'], scope: 'namespace', read: readEndpoints }],
  ['EndpointSlice', { versions: discovery, scope: 'namespace', read: readEndpointSlice }],
  ['Secret', { versions: ['v1'], scope: 'namespace', read: readSecret }],
  ['ConfigMap', { versions: ['v1'], scope: 'namespace', read: readConfigMap }],
]);

export type ReadResult =
  | { readonly object: KubernetesObject }
  /** No kind that we use. */
  | { readonly passedOver: string }
  /** No object at all, or none that could be told from others. */
  | { readonly fault: { readonly path: string; readonly message: string } };

/**
 * Reads one object of a manifest or of the API: plain JSON data, believed in nothing. Never throws. What is wrong with it is in
 * its findings; only an object without a usable kind or name is none. Pure.
 */
export function readObject(data: unknown, origin: Origin): ReadResult {
  const findings = new Findings();
  const object = new Fields(data, '', findings);
  const apiVersion = object.get('apiVersion');
  const kind = object.get('kind');
  if (typeof kind !== 'string' || typeof apiVersion !== 'string') {
    return { fault: { path: '', message: 'no Kubernetes object: it lacks apiVersion and kind' } };
  }
  const reader = readers.get(kind);
  if (reader === undefined) return { passedOver: `${apiVersion} ${kind}` };
  if (!reader.versions.includes(apiVersion)) {
    const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
    // `serving.knative.dev/v1 Service` is another thing altogether.
    const isOurs = reader.versions.some((version) => version.startsWith(`${group}/`) || group === '');
    if (!isOurs) return { passedOver: `${apiVersion} ${kind}` };
    const message = `${quote(apiVersion)} of ${kind} is not known: write ${reader.versions[0]}`;
    return { fault: { path: '/apiVersion', message } };
  }
  const meta = readMeta(object, reader.scope, origin);
  if ('fault' in meta) return meta;
  const read = reader.read(meta, object, apiVersion);
  Object.freeze(read.findings);
  return { object: read };
}

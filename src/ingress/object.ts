import type { Finding } from '../config/problem.ts';

/**
 * The Kubernetes objects that a translation reads, each in one inner form whatever its apiVersion, and holding only
 * what we use. Made by read-object.ts, from a manifest or from a watch; frozen, so that what was concluded from an
 * object can be remembered by its identity.
 */
export type KubernetesObject = Ingress | IngressClass | Service | EndpointGroup | Secret | ConfigMap;

/** Where an object was read. */
export interface Origin {
  /** `file:line:column` of a place in the object: a JSON pointer. The deepest part of it that is there. */
  at(path: string, atKey?: boolean): string;
}

interface ObjectBase {
  /** Empty for objects that belong to no namespace. */
  readonly namespace: string;
  readonly name: string;
  /** Milliseconds since 1970; 0 where it is not known, as in a file that was never applied. */
  readonly createdAt: number;
  readonly annotations: ReadonlyMap<string, string>;
  readonly origin: Origin;
  /** What is wrong with the object by itself. */
  readonly findings: readonly Finding[];
}

export type PathType = 'Exact' | 'Prefix' | 'ImplementationSpecific';

/** A Service's port by its number or its name. */
export type PortRef = number | string;

export interface Backend {
  readonly service: string;
  readonly port: PortRef;
}

export interface IngressPath {
  /** `/` where it is absent, as in ingress-nginx. */
  readonly path: string;
  readonly pathType: PathType;
  /** Null where it is a `resource`, or none that can be read. */
  readonly backend: Backend | null;
  /** JSON pointer of the path in the object. */
  readonly place: string;
}

export interface IngressRule {
  /** As written, in lower case; null for every host that no other rule names. */
  readonly host: string | null;
  readonly paths: readonly IngressPath[];
  readonly place: string;
}

export interface IngressTls {
  /** In lower case. */
  readonly hosts: readonly string[];
  readonly secretName: string | null;
  readonly place: string;
}

/** networking.k8s.io/v1, v1beta1 and extensions/v1beta1. */
export interface Ingress extends ObjectBase {
  readonly kind: 'Ingress';
  readonly className: string | null;
  readonly defaultBackend: Backend | null;
  readonly tls: readonly IngressTls[];
  readonly rules: readonly IngressRule[];
  /** Something in it cannot be what was meant. Its paths are refused, never served without what could not be read. */
  readonly isInvalid: boolean;
}

export interface IngressClass extends ObjectBase {
  readonly kind: 'IngressClass';
  readonly controller: string;
  readonly isDefault: boolean;
}

export interface ServicePort {
  readonly name: string;
  readonly port: number;
  /** A number, or the name of a container's port; the port itself where absent. */
  readonly targetPort: PortRef;
  readonly protocol: string;
}

export interface Service extends ObjectBase {
  readonly kind: 'Service';
  readonly type: string;
  /** Null for none and for headless Services. */
  readonly clusterIp: string | null;
  readonly externalName: string | null;
  readonly ports: readonly ServicePort[];
}

export interface EndpointAddress {
  readonly address: string;
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
  /** Zones whose clients it is meant for, as its EndpointSlice hints; null: no hint. */
  readonly zones: readonly string[] | null;
}

/** Addresses that share ports: an EndpointSlice, or one subset of an Endpoints object. */
export interface EndpointSubset {
  readonly addresses: readonly EndpointAddress[];
  readonly ports: readonly { readonly name: string; readonly port: number; readonly protocol: string }[];
}

/** An EndpointSlice (discovery.k8s.io/v1, v1beta1) or an Endpoints object (v1). */
export interface EndpointGroup extends ObjectBase {
  readonly kind: 'EndpointSlice' | 'Endpoints';
  /** The Service they belong to; empty where an EndpointSlice does not say. */
  readonly service: string;
  readonly subsets: readonly EndpointSubset[];
}

/** Keys to contents: base64 decoded, `stringData` over `data`. */
export interface Secret extends ObjectBase {
  readonly kind: 'Secret';
  readonly data: ReadonlyMap<string, Uint8Array>;
}

export interface ConfigMap extends ObjectBase {
  readonly kind: 'ConfigMap';
  readonly data: ReadonlyMap<string, string>;
}

const keys = new WeakMap<object, string>();

/** `namespace/name`, or the name alone where there is no namespace. Made once for each object. */
export function keyOf(object: { readonly namespace: string; readonly name: string }): string {
  let key = keys.get(object);
  if (key === undefined) {
    const { namespace, name } = object;
    keys.set(object, (key = namespace === '' ? name : `${namespace}/${name}`));
  }
  return key;
}

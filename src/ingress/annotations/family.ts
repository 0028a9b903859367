import type { Config, HostConfig, RouteConfig, UpstreamConfig } from '../../config/schema.ts';
import type { Ingress, IngressPath, Secret } from '../object.ts';
import type { ObjectSet } from '../object-set.ts';
import type { Annotation } from './annotation.ts';
import type { ObjectName } from './value-types.ts';
import type { AnnotationValues } from './values.ts';

type Mutable<Type> = { -readonly [Key in keyof Type]?: Type[Key] };

/** A host as it is put together out of Ingresses, the one with the highest precedence first. */
export interface HostDraft {
  /** Null: the catch-all host. */
  readonly name: string | null;
  /** Keys of the native configuration. Names, certificate and routes are the translation's own. */
  readonly config: Mutable<Pick<HostConfig, 'clientAuth' | 'policy' | 'identityHeaders'>>;
  /** One of its Ingresses has a `tls` block. The catch-all host always counts as such. */
  readonly hasTls: boolean;
  /** Further names, as they are asked for. */
  readonly aliases: string[];
  /** Every path of the host is a regular expression, whoever asked for it (ingress-nginx's second surprise). */
  usesRegex: boolean;
  /** Answers every request of the host with 403, because it cannot be said who may come in. */
  refuse(reason: string): void;
}

/** A path as it is put together. */
export interface RouteDraft {
  readonly match: IngressPath;
  readonly ingress: Ingress;
  readonly host: HostDraft;
  /** Keys of the native configuration. */
  readonly config: Mutable<Omit<RouteConfig, 'path' | 'pathType' | 'upstream'>>;
  readonly upstream: Mutable<Omit<UpstreamConfig, 'endpoints'>>;
  /** Go to the Service's own address instead of its endpoints. */
  usesClusterIp: boolean;
  /** Answers 503, as ingress-nginx does for a location that it could not make out. */
  deny(reason: string): void;
}

/** What a family may ask for, beside the values. Whatever it says is about one Ingress. */
export interface Context {
  readonly ingress: Ingress;
  readonly objects: ObjectSet;
  readonly allowCrossNamespaceSecrets: boolean;
  readonly listeners: Config['listeners'];
  /** Part of the Ingress is refused; where that opens something, the caller denies it too. */
  error(annotation: Annotation, message: string): void;
  warn(annotation: Annotation, message: string): void;
  /**
   * The Secret that an annotation names. Null, with the problem told, where it is not there, or in another namespace and
   * nobody has allowed that.
   */
  secret(annotation: Annotation, name: ObjectName): Secret | null;
  /** Takes contents into the material, and gives the file name that the native configuration refers to them by. */
  file(secret: Secret, key: string, contents: string): string;
}

/** Annotations that belong together, and what they do to a draft of the native configuration. */
export interface Family {
  readonly name: string;
  readonly title: string;
  readonly annotations: readonly Annotation[];
  /** Once for each Ingress of a host, before any of its routes. */
  readonly applyHost?: (values: AnnotationValues, host: HostDraft, context: Context) => void;
  /** Once for each path. */
  readonly applyRoute?: (values: AnnotationValues, route: RouteDraft, context: Context) => void;
}

export function family(definition: Family): Family {
  return Object.freeze({ ...definition, annotations: Object.freeze([...definition.annotations]) });
}

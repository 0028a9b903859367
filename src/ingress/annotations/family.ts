import type { Config, HostConfig, RouteConfig, UpstreamConfig } from '../../config/schema.ts';
import type { Backend, Ingress, IngressPath, Secret, Service } from '../object.ts';
import type { Setting } from '../settings/setting.ts';
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
  /** It has a certificate of its own. Known when routes are made. */
  hasCertificate: boolean;
  /** Further names, as they are asked for. */
  readonly aliases: string[];
  /** Every path of the host is a regular expression, whoever asked for it (ingress-nginx's second surprise). */
  usesRegex: boolean;
  /** Where `/` is redirected to, as a template, and who asked for it; it goes before any path. */
  root: { readonly ingress: Ingress; readonly to: string } | null;
  /** The name with `www.` in front redirects here; without it, where this one has it. */
  hasTwin: boolean;
  /** Answers every request of the host with 403, because it cannot be said who may come in. */
  refuse(reason: string): void;
}

/** A path as it is put together. */
export interface RouteDraft {
  readonly match: IngressPath;
  /** Where requests go; null: nowhere. */
  readonly backend: Backend | null;
  readonly ingress: Ingress;
  readonly host: HostDraft;
  /** Keys of the native configuration. */
  readonly config: Mutable<Omit<RouteConfig, 'path' | 'pathType' | 'upstream'>>;
  readonly upstream: Mutable<Omit<UpstreamConfig, 'endpoints'>>;
  /** Go to the Service's own address instead of its endpoints. */
  usesClusterIp: boolean;
  /** What answers where the backend has no endpoints at all. */
  standIn: Backend | null;
  /** Answers 503, as ingress-nginx does for a location that it could not make out. */
  deny(reason: string): void;
}

/** What a family may ask for, beside the values. Whatever it says is about one Ingress. */
export interface Context {
  readonly ingress: Ingress;
  readonly values: AnnotationValues;
  /** Its paths of this host. */
  readonly paths: readonly IngressPath[];
  readonly listeners: Config['listeners'];
  /** What the annotation says, else the ConfigMap's key for it; null where neither does. */
  value<Value>(annotation: Annotation<Value>): Value | null;
  /** What the ConfigMap's key for an annotation says, whatever the annotation does; null where it is absent. */
  global<Value>(annotation: Annotation<Value>): Value | null;
  /** A key of the ConfigMap; null where it is absent. */
  setting<Value>(setting: Setting<Value>): Value | null;
  /** Part of the Ingress is refused; where that opens something, the caller denies it too. */
  error(annotation: Annotation, message: string): void;
  /** The same, where it is another object that is wrong or missing. */
  errorElsewhere(annotation: Annotation, message: string): void;
  warn(annotation: Annotation, message: string): void;
  /**
   * The Secret that an annotation names. Null, with the problem told, where it is not there, or in another namespace and
   * nobody has allowed that.
   */
  secret(annotation: Annotation, name: ObjectName): Secret | null;
  /** The data of the ConfigMap that a key of the ConfigMap names; null, with the problem told, where there is none. */
  globalMap(setting: Setting<ObjectName>): ReadonlyMap<string, string> | null;
  /** Something about a key of the ConfigMap. */
  settingError(setting: Setting, message: string): void;
  /** The upstream of a Service of the Ingress's own namespace. */
  upstream(backend: Backend): string;
  /** The upstream of a URL: the Service that it names in a cluster's way, else the host itself. */
  externalUpstream(scheme: 'http' | 'https', host: string, port: number): string;
  /** The upstream of `--default-backend-service`; null: there is none. */
  globalBackend(): string | null;
  /** A Service of the Ingress's own namespace. */
  service(name: string): Service | null;
  /** The texts of a ConfigMap that an annotation names; null, with the problem told, as for a Secret. */
  configMap(annotation: Annotation, name: ObjectName): ReadonlyMap<string, string> | null;
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

/** It answers requests itself, with a redirect. */
export function isRedirect({ config }: RouteDraft): boolean {
  return config.redirect !== undefined;
}

/**
 * Answers every request with a redirect. Over plain HTTP too: nginx redirects before it thinks of https. Only where
 * client certificates are asked for, https comes first.
 *
 * @param to A template of the native configuration.
 */
export function redirectTo(route: RouteDraft, to: string, status: number): void {
  delete route.config.rewrite;
  route.config.redirect = { to, status };
  if ((route.host.config.clientAuth?.mode ?? 'off') !== 'off') return;
  route.config.plainHttp = 'serve';
  delete route.config.httpsRedirect;
}

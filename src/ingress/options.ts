import type { Config } from '../config/schema.ts';
import type { Resolve } from './endpoints.ts';
import type { ClassOptions } from './ingress-class.ts';

/** What a translation is told beside the objects. Named after ingress-nginx's flags where it has them. */
export interface TranslateOptions extends ClassOptions {
  /** Secrets of other namespances may be named by annotations: `--allow-cross-namespace-secrets`. */
  readonly allowCrossNamespaceSecrets: boolean;
  /** `namespace/name` of the ConfigMap with what holds for all: `--configmap`. */
  readonly configMap: string | null;
  /** Somebody asked for it: where it is missing, nobody knows what it would have said, and nothing is served. */
  readonly requiresConfigMap: boolean;
  readonly resolve: Resolve;
  /** The zone of the node that we run on: endpoints with a hint for it go before others. Null: not known. */
  readonly zone: string | null;
  /** A host whose Secret is gone or broken keeps the certificate that it had, for as long as there is a memory. */
  readonly keepsCertificates: boolean;
  /** `namespace/name` of the Service that answers where nothing else does; null: 404. */
  readonly defaultBackendService: string | null;
  /** `namespace/name` of the Secret with the certificate of hosts without one: `--default-ssl-certificate`. Null: none. */
  readonly defaultCertificateSecret: string | null;
  /** PEM, for hosts without a certificate of their own, where no Secret has one. Made by the caller, since making one needs a clock and chance. */
  readonly defaultCertificate: { readonly cert: string; readonly key: string };
  /** Everything of the native configuration that objects do not say. */
  readonly base: Omit<Config, 'hosts' | 'upstreams'>;
}

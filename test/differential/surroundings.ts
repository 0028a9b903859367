/** Where requests go, and what a controller would know beside the Ingresses. */
export interface Surroundings {
  /** Endpoints by Service, `namespace/name`. */
  readonly services: Readonly<Record<string, readonly string[]>>;
  /** The port of each listener. */
  readonly http: number;
  readonly https: number;
  /** Files of Secrets, by the annotation's value and the key behind it. */
  readonly secrets: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** The controller's ConfigMap, and others by `namespace/name`. */
  readonly settings: Readonly<Record<string, string>>;
  readonly configMaps: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Targets that a sign-in may lead back to. */
  readonly targets: readonly string[];
  /** `namespace/name` of the Service of --default-backend-service; null: none. */
  readonly defaultBackend: string | null;
}

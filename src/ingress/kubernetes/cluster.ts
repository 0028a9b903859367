import { type KubernetesObject, keyOf, type Origin } from '../object.ts';
import { readObject } from '../read-object.ts';
import { type Address, addressesOfService, readAddresses } from './address.ts';
import type { ApiClient, Query } from './api-client.ts';
import { Collection, type Times } from './collection.ts';
import type { Health } from './health.ts';
import { type Resource, resources } from './resource.ts';

/** What of a cluster is ours to look at. */
export interface ClusterScope {
  /** `--watch-namespace`; null: all. */
  readonly namespace: string | null;
  /** `--watch-namespace-selector`, a label selector; null: none. Not together with a namespace. */
  readonly namespaceSelector: string | null;
  /** `namespace/name` of a Service that is looked at wherever it is: the default backend. */
  readonly service: string | null;
  /** `namespace/name` of the Service by which clients come in from outside; null: none. Nothing waits for it. */
  readonly publishedService: string | null;
}

export interface ClusterOptions extends ClusterScope {
  readonly client: ApiClient;
  readonly health: Health;
  /** Something has changed. */
  readonly onChange: () => void;
  readonly times?: Partial<Times>;
}

/** Objects named by others that are watched, of each kind. */
const maxReferences = 20_000;

/** An object at the API server. What is written about it needs its version and its uid. */
export class ClusterOrigin implements Origin {
  readonly apiVersion: string;
  readonly uid: string;
  readonly resourceVersion: string;

  constructor(apiVersion: string, uid: string, resourceVersion: string) {
    this.apiVersion = apiVersion;
    this.uid = uid;
    this.resourceVersion = resourceVersion;
  }

  at(): string {
    return 'kubernetes';
  }
}

/** What is watched by its name. */
export type ReferenceKind = 'Secret' | 'ConfigMap';

/**
 * The objects of a cluster that can matter: Ingresses, their classes, Services and endpoints as a whole; Secrets and ConfigMaps
 * each by itself, only those that somebody names, and only as long.
 */
export class Cluster {
  readonly #options: ClusterOptions;
  readonly #whole: readonly Collection<KubernetesObject>[];
  readonly #classes: Collection<KubernetesObject>;
  readonly #namespaces: Collection<string> | null;
  readonly #ingresses: Collection<KubernetesObject>;
  readonly #published: Collection<readonly Address[]> | null;
  readonly #references: Readonly<Record<ReferenceKind, Map<string, Collection<KubernetesObject>>>> = {
    Secret: new Map(),
    ConfigMap: new Map(),
  };

  constructor(options: ClusterOptions) {
    this.#options = options;
    const { namespace, namespaceSelector, service, publishedService } = options;
    const { client, health, onChange, times = {} } = options;
    const required = { namespace, isOptional: false };
    this.#classes = this.#collection('IngressClass', resources.classes, {
      namespace: null,
      isOptional: true,
      // Classes belong to no namespace: whoever looks after one may well have no right to read them.
      isDispensable: namespace !== null,
    });
    this.#ingresses = this.#collection('Ingress', resources.ingresses, {
      ...required,
      readStatus: (status) => JSON.stringify(readAddresses(status)),
    });
    const whole = [
      this.#classes,
      this.#ingresses,
      this.#collection('Service', resources.services, required),
      this.#collection('Endpoints', resources.endpoints, required),
    ];
    const [home, name] = service?.split('/') ?? [];
    if (home !== undefined && name !== undefined && namespace !== null && namespace !== home) {
      const elsewhere = { namespace: home, isOptional: true };
      whole.push(
        this.#collection(`Service ${service}`, resources.services, {
          ...elsewhere,
          query: () => named(name),
        }),
        this.#collection(`Endpoints ${service}`, resources.endpoints, {
          ...elsewhere,
          query: ({ kind }) =>
            kind === 'EndpointSlice' ? { labelSelector: `kubernetes.io/service-name=${name}` } : named(name),
        }),
      );
    }
    this.#whole = whole;
    this.#namespaces =
      namespaceSelector === null
        ? null
        : new Collection<string>({
            client,
            health,
            onChange,
            times,
            label: 'Namespace',
            resources: resources.namespaces,
            namespace: null,
            isOptional: false,
            query: () => ({ labelSelector: namespaceSelector }),
            read: (object) => (object as { readonly metadata: { readonly name: string } }).metadata.name,
          });
    const [publishedIn, publishedName] = publishedService?.split('/') ?? [];
    this.#published =
      publishedIn === undefined || publishedName === undefined
        ? null
        : new Collection<readonly Address[]>({
            client,
            health,
            onChange,
            times,
            label: `published Service ${publishedService}`,
            resources: resources.services,
            namespace: publishedIn,
            isOptional: true,
            query: () => named(publishedName),
            // Its addresses come and go in its status.
            print: (object) => JSON.stringify(addressesOfService(object)),
            read: addressesOfService,
          });
  }

  /** What the status of an Ingress (`namespace/name`) says; null: there is none. */
  addressesOf(key: string): readonly Address[] | null {
    const status = this.#ingresses.statusOf(key);
    return status === null ? null : (JSON.parse(status) as readonly Address[]);
  }

  /** Where clients come in by the published Service; null: there is none, or it is not known. */
  published(): readonly Address[] | null {
    return this.#published?.values().next().value ?? null;
  }

  /** Resolves when everything that has to be there was listed once. Of what others name, nothing is asked yet. */
  async settled(): Promise<void> {
    await Promise.all(
      [...this.#whole, ...(this.#namespaces === null ? [] : [this.#namespaces])].map((one) => one.settled),
    );
  }

  /** The IngressClasses are known: what is named and not among them is not there. */
  get knowsClasses(): boolean {
    return this.#classes.isSynced;
  }

  /** All that is known now, in no particular order. */
  objects(): KubernetesObject[] {
    const allowed = this.#namespaces === null ? null : new Set(this.#namespaces.values());
    const { service } = this.#options;
    const objects: KubernetesObject[] = [];
    for (const collection of this.#whole) {
      for (const object of collection.values()) {
        if (
          allowed === null ||
          object.namespace === '' ||
          allowed.has(object.namespace) ||
          isOf(object, service)
        )
          objects.push(object);
      }
    }
    // Whoever names them was looked at for where they are.
    for (const collections of Object.values(this.#references)) {
      for (const collection of collections.values()) objects.push(...collection.values());
    }
    return objects;
  }

  /** Objects of a namespace are looked at. */
  looksAt(namespace: string): boolean {
    const { namespace: only } = this.#options;
    if (only !== null) return namespace === only;
    return this.#namespaces === null || [...this.#namespaces.values()].includes(namespace);
  }

  /** It was asked for, by `namespace/name`: if it is there, it is among the objects. */
  hasAsked(kind: ReferenceKind, key: string): boolean {
    return this.#references[kind].has(key);
  }

  /**
   * Watches the Secrets and ConfigMaps of these names (`namespace/name`) and no others. Resolves when all of them were asked for
   * once; null if none of them is new.
   */
  refer(names: {
    readonly secrets: ReadonlySet<string>;
    readonly configMaps: ReadonlySet<string>;
  }): Promise<void> | null {
    const added = [
      ...this.#watchNamed('Secret', names.secrets),
      ...this.#watchNamed('ConfigMap', names.configMaps),
    ];
    return added.length === 0 ? null : Promise.all(added.map((one) => one.settled)).then(() => {});
  }

  close(): void {
    for (const collection of this.#whole) collection.close();
    this.#namespaces?.close();
    this.#published?.close();
    for (const collections of Object.values(this.#references)) {
      for (const collection of collections.values()) collection.close();
    }
  }

  #watchNamed(kind: ReferenceKind, names: ReadonlySet<string>): Collection<KubernetesObject>[] {
    const watched = this.#references[kind];
    for (const [key, collection] of watched) {
      if (names.has(key)) continue;
      collection.close();
      watched.delete(key);
    }
    const added: Collection<KubernetesObject>[] = [];
    for (const key of names) {
      const [namespace, name] = key.split('/');
      if (watched.has(key) || watched.size >= maxReferences || namespace === undefined || name === undefined)
        continue;
      const collection = this.#collection(
        `${kind} ${key}`,
        kind === 'Secret' ? resources.secrets : resources.configMaps,
        { namespace, isOptional: true, query: () => named(name) },
      );
      watched.set(key, collection);
      added.push(collection);
    }
    return added;
  }

  #collection(
    label: string,
    served: readonly Resource[],
    options: {
      readonly namespace: string | null;
      readonly isOptional: boolean;
      readonly isDispensable?: boolean;
      readonly query?: (resource: Resource) => Query;
      readonly readStatus?: (status: unknown) => string;
    },
  ): Collection<KubernetesObject> {
    const { client, health, onChange, times = {} } = this.#options;
    return new Collection<KubernetesObject>({
      ...options,
      client,
      health,
      onChange,
      times,
      label,
      resources: served,
      read: readFromCluster,
    });
  }
}

function named(name: string): Query {
  return { fieldSelector: `metadata.name=${name}` };
}

function isOf(object: KubernetesObject, service: string | null): boolean {
  if (object.kind === 'Service' || object.kind === 'Endpoints') return keyOf(object) === service;
  return object.kind === 'EndpointSlice' && `${object.namespace}/${object.service}` === service;
}

/** What an API server gave, in our own form; null for what is nothing of ours. */
export function readFromCluster(object: object): KubernetesObject | null {
  const { apiVersion, metadata } = object as {
    readonly apiVersion: string;
    readonly metadata: { readonly uid?: unknown; readonly resourceVersion: string };
  };
  const uid = typeof metadata.uid === 'string' ? metadata.uid : '';
  const read = readObject(object, new ClusterOrigin(apiVersion, uid, metadata.resourceVersion));
  return 'object' in read ? read.object : null;
}

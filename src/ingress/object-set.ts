import type {
  ConfigMap,
  EndpointGroup,
  Ingress,
  IngressClass,
  KubernetesObject,
  Secret,
  Service,
} from './object.ts';
import { keyOf } from './object.ts';
import type { IngressProblem } from './problem.ts';

/** Objects to be asked for by their name. */
export type Lookup<Value> = Pick<ReadonlyMap<string, Value>, 'get' | 'has'>;

/** The objects of one translation, to be asked for by `namespace/name`. */
export interface ObjectSet {
  readonly ingresses: readonly Ingress[];
  readonly classes: ReadonlyMap<string, IngressClass>;
  readonly services: Lookup<Service>;
  /** By the Service they belong to. */
  readonly endpoints: Lookup<readonly EndpointGroup[]>;
  readonly secrets: Lookup<Secret>;
  readonly configMaps: Lookup<ConfigMap>;
  /**
   * Objects that stand twice and differ. None is used: a patch without its checks could come last. Ingresses
   * among them stay in `ingresses`, to be refused.
   */
  readonly disputed: ReadonlySet<KubernetesObject>;
  readonly problems: readonly IngressProblem[];
}

/** Sorts objects by kind and name. The same object twice counts once. */
export function collectObjects(objects: Iterable<KubernetesObject>): ObjectSet {
  const kinds = new Map<string, Map<string, KubernetesObject[]>>();
  for (const object of new Set(objects)) {
    let all = kinds.get(object.kind);
    if (all === undefined) kinds.set(object.kind, (all = new Map<string, KubernetesObject[]>()));
    const key = keyOf(object);
    const same = all.get(key);
    if (same === undefined) all.set(key, [object]);
    else same.push(object);
  }
  const ingresses: Ingress[] = [];
  const classes = new Map<string, IngressClass>();
  const services = new Map<string, Service>();
  const endpoints = new Map<string, EndpointGroup[]>();
  const secrets = new Map<string, Secret>();
  const configMaps = new Map<string, ConfigMap>();
  const disputed = new Set<KubernetesObject>();
  const problems: IngressProblem[] = [];
  for (const same of [...kinds.values()].flatMap((all) => [...all.values()])) {
    if (same.length > 1) {
      for (const object of same) {
        disputed.add(object);
        if (object.kind === 'Ingress') ingresses.push(object);
        const others = same.filter((other) => other !== object).map((other) => other.origin.at(''));
        const message = `stands at ${others.slice(0, 3).join(', ')} too, with other contents: none of them is used`;
        problems.push({ object, path: '/metadata/name', message, severity: 'error' });
      }
      continue;
    }
    const object = same[0]!;
    switch (object.kind) {
      case 'Ingress':
        ingresses.push(object);
        break;
      case 'IngressClass':
        classes.set(object.name, object);
        break;
      case 'Service':
        services.set(keyOf(object), object);
        break;
      case 'Secret':
        secrets.set(keyOf(object), object);
        break;
      case 'ConfigMap':
        configMaps.set(keyOf(object), object);
        break;
      case 'Endpoints':
      case 'EndpointSlice': {
        const key = `${object.namespace}/${object.service}`;
        const group = endpoints.get(key);
        if (group === undefined) endpoints.set(key, [object]);
        else group.push(object);
        break;
      }
    }
  }
  return { ingresses, classes, services, endpoints, secrets, configMaps, disputed, problems };
}

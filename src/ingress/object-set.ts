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

/** One object of each name, of each kind. */
type Named = {
  readonly [Kind in KubernetesObject['kind']]: Map<string, KubernetesObject & { readonly kind: Kind }>;
};

/** Sorts objects by kind and name. The same object twice counts once. */
export function collectObjects(objects: Iterable<KubernetesObject>): ObjectSet {
  const named: Named = {
    Ingress: new Map(),
    IngressClass: new Map(),
    Service: new Map(),
    Endpoints: new Map(),
    EndpointSlice: new Map(),
    Secret: new Map(),
    ConfigMap: new Map(),
  };
  const alike = new Map<KubernetesObject, Set<KubernetesObject>>();
  for (const object of objects) {
    const all: Map<string, KubernetesObject> = named[object.kind];
    const key = keyOf(object);
    const first = all.get(key);
    if (first === undefined) all.set(key, object);
    else if (first !== object) alike.set(first, (alike.get(first) ?? new Set([first])).add(object));
  }
  const disputed = new Set<KubernetesObject>();
  const problems: IngressProblem[] = [];
  for (const [first, same] of alike) {
    if (first.kind !== 'Ingress') named[first.kind].delete(keyOf(first));
    for (const object of same) {
      disputed.add(object);
      const others = [...same].filter((other) => other !== object).map((other) => other.origin.at(''));
      const message = `stands at ${others.slice(0, 3).join(', ')} too, with other contents: none of them is used`;
      problems.push({ object, path: '/metadata/name', message, severity: 'error' });
    }
  }
  const ingresses = [...named.Ingress.values()];
  for (const object of disputed) {
    if (object.kind === 'Ingress' && named.Ingress.get(keyOf(object)) !== object) ingresses.push(object);
  }
  return {
    ingresses,
    classes: named.IngressClass,
    services: named.Service,
    endpoints: endpointsByService(named),
    secrets: named.Secret,
    configMaps: named.ConfigMap,
    disputed,
    problems,
  };
}

function endpointsByService({ Endpoints, EndpointSlice }: Named): Map<string, EndpointGroup[]> {
  const endpoints = new Map<string, EndpointGroup[]>();
  for (const groups of [Endpoints, EndpointSlice]) {
    for (const group of groups.values()) {
      const key = `${group.namespace}/${group.service}`;
      const of = endpoints.get(key);
      if (of === undefined) endpoints.set(key, [group]);
      else of.push(group);
    }
  }
  return endpoints;
}

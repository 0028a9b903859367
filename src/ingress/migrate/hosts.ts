import { normaliseConfigName } from '../../config/rules/names.ts';
import type { Annotation } from '../annotations/annotation.ts';
import { nginxPrefix } from '../annotations/annotation.ts';
import { annotationsByKey, annotationsOf } from '../annotations/registry.ts';
import { catchAll } from '../catch-all.ts';
import type { Ingress, IngressPath } from '../object.ts';

/** A path of a host, and the Ingress that has it. */
export interface HostPath {
  readonly ingress: Ingress;
  readonly path: IngressPath;
}

/** Every path of every host, hosts in their one spelling and in the order they first stand in. */
export function pathsByHost(ingresses: readonly Ingress[]): ReadonlyMap<string, readonly HostPath[]> {
  const hosts = new Map<string, HostPath[]>();
  for (const ingress of ingresses) {
    for (const rule of ingress.rules) {
      const name = rule.host === null ? catchAll : (normaliseConfigName(rule.host) ?? rule.host);
      const paths = hosts.get(name) ?? [];
      hosts.set(name, paths);
      paths.push(...rule.paths.map((path) => ({ ingress, path })));
    }
  }
  return hosts;
}

function declared(name: string): Annotation {
  return annotationsByKey.get(nginxPrefix + name)!;
}

/** An annotation's value as its declaration reads it, by its name without ingress-nginx's prefix; null where it is absent or unreadable. */
export function valueOf(ingress: Ingress, name: string): unknown {
  return annotationsOf(ingress).get(declared(name));
}

/** The JSON pointer of an annotation in its Ingress. */
export function placeOf(ingress: Ingress, name: string): string {
  return annotationsOf(ingress).place(declared(name));
}

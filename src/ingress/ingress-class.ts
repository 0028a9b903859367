import { type Ingress, type IngressClass, keyOf } from './object.ts';

/** As ingress-nginx's flags of the same names. */
export interface ClassOptions {
  /** `--ingress-class`: the annotation's value that means us. */
  readonly ingressClass: string;
  /** `--controller-class`: the controller of the IngressClasses that are ours. */
  readonly controllerClass: string;
  /** `--watch-ingress-without-class`. */
  readonly watchWithoutClass: boolean;
  /** A class that is named has to be there, as in a cluster whose IngressClasses are known. */
  readonly requiresClass: boolean;
}

/** The annotation of the time before IngressClass. */
export const classAnnotation = 'kubernetes.io/ingress.class';

/**
 * Is the Ingress ours? `spec.ingressClassName` goes before the annotation. A class named in the spec is ours if its
 * IngressClass has our controller; where there is no such object at all, as in a folder of manifests that leaves it
 * out, if it has our name, but for `requiresClass`. An Ingress without any class is ours if our IngressClass is the default one, or if we
 * were told so.
 */
export function isOurs(
  ingress: Ingress,
  classes: ReadonlyMap<string, IngressClass>,
  options: ClassOptions,
): boolean {
  const { className } = ingress;
  if (className !== null && className !== '') {
    const found = classes.get(className);
    return found === undefined
      ? !options.requiresClass && className === options.ingressClass
      : found.controller === options.controllerClass;
  }
  const annotated = ingress.annotations.get(classAnnotation);
  if (annotated !== undefined && annotated !== '') {
    return (
      annotated === options.ingressClass || classes.get(annotated)?.controller === options.controllerClass
    );
  }
  if (options.watchWithoutClass) return true;
  return [...classes.values()].some(
    ({ isDefault, controller }) => isDefault && controller === options.controllerClass,
  );
}

/**
 * Who goes first where two Ingresses claim the same: the older one; of two of the same second, the one whose
 * `namespace/name` comes later in the alphabet (ingress-nginx's sortIngressSlice compares that way round). Manifests
 * that were never applied have no age, so among them it is the name alone that decides.
 */
export function byPrecedence(a: Ingress, b: Ingress): number {
  if (a.createdAt !== b.createdAt) return a.createdAt - b.createdAt;
  const [nameA, nameB] = [keyOf(a), keyOf(b)];
  return nameA === nameB ? 0 : nameA > nameB ? -1 : 1;
}

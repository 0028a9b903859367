import type { Severity } from '../config/problem.ts';
import { printable } from '../config/text.ts';
import { type KubernetesObject, keyOf } from './object.ts';

/** Something about an object that is wrong (`error`: part of it is refused) or ought to be looked at (`warning`). */
export interface IngressProblem {
  readonly object: KubernetesObject;
  /** JSON pointer into the object. */
  readonly path: string;
  readonly message: string;
  readonly severity: Severity;
  /** The key is what is wrong, and not its value. */
  readonly atKey?: boolean;
  /** It is another object that is wrong or missing, one that the object names: it may come, or be put right, by itself. */
  readonly elsewhere?: true;
}

/** `file:line:column Ingress namespace/name /path what is wrong`, on one line whatever the object holds. */
export function formatIngressProblem({ object, path, message, severity, atKey }: IngressProblem): string {
  const label = severity === 'warning' ? 'warning: ' : '';
  const place = path === '' ? '/' : path;
  return printable(
    `${object.origin.at(path, atKey)} ${object.kind} ${keyOf(object)} ${place} ${label}${message}`,
  );
}

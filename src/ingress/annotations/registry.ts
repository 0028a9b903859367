import type { Ingress } from '../object.ts';
import { access } from './access.ts';
import { type Annotation, annotationKey } from './annotation.ts';
import { clientCertificates } from './client-certificates.ts';
import type { Family } from './family.ts';
import { identity } from './identity.ts';
import { later } from './later.ts';
import { proxy } from './proxy.ts';
import { rateLimits } from './rate-limits.ts';
import { redirectToHttps } from './redirect-to-https.ts';
import { redirects } from './redirects.ts';
import { rewrite } from './rewrite.ts';
import { routing } from './routing.ts';
import { type AnnotationValues, readAnnotationValues } from './values.ts';

/** Every family. Their order is that of their effects: what sets a host up comes before what judges it. */
export const families: readonly Family[] = Object.freeze([
  clientCertificates,
  identity,
  redirectToHttps,
  redirects,
  rewrite,
  routing,
  access,
  rateLimits,
  proxy,
  ...later,
]);

/** Every annotation there is, by its key; aliases lead to the same declaration. */
export const annotationsByKey: ReadonlyMap<string, Annotation> = new Map(
  families.flatMap(({ annotations }) =>
    annotations.flatMap((annotation) =>
      [annotation.name, ...annotation.aliases].map(
        (name) => [annotationKey({ prefix: annotation.prefix, name }), annotation] as const,
      ),
    ),
  ),
);

const known = new WeakMap<Ingress, AnnotationValues>();

/** An Ingress's annotations, read once. */
export function annotationsOf(ingress: Ingress): AnnotationValues {
  let values = known.get(ingress);
  if (values === undefined) known.set(ingress, (values = readAnnotationValues(ingress, annotationsByKey)));
  return values;
}

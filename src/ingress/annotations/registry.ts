import type { Ingress } from '../object.ts';
import { access } from './access.ts';
import { type Annotation, annotationKey } from './annotation.ts';
import { affinity } from './affinity.ts';
import { backendTls } from './backend-tls.ts';
import { balancing } from './balancing.ts';
import { canaries } from './canary.ts';
import { clientCertificates } from './client-certificates.ts';
import { cors } from './cors.ts';
import { errorPages } from './error-pages.ts';
import { externalAuth } from './external-auth.ts';
import type { Family } from './family.ts';
import { headers } from './headers.ts';
import { identity } from './identity.ts';
import { mirror } from './mirror.ts';
import { proxy } from './proxy.ts';
import { rateLimits } from './rate-limits.ts';
import { redirectToHttps } from './redirect-to-https.ts';
import { redirects } from './redirects.ts';
import { refusedFamilies } from './refused.ts';
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
  externalAuth,
  rateLimits,
  backendTls,
  balancing,
  cors,
  affinity,
  canaries,
  headers,
  errorPages,
  mirror,
  proxy,
  ...refusedFamilies,
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

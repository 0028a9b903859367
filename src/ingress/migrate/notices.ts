import { quote } from '../../config/text.ts';
import { annotationKey } from '../annotations/annotation.ts';
import { suggestPolicy } from '../annotations/match-cn.ts';
import { families } from '../annotations/registry.ts';
import { annotationsOf } from '../annotations/registry.ts';
import type { ObjectName } from '../annotations/value-types.ts';
import { type Ingress, keyOf } from '../object.ts';
import type { ObjectSet } from '../object-set.ts';
import { pathsByHost, placeOf, valueOf } from './hosts.ts';

/** Something that whoever moves here ought to know of, where it occurs. */
export interface Notice {
  /** `surprise 1` to `surprise 5`, or the name of a danger. */
  readonly topic: string;
  readonly object: Ingress;
  /** JSON pointer into the object. */
  readonly place: string;
  /** The path it is about, as the Ingress writes it; null: all of them. */
  readonly path: string | null;
  readonly says: string;
  /** Something is to be done or to be decided; else it is only good to know. */
  readonly needsAttention: boolean;
}

/**
 * What was dangerous under ingress-nginx and is not carried over, or ought not to be: unanchored match-cn, Secrets of other
 * namespaces, Secrets without ca.crt, and paths open over plain HTTP beside a check of certificates. Pure.
 */
export function dangers(
  ingresses: readonly Ingress[],
  { secrets }: ObjectSet,
  { allowCrossNamespaceSecrets }: { readonly allowCrossNamespaceSecrets: boolean },
): Notice[] {
  return ingresses
    .flatMap((ingress) => [
      ...matchCn(ingress),
      ...crossNamespace(ingress, allowCrossNamespaceSecrets),
      ...missingCa(ingress, secrets),
    ])
    .concat(plainHttp(ingresses));
}

function matchCn(ingress: Ingress): Notice[] {
  const value = valueOf(ingress, 'auth-tls-match-cn') as { readonly pattern: string } | null;
  if (value === null) return [];
  const says = `${quote(value.pattern)} is searched for anywhere in the subject, in other attributes too and as part of longer names; write ${suggestPolicy(value.pattern)}`;
  return [about('unanchored match-cn', ingress, placeOf(ingress, 'auth-tls-match-cn'), says)];
}

function crossNamespace(ingress: Ingress, allowed: boolean): Notice[] {
  const values = annotationsOf(ingress);
  return families.flatMap(({ annotations }) =>
    annotations.flatMap((annotation) => {
      const value = values.get(annotation);
      if (!isObjectName(value) || value.namespace === null || value.namespace === ingress.namespace)
        return [];
      const name = annotationKey(annotation);
      const so = allowed
        ? 'allowed here by --allow-cross-namespace-secrets'
        : 'refused here too: move it, or allow it with --allow-cross-namespace-secrets';
      const says = `${name} names ${value.namespace}/${value.name}, of another namespace, which ingress-nginx refuses since 1.12; ${so}`;
      return [
        {
          ...about('cross-namespace secret', ingress, values.place(annotation), says),
          needsAttention: !allowed,
        },
      ];
    }),
  );
}

function isObjectName(value: unknown): value is ObjectName {
  return typeof value === 'object' && value !== null && 'namespace' in value && 'name' in value;
}

function missingCa(ingress: Ingress, secrets: ObjectSet['secrets']): Notice[] {
  const name = valueOf(ingress, 'auth-tls-secret') as ObjectName | null;
  const secret = name === null ? undefined : secrets.get(`${name.namespace}/${name.name}`);
  if (secret === undefined || secret.data.has('ca.crt')) return [];
  const says = `the Secret ${keyOf(secret)} has no ca.crt: ingress-nginx lets everyone in without a word, here the host answers 403; add the CAs of the clients as ca.crt`;
  return [about('missing ca.crt', ingress, placeOf(ingress, 'auth-tls-secret'), says)];
}

/** ingress-nginx asks for certificates over TLS alone; port 80 is protected by its redirect, or not at all. */
function plainHttp(ingresses: readonly Ingress[]): Notice[] {
  const found: Notice[] = [];
  for (const [host, paths] of pathsByHost(ingresses)) {
    const all = [...new Set(paths.map(({ ingress }) => ingress))];
    if (!all.some(asksForCertificates)) continue;
    const hasTls = all.some(({ tls }) => tls.length > 0);
    for (const ingress of all) {
      if (valueOf(ingress, 'force-ssl-redirect') === true) continue;
      const turnedOff = valueOf(ingress, 'ssl-redirect') === false;
      if (hasTls && !turnedOff) continue;
      const why = turnedOff ? 'ssl-redirect is off' : 'no Ingress of it has a tls block';
      const says = `${quote(host)} was open over plain HTTP without any certificate (${why}); here plain HTTP is redirected to https, whatever that says`;
      const place = turnedOff ? placeOf(ingress, 'ssl-redirect') : '/spec';
      found.push(about('plain-HTTP bypass', ingress, place, says));
    }
  }
  return found;
}

function asksForCertificates(ingress: Ingress): boolean {
  return valueOf(ingress, 'auth-tls-secret') !== null && valueOf(ingress, 'auth-tls-verify-client') !== 'off';
}

function about(topic: string, object: Ingress, place: string, says: string): Notice {
  return { topic, object, place, path: null, says, needsAttention: true };
}

import type { HostConfig } from '../config/schema.ts';
import { quote } from '../config/text.ts';
import type { MaterialBuilder } from './material-builder.ts';
import type { Ingress, IngressTls } from './object.ts';
import type { ObjectSet } from './object-set.ts';
import { covers, type PairMaterial, pairOf } from './secret-material.ts';

type Report = (ingress: Ingress, path: string, message: string) => void;

/** The certificate of every host without one of its own. */
export function defaultCertificate(
  material: MaterialBuilder,
  pair: { cert: string; key: string },
): HostConfig['certificate'] {
  return { cert: material.add('default/tls.crt', pair.cert), key: material.add('default/tls.key', pair.key) };
}

/**
 * The certificate of a host: of the first Ingress with a `tls` block, the block that names the host, else one whose
 * certificate covers it. Null for the default one, as ingress-nginx falls back to it, and says why.
 */
export function hostCertificate(
  host: string,
  ingresses: readonly Ingress[],
  objects: ObjectSet,
  material: MaterialBuilder,
  report: Report,
): HostConfig['certificate'] | null {
  for (const ingress of ingresses) {
    if (ingress.tls.length === 0) continue;
    const named = ingress.tls.find(({ hosts }) => hosts.includes(host));
    if (named === undefined) {
      for (const block of ingress.tls) {
        const pair = secretPair(ingress, block, objects);
        if (pair !== null && typeof pair !== 'string' && covers(pair, host))
          return files(ingress, block, pair, material);
      }
      return null;
    }
    if (named.secretName === null || named.secretName === '') return null;
    const pair = secretPair(ingress, named, objects);
    const key = `${ingress.namespace}/${named.secretName}`;
    if (pair === null || typeof pair === 'string') {
      const what = pair === null ? 'is not there' : pair;
      report(
        ingress,
        `${named.place}/secretName`,
        `the Secret ${key} ${what}: ${quote(host)} gets the default certificate`,
      );
      return null;
    }
    if (!covers(pair, host)) {
      report(
        ingress,
        `${named.place}/secretName`,
        `the certificate in ${key} is not for ${quote(host)}, which gets the default certificate`,
      );
      return null;
    }
    return files(ingress, named, pair, material);
  }
  return null;
}

function secretPair(
  ingress: Ingress,
  { secretName }: IngressTls,
  objects: ObjectSet,
): PairMaterial | string | null {
  const secret = objects.secrets.get(`${ingress.namespace}/${secretName ?? ''}`);
  if (secret === undefined) return null;
  const pair = pairOf(secret);
  return 'fault' in pair ? pair.fault : pair;
}

function files(
  { namespace }: Ingress,
  { secretName }: IngressTls,
  { cert, key }: PairMaterial,
  material: MaterialBuilder,
): HostConfig['certificate'] {
  const folder = `secret/${namespace}/${secretName}`;
  return { cert: material.add(`${folder}/tls.crt`, cert), key: material.add(`${folder}/tls.key`, key) };
}

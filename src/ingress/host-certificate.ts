import type { HostConfig } from '../config/schema.ts';
import { quote } from '../config/text.ts';
import type { MaterialBuilder } from './material-builder.ts';
import type { Ingress, IngressTls } from './object.ts';
import type { ObjectSet } from './object-set.ts';
import type { TranslateOptions } from './options.ts';
import { covers, type PairMaterial, pairOf } from './secret-material.ts';

type Report = (ingress: Ingress, path: string, message: string) => void;

/** Certificates that a host was served with, by the Secret they came from: those of its last translation, and of this one. */
export interface KeptPairs {
  readonly before: ReadonlyMap<string, PairMaterial>;
  readonly now: Map<string, PairMaterial>;
}

/**
 * The certificate of every host without one of its own: of the Secret that the options name, else, as in ingress-nginx,
 * the one that was made, and why.
 *
 * @param kept Where the Secret is gone or broken, what was had from it stays; null: it does not.
 */
export function defaultCertificate(
  material: MaterialBuilder,
  objects: ObjectSet,
  { defaultCertificate: made, defaultCertificateSecret: key }: TranslateOptions,
  kept: KeptPairs | null,
): { readonly certificate: HostConfig['certificate']; readonly fault: string | null } {
  // The files' names stay when their contents change: hosts that are remembered go on naming them.
  const files = (pair: { readonly cert: string; readonly key: string }) => ({
    cert: material.add('default/tls.crt', pair.cert),
    key: material.add('default/tls.key', pair.key),
  });
  if (key === null) return { certificate: files(made), fault: null };
  const found = pairOfKey(key, objects);
  const used = usable(found, key, kept);
  if (used !== null && used === found) return { certificate: files(used), fault: null };
  const instead = used === null ? 'get a self-signed one' : `keep it, valid until ${used.leaf.validTo}`;
  return {
    certificate: files(used ?? made),
    fault: `the Secret ${key} of --default-ssl-certificate ${whatIsWrong(found)}: hosts without a certificate of their own ${instead}`,
  };
}

/** Blocks whose certificates are tried for a host that none of them names: each host of the Ingress asks for each of them. */
const maxTried = 100;

/**
 * The certificate of a host: of the first Ingress with a `tls` block, the block that names the host, else one whose
 * certificate covers it. Null for the default one, as ingress-nginx falls back to it, and says why.
 *
 * @param kept Where a Secret is gone or broken, the certificate that the host had from it stays; null: it does not.
 */
export function hostCertificate(
  host: string,
  ingresses: readonly Ingress[],
  objects: ObjectSet,
  material: MaterialBuilder,
  kept: KeptPairs | null,
  report: Report,
): HostConfig['certificate'] | null {
  for (const ingress of ingresses) {
    if (ingress.tls.length === 0) continue;
    const named = blocksByHost(ingress).get(host);
    if (named === undefined) {
      if (ingress.tls.length > maxTried) {
        const message = `more than ${maxTried} tls blocks: only those that name a host are for it`;
        report(ingress, '/spec/tls', message);
        return null;
      }
      for (const block of ingress.tls) {
        const found = secretPair(ingress, block, objects);
        const pair = usable(found, `${ingress.namespace}/${block.secretName}`, kept);
        if (pair === null || !covers(pair, host)) continue;
        if (pair !== found)
          report(ingress, `${block.place}/secretName`, keeps(ingress, block, found, host, pair));
        return files(ingress, block, pair, material);
      }
      return null;
    }
    if (named.secretName === null || named.secretName === '') return null;
    const found = secretPair(ingress, named, objects);
    const key = `${ingress.namespace}/${named.secretName}`;
    const pair = usable(found, key, kept);
    if (pair === null) {
      report(
        ingress,
        `${named.place}/secretName`,
        `the Secret ${key} ${whatIsWrong(found)}: ${quote(host)} gets the default certificate`,
      );
      return null;
    }
    if (pair !== found)
      report(ingress, `${named.place}/secretName`, keeps(ingress, named, found, host, pair));
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

const blocks = new WeakMap<Ingress, ReadonlyMap<string, IngressTls>>();

/** The first block that names each host. */
function blocksByHost(ingress: Ingress): ReadonlyMap<string, IngressTls> {
  let found = blocks.get(ingress);
  if (found === undefined) {
    const pairs = ingress.tls.flatMap((block) => block.hosts.map((name) => [name, block] as const));
    blocks.set(ingress, (found = new Map(pairs.reverse())));
  }
  return found;
}

type Found = PairMaterial | string | null;

function whatIsWrong(found: Found): string {
  return typeof found === 'string' ? found : 'is not there';
}

function keeps(
  { namespace }: Ingress,
  { secretName }: IngressTls,
  found: Found,
  host: string,
  { leaf }: PairMaterial,
): string {
  return `the Secret ${namespace}/${secretName} ${whatIsWrong(found)}: ${quote(host)} keeps the certificate that it had, valid until ${leaf.validTo}`;
}

/** What is there, or what was last. */
function usable(found: Found, key: string, kept: KeptPairs | null): PairMaterial | null {
  const pair = found === null || typeof found === 'string' ? (kept?.before.get(key) ?? null) : found;
  if (pair !== null) kept?.now.set(key, pair);
  return pair;
}

function secretPair(ingress: Ingress, { secretName }: IngressTls, objects: ObjectSet): Found {
  return pairOfKey(`${ingress.namespace}/${secretName ?? ''}`, objects);
}

function pairOfKey(key: string, objects: ObjectSet): Found {
  const secret = objects.secrets.get(key);
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

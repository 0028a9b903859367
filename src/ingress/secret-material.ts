import type { X509Certificate } from 'node:crypto';
import { certificatesOf, checkFit } from '../config/fit.ts';
import { blocksFor, type PemRole, pemFault } from '../config/pem.ts';
import type { Config } from '../config/schema.ts';
import type { Secret } from './object.ts';

/** A certificate that TLS takes, with its key. */
export interface PairMaterial {
  readonly cert: string;
  readonly key: string;
  readonly leaf: X509Certificate;
}

/** CAs to trust, and their CRLs. */
export interface TrustMaterial {
  readonly ca: string;
  readonly crl: string | null;
}

export interface Unusable {
  readonly fault: string;
}

const pairs = new WeakMap<Secret, PairMaterial | Unusable>();
const trusts = new WeakMap<Secret, TrustMaterial | Unusable>();

/** `tls.crt` and `tls.key` of a Secret, judged as the files of a native configuration are, once for each Secret. */
export function pairOf(secret: Secret): PairMaterial | Unusable {
  return remembered(pairs, secret, () => {
    const cert = contents(secret, 'tls.crt', 'certificate');
    if ('fault' in cert) return cert;
    const key = contents(secret, 'tls.key', 'key');
    if ('fault' in key) return key;
    const fault = misfit(
      { certificate: { cert: 'tls.crt', key: 'tls.key' } },
      { 'tls.crt': cert.pem, 'tls.key': key.pem },
    );
    const [leaf] = certificatesOf(cert.pem);
    if (fault !== null || leaf === undefined) return { fault: fault ?? 'tls.crt holds no certificate' };
    return { cert: cert.pem, key: key.pem, leaf };
  });
}

/**
 * `ca.crt` and, where it is there, `ca.crl`. A Secret of cert-manager has its own certificate beside them, which is
 * trusted for nothing (ingress-nginx puts it among the CAs).
 */
export function trustOf(secret: Secret): TrustMaterial | Unusable {
  return remembered(trusts, secret, () => {
    const ca = contents(secret, 'ca.crt', 'ca');
    if ('fault' in ca) return ca;
    const crl = secret.data.has('ca.crl') ? contents(secret, 'ca.crl', 'crl') : null;
    if (crl !== null && 'fault' in crl) return crl;
    const files = crl === null ? { ca: 'ca.crt' } : { ca: 'ca.crt', crl: 'ca.crl' };
    const fault = misfit(
      { certificate: { cert: '', key: '' }, clientAuth: { mode: 'require', ...files } },
      { 'ca.crt': ca.pem, ...(crl === null ? {} : { 'ca.crl': crl.pem }) },
    );
    return fault === null ? { ca: ca.pem, crl: crl?.pem ?? null } : { fault };
  });
}

/** Whether the certificate is for a host name; its common name counts too, as in ingress-nginx. */
export function covers({ leaf }: PairMaterial, host: string): boolean {
  const probe = host.startsWith('*.') ? `wildcard-probe${host.slice(1)}` : host;
  return leaf.checkHost(probe, { subject: 'always', partialWildcards: false }) !== undefined;
}

function remembered<Value>(memory: WeakMap<Secret, Value>, secret: Secret, judge: () => Value): Value {
  const known = memory.get(secret);
  if (known !== undefined) return known;
  const judged = judge();
  memory.set(secret, judged);
  return judged;
}

function contents(secret: Secret, key: string, role: PemRole): { readonly pem: string } | Unusable {
  const bytes = secret.data.get(key);
  if (bytes === undefined) return { fault: `has no ${key}` };
  if (bytes.length === 0) return { fault: `has an empty ${key}` };
  const fault = pemFault(role, bytes);
  if (fault !== null) return { fault: `has a ${key} that ${fault}` };
  // Only the blocks: nothing else in a Secret is ours to hand on.
  return { pem: blocksFor(role, Buffer.from(bytes).toString('latin1')).join('') };
}

type Files = Pick<Config['hosts'][number], 'certificate' | 'clientAuth'>;

/** The first thing that keeps files from being served with, in the words of the native configuration's checks. */
function misfit(files: Files, material: Readonly<Record<string, string>>): string | null {
  const config = {
    listeners: { https: { port: 0 } },
    hosts: [{ names: ['_'], routes: [], ...files }],
    upstreams: {},
  } as Config;
  const [finding] = checkFit(config, new Map(Object.entries(material)));
  return finding === undefined ? null : `cannot be used: ${finding.message}`;
}

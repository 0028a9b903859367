import { X509Certificate } from 'node:crypto';
import type { Host, Snapshot } from '../../snapshot/snapshot.ts';
import { readIdentity } from '../../tls/identity-reader.ts';
import { shorten } from '../shorten.ts';

type Labels = Readonly<Record<string, string>>;

const noIngress: Labels = Object.freeze({ namespace: '', ingress: '', service: '' });

/** What ingress-nginx's labels say of hosts, routes and upstreams, by our own. All out of the snapshot, so bounded by it. */
export class SnapshotFacts {
  readonly #routes = new Map<string, Labels>();
  readonly #hosts = new Map<string, Labels>();
  readonly #upstreams = new Map<string, Labels>();
  readonly #all: readonly Host[];

  constructor(snapshot: Snapshot) {
    this.#all = snapshot.hosts.all;
    for (const host of this.#all) {
      const ingresses = new Map<string, Labels>();
      for (const { id, path, ingress, upstream } of host.routes.all) {
        const { namespace, name, service } = ingress ?? { namespace: '', name: '', service: '' };
        this.#routes.set(id, { path, namespace, ingress: name, service });
        if (ingress === null) continue;
        ingresses.set(`${namespace}/${name}`, { namespace, ingress: name });
        if (upstream !== '') this.#upstreams.set(upstream, { namespace, service });
      }
      // A host of several Ingresses is none of them.
      const [only, ...others] = ingresses.values();
      if (only !== undefined && others.length === 0) this.#hosts.set(host.id, only);
    }
  }

  /** Of what our labels `host` and `route` mean. */
  routeLabels({ host = '', route = '' }: Labels): Labels {
    return { host, path: '', ...noIngress, ...this.#routes.get(route), canary: '' };
  }

  hostLabels(host: string): Labels {
    return { host, namespace: '', ingress: '', ...this.#hosts.get(host) };
  }

  upstreamLabels(upstream: string): Labels {
    return { namespace: '', service: upstream, ...this.#upstreams.get(upstream) };
  }

  get certificates(): readonly { readonly host: string; readonly labels: Labels }[] {
    return this.#all.flatMap((host) => {
      const labels = infoOf(host.certificate);
      return labels === null ? [] : [{ host: host.id, labels }];
    });
  }
}

/** A host that is unchanged has the same certificate object in the next snapshot. */
const infos = new WeakMap<Host['certificate'], Labels | null>();

const algorithms: Readonly<Record<string, string>> = { rsa: 'RSA', ec: 'ECDSA', ed25519: 'Ed25519' };
const organization = '2.5.4.10';
const commonName = '2.5.4.3';

function infoOf(certificate: Host['certificate']): Labels | null {
  let info = infos.get(certificate);
  if (info === undefined) infos.set(certificate, (info = readInfo(certificate.cert)));
  return info;
}

/** Null of what cannot be read: TLS is what refuses it. */
function readInfo(pem: string): Labels | null {
  try {
    const certificate = new X509Certificate(pem);
    const { issuer, serial } = readIdentity(certificate.raw);
    const first = (oid: string): string =>
      shorten(issuer.flat().find((attribute) => attribute.oid === oid)?.value ?? '', 128);
    return {
      issuer_common_name: first(commonName),
      issuer_organization: first(organization),
      // In decimal, as Go prints it.
      serial_number: String(BigInt(`0x${serial.replace(/^-/, '')}`)),
      public_key_algorithm: algorithms[certificate.publicKey.asymmetricKeyType ?? ''] ?? 'unknown',
    };
  } catch {
    return null;
  }
}

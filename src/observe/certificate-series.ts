import type { Host, Snapshot, Trust } from '../snapshot/snapshot.ts';
import {
  readCertificates,
  crlFacts,
  type CertificateFacts,
  type CrlFacts,
} from '../tls/certificate-facts.ts';
import type { Steps } from '../steps.ts';
import type { Families } from './families.ts';
import type { NumberSeries } from './series.ts';

/** CA certificates watched per host, the soonest to expire first: a bundle of the web's CAs has 150. */
export const maxCaCertificates = 20;
/** CRLs watched per host, the soonest to expire first. */
export const maxCrls = 20;
/** Past this many hosts each keeps only its soonest CA certificate and CRL. */
export const maxHostsInDetail = 100;

/** Facts of what hosts have; a host that is unchanged is the same object in the next snapshot. */
const leaves = new WeakMap<Host['certificate'], CertificateFacts | null>();

function leafOf({ certificate }: Host): CertificateFacts | null {
  let leaf = leaves.get(certificate);
  if (leaf === undefined) {
    leaf = readCertificates(certificate.cert)[0] ?? null;
    leaves.set(certificate, leaf);
  }
  return leaf;
}

/** Reads the hosts' certificates ahead of `describe`, step by step: of thousands of hosts that takes a second. */
export function* readLeaves({ hosts }: Snapshot): Steps<null> {
  for (const host of hosts.all) {
    leafOf(host);
    yield;
  }
  return null;
}

/** Dates of the certificates, CAs and CRLs that a snapshot holds. */
export class CertificateSeries {
  readonly #families: Families;
  #stores: ReadonlyMap<string, readonly CertificateFacts[]> = new Map();
  readonly #lists = new WeakMap<Trust, readonly CrlFacts[]>();
  readonly #ages: { readonly series: NumberSeries; readonly thisUpdate: number }[] = [];

  constructor(families: Families) {
    this.#families = families;
  }

  /** Sets the dates anew; what the snapshot no longer holds is gone. */
  describe(snapshot: Snapshot): void {
    const families = this.#families;
    const none = (): boolean => false;
    families.serverCertificateNotAfter.retain(none);
    families.caCertificateNotAfter.retain(none);
    families.crlNextUpdate.retain(none);
    families.crlAge.retain(none);
    families.crlRevokedEntries.retain(none);
    this.#ages.length = 0;
    // Hosts share trust stores; each is read once.
    const stores = new Map<string, readonly CertificateFacts[]>();
    const detail = snapshot.hosts.all.length <= maxHostsInDetail;
    for (const host of snapshot.hosts.all) {
      const leaf = leafOf(host);
      if (leaf !== null) {
        families.serverCertificateNotAfter.series({ host: host.id }).value = leaf.notAfter / 1000;
      }
      const { stores: distinct, trusts } = host.clientAuth;
      const cas = distinct.flatMap(({ ca, key }) =>
        remember(stores, this.#stores, key, () => readCertificates(ca)),
      );
      const crls = trusts.flatMap((trust) => this.#listsOf(trust));
      const soonestCas = soonest(cas, ({ notAfter }) => notAfter);
      this.#describeCas(host, soonestCas.slice(0, detail ? maxCaCertificates : 1));
      const soonestCrls = soonest(crls, ({ nextUpdate }) => nextUpdate ?? Infinity);
      this.#describeCrls(host, soonestCrls.slice(0, detail ? maxCrls : 1));
    }
    this.#stores = stores;
  }

  #listsOf(trust: Trust): readonly CrlFacts[] {
    let facts = this.#lists.get(trust);
    if (facts === undefined) {
      const { revocation, ca } = trust;
      facts = revocation === null ? [] : crlFacts([...revocation.lists.values()].flat(), ca);
      this.#lists.set(trust, facts);
    }
    return facts;
  }

  /** The ages of CRLs as of `now`, in milliseconds since 1970. */
  update(now: number): void {
    for (const { series, thisUpdate } of this.#ages) series.value = (now - thisUpdate) / 1000;
  }

  #describeCas(host: Host, cas: readonly CertificateFacts[]): void {
    for (const { subject, fingerprint, notAfter } of cas) {
      const labels = { host: host.id, subject, fingerprint };
      this.#families.caCertificateNotAfter.series(labels).value = notAfter / 1000;
    }
  }

  #describeCrls(host: Host, crls: readonly CrlFacts[]): void {
    const families = this.#families;
    const seen = new Set<string>();
    for (const { issuer, thisUpdate, nextUpdate, revoked } of crls) {
      // Of two CRLs of one CA the one that lapses first is the one to worry about.
      if (seen.has(issuer)) continue;
      seen.add(issuer);
      const labels = { host: host.id, issuer };
      if (nextUpdate !== null) families.crlNextUpdate.series(labels).value = nextUpdate / 1000;
      families.crlRevokedEntries.series(labels).value = revoked;
      this.#ages.push({ series: families.crlAge.series(labels), thisUpdate });
    }
  }
}

function soonest<Facts>(facts: readonly Facts[], date: (facts: Facts) => number): readonly Facts[] {
  return facts.toSorted((one, two) => date(one) - date(two));
}

function remember<Value>(
  cache: Map<string, Value>,
  before: ReadonlyMap<string, Value>,
  key: string,
  make: () => Value,
): Value {
  let value = cache.get(key);
  if (value === undefined) cache.set(key, (value = before.get(key) ?? make()));
  return value;
}

import type { Host, Snapshot, Trust } from '../snapshot/snapshot.ts';
import {
  readCertificates,
  crlFacts,
  type CertificateFacts,
  type CrlFacts,
} from '../tls/certificate-facts.ts';
import type { Steps } from '../steps.ts';
import type { Families } from './families.ts';
import type { LabelValues, NumberFamily, NumberSeries } from './series.ts';

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

/** A host with the series that it has. */
interface Described {
  readonly host: Host;
  readonly forget: (() => void)[];
  readonly ages: { readonly series: NumberSeries; readonly thisUpdate: number }[];
}

/** Dates of the certificates, CAs and CRLs that a snapshot holds. */
export class CertificateSeries {
  readonly #families: Families;
  #stores: ReadonlyMap<string, readonly CertificateFacts[]> = new Map();
  readonly #lists = new WeakMap<Trust, readonly CrlFacts[]>();
  #described: ReadonlyMap<string, Described> = new Map();
  #detail: boolean | null = null;

  constructor(families: Families) {
    this.#families = families;
  }

  /** Sets the dates anew, of hosts that are not the very same objects; what the snapshot no longer holds is gone. */
  describe(snapshot: Snapshot): void {
    const hosts = snapshot.hosts.all;
    const detail = hosts.length <= maxHostsInDetail;
    const anew = detail !== this.#detail;
    this.#detail = detail;
    const before = this.#described;
    const described = new Map<string, Described>();
    // Hosts share trust stores; each is read once.
    const stores = new Map<string, readonly CertificateFacts[]>();
    const changed: Host[] = [];
    for (const host of hosts) {
      for (const { ca, key } of host.clientAuth.stores) {
        remember(stores, this.#stores, key, () => readCertificates(ca));
      }
      const known = before.get(host.id);
      if (known?.host === host && !anew) described.set(host.id, known);
      else changed.push(host);
    }
    this.#stores = stores;
    for (const [id, { forget }] of before) if (!described.has(id)) for (const one of forget) one();
    for (const host of changed) described.set(host.id, this.#describe(host, detail));
    this.#described = described;
  }

  #describe(host: Host, detail: boolean): Described {
    const made: Described = { host, forget: [], ages: [] };
    const leaf = leafOf(host);
    if (leaf !== null) {
      this.#set(made, this.#families.serverCertificateNotAfter, { host: host.id }, leaf.notAfter / 1000);
    }
    const { stores, trusts } = host.clientAuth;
    const cas = stores.flatMap(({ key }) => this.#stores.get(key) ?? []);
    const crls = trusts.flatMap((trust) => this.#listsOf(trust));
    const soonestCas = soonest(cas, ({ notAfter }) => notAfter);
    this.#describeCas(made, soonestCas.slice(0, detail ? maxCaCertificates : 1));
    const soonestCrls = soonest(crls, ({ nextUpdate }) => nextUpdate ?? Infinity);
    this.#describeCrls(made, soonestCrls.slice(0, detail ? maxCrls : 1));
    return made;
  }

  #set<Label extends string>(
    { forget }: Described,
    family: NumberFamily<Label>,
    labels: LabelValues<Label>,
    value: number,
  ): NumberSeries {
    const series = family.series(labels);
    series.value = value;
    forget.push(() => family.forget(labels));
    return series;
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
    for (const { ages } of this.#described.values()) {
      for (const { series, thisUpdate } of ages) series.value = (now - thisUpdate) / 1000;
    }
  }

  #describeCas(made: Described, cas: readonly CertificateFacts[]): void {
    for (const { subject, fingerprint, notAfter } of cas) {
      const labels = { host: made.host.id, subject, fingerprint };
      this.#set(made, this.#families.caCertificateNotAfter, labels, notAfter / 1000);
    }
  }

  #describeCrls(made: Described, crls: readonly CrlFacts[]): void {
    const families = this.#families;
    const seen = new Set<string>();
    for (const { issuer, thisUpdate, nextUpdate, revoked } of crls) {
      // Of two CRLs of one CA the one that lapses first is the one to worry about.
      if (seen.has(issuer)) continue;
      seen.add(issuer);
      const labels = { host: made.host.id, issuer };
      if (nextUpdate !== null) this.#set(made, families.crlNextUpdate, labels, nextUpdate / 1000);
      this.#set(made, families.crlRevokedEntries, labels, revoked);
      made.ages.push({ series: this.#set(made, families.crlAge, labels, 0), thisUpdate });
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

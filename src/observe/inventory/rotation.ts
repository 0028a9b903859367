import { X509Certificate } from 'node:crypto';
import { blocksFor } from '../../config/pem.ts';
import type { Snapshot } from '../../snapshot/snapshot.ts';
import { crlIssuerOf } from '../../tls/crl-issuer.ts';
import type { Entry } from './entry.ts';
import type { Seen } from './seen.ts';

/** Clients named of each CA. */
const maxNamed = 20;

/** Whether a CA can be dropped without shutting anybody out. */
export type RotationVerdict =
  /** Nobody who could still come came through it. */
  | 'safe'
  /** Somebody would be shut out. */
  | 'not_safe'
  /** Not all is known: who might come has not been watched for long enough, or not everybody was kept. */
  | 'unknown';

/** A CA that a host trusts, and who comes through it. */
export interface RotationCa {
  readonly host: string;
  /** RFC 2253. */
  readonly subject: string;
  /** SHA-256 over the SubjectPublicKeyInfo, hex. */
  readonly key: string;
  /** ISO 8601; null where the configuration is not known. */
  readonly notAfter: string | null;
  /** Identities that came through it in the window and whose certificate is still good. */
  readonly clients: number;
  /** ISO 8601, of any identity whatever; null: never. */
  readonly lastSeen: string | null;
  readonly verdict: RotationVerdict;
  readonly why: string;
  /** Subjects, the one that was seen last first, some of them. */
  readonly who: readonly string[];
}

/** An anchor of a host's trust stores. */
interface HostCa {
  readonly host: string;
  readonly subject: string;
  readonly key: string;
  /** Milliseconds since 1970. */
  readonly notAfter: number | null;
}

/** What is asked: as of when, and for how long a client may stay away and still count. Milliseconds. */
export interface RotationQuestion {
  readonly now: number;
  readonly windowMs: number;
}

/**
 * Who still comes through which CA, at each host. Without a snapshot only CAs that somebody came through are known.
 */
export function rotationOf(
  { entries, since, evicted }: Seen,
  snapshot: Snapshot | null,
  { now, windowMs }: RotationQuestion,
): readonly RotationCa[] {
  const cas = snapshot === null ? seenCas(entries) : trustedCas(snapshot);
  const perHost = Map.groupBy(cas, ({ host }) => host);
  return cas.map((ca) => {
    const uses = usesOf(entries, ca);
    const last = uses.reduce((latest, { lastSeen }) => Math.max(latest, lastSeen), -Infinity);
    const counting = uses.filter(({ entry, lastSeen }) => entry.notAfter > now && lastSeen >= now - windowMs);
    const days = Math.ceil(windowMs / 86_400_000);
    const [verdict, why] = judge({
      alone: (perHost.get(ca.host)?.length ?? 0) === 1 && snapshot !== null,
      expired: ca.notAfter !== null && ca.notAfter <= now,
      clients: counting.length,
      evicted,
      watched: now - since,
      windowMs,
      days,
    });
    return {
      host: ca.host,
      subject: ca.subject,
      key: ca.key,
      notAfter: ca.notAfter === null ? null : new Date(ca.notAfter).toISOString(),
      clients: counting.length,
      lastSeen: last === -Infinity ? null : new Date(last).toISOString(),
      verdict,
      why,
      who: counting.slice(0, maxNamed).map(({ entry }) => entry.subject),
    };
  });
}

interface Facts {
  readonly alone: boolean;
  readonly expired: boolean;
  readonly clients: number;
  readonly evicted: number;
  readonly watched: number;
  readonly windowMs: number;
  readonly days: number;
}

function judge(facts: Facts): readonly [RotationVerdict, string] {
  const { days } = facts;
  if (facts.alone) return ['not_safe', 'it is the only CA that the host trusts'];
  if (facts.expired) return ['safe', 'it has expired, so nobody is let in through it'];
  if (facts.clients > 0) return ['not_safe', `${facts.clients} came through it in the last ${days} days`];
  if (facts.evicted > 0)
    return ['unknown', `${facts.evicted} identities were given up for want of room: raise inventory.keep`];
  if (facts.watched < facts.windowMs)
    return ['unknown', `watched for ${Math.floor(facts.watched / 86_400_000)} of ${days} days`];
  return ['safe', `nobody came through it in the last ${days} days`];
}

/** Of an identity that came to more hosts than are kept, every one of its CAs counts at every host. */
function usesOf(
  entries: readonly Entry[],
  { host, key }: HostCa,
): { readonly entry: Entry; readonly lastSeen: number }[] {
  return entries.flatMap((entry) => {
    const use = entry.hosts.get(host);
    if (use !== undefined) {
      // Nothing is known of its chain: it may be this one.
      return use.anchor === null || use.anchor.key === key ? [{ entry, lastSeen: use.lastSeen }] : [];
    }
    if (!entry.moreHosts) return [];
    const through = [...entry.hosts.values()].some(({ anchor }) => anchor?.key === key);
    return through ? [{ entry, lastSeen: entry.lastSeen }] : [];
  });
}

function seenCas(entries: readonly Entry[]): HostCa[] {
  const cas = new Map<string, HostCa>();
  for (const { hosts } of entries) {
    for (const [host, { anchor }] of hosts) {
      if (anchor !== null) cas.set(`${host} ${anchor.key}`, { host, ...anchor, notAfter: null });
    }
  }
  return [...cas.values()].sort((one, two) => (one.host < two.host ? -1 : 1));
}

function trustedCas({ hosts }: Snapshot): HostCa[] {
  return hosts.all.flatMap((host) => {
    const cas = new Map<string, HostCa>();
    for (const pem of host.clientAuth.stores.flatMap(({ ca }) => blocksFor('ca', ca))) {
      const certificate = read(pem);
      // Intermediates lead to one of these.
      if (certificate === null || certificate.issuer !== certificate.subject) continue;
      const { key, subject } = crlIssuerOf(certificate);
      const notAfter = Math.max(certificate.validToDate.getTime(), cas.get(key)?.notAfter ?? -Infinity);
      cas.set(key, { host: host.id, subject, key, notAfter });
    }
    return [...cas.values()];
  });
}

/** TLS is what refuses one that cannot be read. */
function read(pem: string): X509Certificate | null {
  try {
    const certificate = new X509Certificate(pem);
    crlIssuerOf(certificate);
    return certificate;
  } catch {
    return null;
  }
}

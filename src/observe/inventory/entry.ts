import type { Connection, Judged } from '../../snapshot/connection.ts';
import type { Identity } from '../../tls/identity.ts';
import { shorten } from '../shorten.ts';

/** The trust anchor that a chain ended in. */
export interface Anchor {
  /** SHA-256 over its SubjectPublicKeyInfo, hex: a CA that is certified anew with its old key is the same. */
  readonly key: string;
  /** RFC 2253. */
  readonly subject: string;
}

/** What one identity did at one host. Dates in milliseconds since 1970. */
export interface HostUse {
  requests: number;
  lastSeen: number;
  /** That it came through the last time; null where its chain could not be read. */
  anchor: Anchor | null;
}

/** An identity that was seen, and what it did. Dates in milliseconds since 1970. Changed in place as requests come. */
export interface Entry {
  readonly fingerprint: string;
  readonly subject: string;
  readonly issuer: string;
  readonly serial: string;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly keyAlgorithm: string;
  readonly signatureAlgorithm: string;
  firstSeen: number;
  lastSeen: number;
  requests: number;
  /** Requests denied, by reason. */
  readonly denials: Map<string, number>;
  /** By `Host.id`, `maxHosts` at most. */
  readonly hosts: Map<string, HostUse>;
  /** It came to more hosts than are kept. */
  moreHosts: boolean;
}

/** Hosts kept of one identity. */
export const maxHosts = 32;
/** Kinds of denials kept of one identity; there are not many more reasons. */
export const maxReasons = 64;

/** @param time Milliseconds since 1970. */
export function entryOf(identity: Identity, time: number): Entry {
  return {
    fingerprint: identity.sha256,
    subject: shorten(identity.subjectText, 256),
    issuer: shorten(identity.issuerText, 256),
    serial: shorten(identity.serial, 64),
    notBefore: identity.notBefore,
    notAfter: identity.notAfter,
    keyAlgorithm: shorten(identity.keyAlgorithm, 64),
    signatureAlgorithm: shorten(identity.signatureAlgorithm, 64),
    firstSeen: time,
    lastSeen: time,
    requests: 0,
    denials: new Map(),
    hosts: new Map(),
    moreHosts: false,
  };
}

/** The entry's use of a host, made where there is none; null past `maxHosts`. */
export function useOf(entry: Entry, host: string, time: number): HostUse | null {
  const known = entry.hosts.get(host);
  if (known !== undefined) return known;
  if (entry.hosts.size >= maxHosts) {
    entry.moreHosts = true;
    return null;
  }
  const use: HostUse = { requests: 0, lastSeen: time, anchor: null };
  entry.hosts.set(host, use);
  return use;
}

export function countDenial({ denials }: Pick<Entry, 'denials'>, reason: string, times = 1): void {
  const before = denials.get(reason);
  if (before === undefined && denials.size >= maxReasons) return;
  denials.set(reason, (before ?? 0) + times);
}

/** The success of a connection under a trust store, or under any; null where there is none. */
export function provenUnder({ judged }: Pick<Connection, 'judged'>, trustKey: string | null): Judged | null {
  const own = trustKey === null ? undefined : judged.get(trustKey);
  if (own?.verdict.status === 'success') return own;
  for (const one of judged.values()) if (one.verdict.status === 'success') return one;
  return null;
}

/** The anchor that a proven chain ended in: whoever issued its last certificate. */
export function anchorOf({ chain }: Judged): Anchor | null {
  const last = chain.at(-1);
  return last === undefined ? null : { key: last.issuer.key, subject: last.issuer.subject };
}

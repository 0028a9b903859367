import { type Anchor, countDenial, type Entry, maxHosts, maxReasons, useOf } from './entry.ts';

/** An entry as plain data: a line of the file, what a worker process tells, what the admin listener answers. */
export interface IdentityState {
  /** SHA-256 over the certificate, lower-case hex. */
  readonly fingerprint: string;
  /** RFC 2253. */
  readonly subject: string;
  readonly issuer: string;
  readonly serial: string;
  /** ISO 8601, like all dates here; null for those that cannot be written so. */
  readonly notBefore: string | null;
  readonly notAfter: string | null;
  readonly keyAlgorithm: string;
  readonly signatureAlgorithm: string;
  readonly firstSeen: string | null;
  readonly lastSeen: string | null;
  readonly requests: number;
  readonly denials: Readonly<Record<string, number>>;
  readonly hosts: readonly HostUseState[];
  readonly moreHosts: boolean;
}

export interface HostUseState {
  readonly host: string;
  readonly requests: number;
  readonly lastSeen: string | null;
  readonly anchor: Anchor | null;
}

export function stateOf(entry: Entry): IdentityState {
  const { denials, hosts, notBefore, notAfter, firstSeen, lastSeen, ...rest } = entry;
  return {
    ...rest,
    notBefore: isoOf(notBefore),
    notAfter: isoOf(notAfter),
    firstSeen: isoOf(firstSeen),
    lastSeen: isoOf(lastSeen),
    denials: Object.fromEntries(denials),
    hosts: Array.from(hosts, ([host, use]) => ({
      host,
      requests: use.requests,
      lastSeen: isoOf(use.lastSeen),
      anchor: use.anchor,
    })),
  };
}

function isoOf(time: number): string | null {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

/** Reads what `stateOf` wrote; null for anything else. What it gives is as bounded as an entry is. */
export function entryFrom(value: unknown): Entry | null {
  if (!isRecord(value)) return null;
  const { fingerprint, denials, hosts, moreHosts } = value;
  if (typeof fingerprint !== 'string' || !/^[0-9a-f]{64}$/.test(fingerprint)) return null;
  if (!isRecord(denials) || !Array.isArray(hosts) || hosts.length > maxHosts) return null;
  const reasons = Object.entries(denials);
  if (typeof moreHosts !== 'boolean' || reasons.length > maxReasons) return null;
  const texts = [value['subject'], value['issuer'], value['serial'], value['keyAlgorithm']];
  texts.push(value['signatureAlgorithm']);
  if (!texts.every((text) => isText(text, 256))) return null;
  const [subject, issuer, serial, keyAlgorithm, signatureAlgorithm] = texts;
  const [firstSeen, lastSeen] = [timeOf(value['firstSeen']), timeOf(value['lastSeen'])];
  const { requests } = value;
  if (Number.isNaN(firstSeen) || Number.isNaN(lastSeen) || !isCount(requests)) return null;
  const entry: Entry = {
    fingerprint,
    subject: subject!,
    issuer: issuer!,
    serial: serial!,
    notBefore: timeOf(value['notBefore']),
    notAfter: timeOf(value['notAfter']),
    keyAlgorithm: keyAlgorithm!,
    signatureAlgorithm: signatureAlgorithm!,
    firstSeen,
    lastSeen,
    requests,
    denials: new Map(),
    hosts: new Map(),
    moreHosts,
  };
  for (const [reason, times] of reasons) {
    if (reason.length > 64 || !isCount(times)) return null;
    countDenial(entry, reason, times);
  }
  return hosts.every((use) => takeUse(entry, use)) ? entry : null;
}

function takeUse(entry: Entry, value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { host, requests, anchor } = value;
  const lastSeen = timeOf(value['lastSeen']);
  if (!isText(host, 256) || !isCount(requests) || Number.isNaN(lastSeen)) return false;
  if (anchor !== null && !isAnchor(anchor)) return false;
  const use = useOf(entry, host, lastSeen);
  if (use === null) return false;
  use.requests = requests;
  use.anchor = anchor === null ? null : { key: anchor.key, subject: anchor.subject };
  return true;
}

function isAnchor(value: unknown): value is Anchor {
  return isRecord(value) && isText(value['key'], 64) && isText(value['subject'], 256);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isText(value: unknown, limit: number): value is string {
  return typeof value === 'string' && value.length <= limit;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function timeOf(value: unknown): number {
  return typeof value === 'string' ? Date.parse(value) : NaN;
}

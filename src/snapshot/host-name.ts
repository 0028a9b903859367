import { formatIpAddress, parseIpAddress } from '../tls/ip-address.ts';

/**
 * One spelling for a host's name, wherever it comes from: SNI, Host header, configuration (rule 5). Two
 * spellings of one name must never reach two hosts (CVE-2022-23632, CVE-2026-48928: a trailing dot, a capital).
 */

/** In the configuration: the host that answers for every name that is nobody else's. */
export const anyName = '*';

/** RFC 1035 §2.3.4, without the trailing dot. */
const maxNameLength = 253;

const printableAscii = /^[!-~]+$/;

/** Labels of letters, digits and hyphens, no hyphen at either end (RFC 1123 §2.1), and `_`, which is in use. */
const labels = /^(?!-)[a-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9_-]{1,63}(?<!-))*$/;

/** Ends in a label that some resolvers take for a part of an IPv4 address (WHATWG URL §3.5, "ends in a number"). */
const endsInNumber = /(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)$/;

/**
 * Brings a host name or IP address into its one spelling, or says null: it is none. Lower case, without the
 * trailing dot; IPv6 with or without brackets becomes RFC 5952 text without them. Non-ASCII names are
 * refused: on the wire they are A-labels. So are ports, user information, wildcards, zone ids and the odd
 * spellings of IPv4 (`127.1`, `0x7f.0.0.1`, `010.0.0.1`).
 */
export function normaliseHostName(text: string): string | null {
  // Looked at before lower-casing: the Kelvin sign would become a `k`.
  if (text.length > maxNameLength + 1 || !printableAscii.test(text)) return null;
  const lower = text.toLowerCase();
  if (lower.startsWith('[')) return lower.endsWith(']') ? normaliseIPv6(lower.slice(1, -1)) : null;
  if (lower.includes(':')) return normaliseIPv6(lower);
  const name = lower.endsWith('.') ? lower.slice(0, -1) : lower;
  if (name.length > maxNameLength || !labels.test(name)) return null;
  if (endsInNumber.test(name) && parseIpAddress(name) === null) return null;
  return name;
}

/** `host[:port]`, read apart. */
export interface Authority {
  /** As `normaliseHostName` writes it. */
  readonly host: string;
  /** 1–65535, or null where none was written. */
  readonly port: number | null;
}

/**
 * Reads a Host header or the authority of an absolute-form target (RFC 9110 §7.2). Null for anything but
 * one host and perhaps a port: user information, an unbracketed IPv6 address, a port that is not 1–65535.
 * An empty port (`a:`) is refused too, though RFC 3986 §3.2.3 knows it: no client sends it.
 */
export function splitAuthority(text: string): Authority | null {
  const match = /^(\[[^\]]*\]|[^:[\]]*)(?::([0-9]{1,5}))?$/.exec(text);
  if (match === null) return null;
  const host = normaliseHostName(match[1] ?? '');
  const port = match[2] === undefined ? null : Number(match[2]);
  if (host === null || port === 0 || (port !== null && port > 65535)) return null;
  return { host, port };
}

/**
 * What a one-label wildcard that covers this (normalised) name ends in: `b.test` for `a.b.test`. Null where
 * no wildcard can: an address, or a name of one label.
 */
export function wildcardParent(name: string): string | null {
  const dot = name.indexOf('.');
  if (dot === -1 || name.includes(':') || parseIpAddress(name) !== null) return null;
  return name.slice(dot + 1);
}

function normaliseIPv6(text: string): string | null {
  const octets = text.includes(':') ? parseIpAddress(text) : null;
  return octets === null ? null : formatIpAddress(octets);
}

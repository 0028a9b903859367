import type { IdentityState } from './state.ts';

const columns: readonly (readonly [name: string, value: (identity: IdentityState) => string])[] = [
  ['fingerprint', ({ fingerprint }) => fingerprint],
  ['subject', ({ subject }) => subject],
  ['issuer', ({ issuer }) => issuer],
  ['serial', ({ serial }) => serial],
  ['notBefore', ({ notBefore }) => notBefore ?? ''],
  ['notAfter', ({ notAfter }) => notAfter ?? ''],
  ['keyAlgorithm', ({ keyAlgorithm }) => keyAlgorithm],
  ['signatureAlgorithm', ({ signatureAlgorithm }) => signatureAlgorithm],
  ['firstSeen', ({ firstSeen }) => firstSeen ?? ''],
  ['lastSeen', ({ lastSeen }) => lastSeen ?? ''],
  ['requests', ({ requests }) => String(requests)],
  ['denials', ({ denials }) => listOf(Object.entries(denials), ([reason, times]) => `${reason}: ${times}`)],
  ['hosts', ({ hosts, moreHosts }) => listOf(hosts, ({ host }) => host) + (moreHosts ? '; …' : '')],
  ['cas', ({ hosts }) => [...new Set(hosts.flatMap(({ anchor }) => anchor?.subject ?? []))].join('; ')],
];

function listOf<One>(all: readonly One[], text: (one: One) => string): string {
  return all.map(text).join('; ');
}

/** RFC 4180, with a header line. */
export function csvOf(identities: readonly IdentityState[]): string {
  const lines = [columns.map(([name]) => name), ...identities.map((one) => columns.map(([, of]) => of(one)))];
  return lines.map((cells) => `${cells.map(cell).join(',')}\r\n`).join('');
}

/**
 * A spreadsheet takes what begins with = + - @, a tab or a line break for a formula, and clients choose their
 * subjects: an apostrophe in front makes it text.
 */
function cell(value: string): string {
  const text = /^[=+\-@\t\r\n]/.test(value) ? `'${value}` : value;
  return /[",\r\n;]|^ | $/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

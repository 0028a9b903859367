import { drawTree } from './chain-tree.ts';
import type { CertificateReport } from './describe.ts';
import type {
  CrlReport,
  CsrReport,
  Inspection,
  KeyReport,
  Pkcs12Report,
  Report,
} from './inspection-report.ts';

const field = (name: string, value: string): string => `  ${name.padEnd(14)}${value}`;

const optional = (name: string, values: readonly string[]): string[] =>
  values.length === 0 ? [] : [field(name, values.join(', '))];

/** A digest in the pairs that other tools show. */
const pairs = (hex: string): string => (hex.toUpperCase().match(/../g) ?? []).join(':');

function daysLeft(days: number): string {
  if (days < 0) return `ended ${-days} day${days === -1 ? '' : 's'} ago`;
  return `${days} day${days === 1 ? '' : 's'} left`;
}

function validity(report: CertificateReport): string {
  const { status, notBefore, notAfter, daysLeft: days } = report;
  const note =
    status === 'valid'
      ? daysLeft(days)
      : status === 'expired'
        ? `EXPIRED, ${daysLeft(days)}`
        : 'NOT YET VALID';
  return `${notBefore} to ${notAfter}, ${note}`;
}

function certificateLines(report: CertificateReport): string[] {
  const { ca, pathLen } = report;
  return [
    field('subject', report.subject === '' ? '(empty)' : report.subject),
    field('issuer', report.issuer === '' ? '(empty)' : report.issuer),
    field('serial', report.serial),
    field('valid', validity(report)),
    ...optional('names', report.altNames),
    ...(ca ? [field('CA', pathLen === null ? 'yes' : `yes, at most ${pathLen} CA(s) below it`)] : []),
    ...optional('key usage', report.keyUsages),
    ...optional('for', report.purposes),
    field('key', report.key),
    field('signature', report.signature),
    field('SHA-256', pairs(report.sha256)),
    field('SHA-1', pairs(report.sha1)),
    field('SPKI SHA-256', report.spki),
    ...(report.refused === null
      ? []
      : [field('REFUSED', `the proxy takes no such certificate: ${report.refused}`)]),
  ];
}

function csrLines(report: CsrReport): string[] {
  return [
    field('subject', report.subject),
    ...optional('names', report.altNames),
    field('key', report.key),
    field(
      'signature',
      `${report.signature}, ${report.signatureValid ? 'by its own key' : 'WRONG: not by its own key'}`,
    ),
  ];
}

function crlLines(report: CrlReport): string[] {
  const { signatureValid, nextUpdate, daysLeft: days, entries, revoked } = report;
  const check =
    signatureValid === null ? `not checked: ${report.signatureNote}` : signatureValid ? 'checked' : 'WRONG';
  const more = entries > revoked.length ? [`  and ${entries - revoked.length} more`] : [];
  return [
    field('issuer', report.issuer),
    ...(report.number === null ? [] : [field('number', report.number)]),
    field('made', report.thisUpdate),
    field('next', nextUpdate === null ? 'never' : `${nextUpdate}, ${daysLeft(days ?? 0)}`),
    field('signature', `${report.signature}, ${check}`),
    ...report.unknownCritical.map((oid) =>
      field('CRITICAL', `${oid}, unknown: the list may leave somebody out`),
    ),
    field('revoked', String(entries)),
    ...revoked.map(
      ({ serial, at, reason }) => `    ${serial.padEnd(34)}${at}${reason === null ? '' : `  ${reason}`}`,
    ),
    ...more,
  ];
}

function keyLines(report: KeyReport): string[] {
  if (report.encrypted) return [field('key', 'encrypted')];
  return [
    field('key', report.key ?? 'cannot be read'),
    ...(report.spki === null ? [] : [field('SPKI SHA-256', report.spki)]),
  ];
}

function pkcs12Lines(report: Pkcs12Report): string[] {
  return [
    ...optional('name', report.friendlyNames),
    field('holds', `${report.keys.length} key(s), ${report.certificates} certificate(s)`),
    ...report.protection.map((protection) => field('encryption', protection)),
    field('MAC', report.mac ?? 'none'),
  ];
}

function linesOf(report: Report): string[] {
  if (report.kind === 'certificate') return certificateLines(report);
  if (report.kind === 'csr') return csrLines(report);
  if (report.kind === 'crl') return crlLines(report);
  if (report.kind === 'private key') return keyLines(report);
  if (report.kind === 'pkcs12') return pkcs12Lines(report);
  return [field(report.label.toLowerCase(), report.problem)];
}

const titles: Readonly<Record<Report['kind'], string>> = {
  certificate: 'certificate',
  csr: 'request (CSR)',
  crl: 'revocation list (CRL)',
  'private key': 'private key',
  pkcs12: 'PKCS#12',
  other: 'something else',
};

/** An inspection for people. Every value that came from a file is escaped already. */
export function inspectionText({ reports, chain }: Inspection): string[] {
  const lines: string[] = [];
  for (const report of reports) lines.push(`${report.file}: ${titles[report.kind]}`, ...linesOf(report), '');
  if (chain.subjects.length < 2 && chain.missing.length === 0) return lines;
  lines.push('chain');
  const labels = chain.subjects.map((subject, index) =>
    chain.parents[index] === index ? `${subject} (self-signed)` : subject,
  );
  lines.push(...drawTree(chain.parents, labels).map((line) => `  ${line}`));
  for (const { issuer } of chain.missing) lines.push(`  missing: ${issuer}`);
  return lines;
}

import { isIP } from 'node:net';
import type { X509Certificate } from 'node:crypto';
import { normaliseConfigName } from './rules/names.ts';
import type { Material } from '../snapshot/compile.ts';
import { adminHostOf, adminPath } from './admin-host.ts';
import { crlWarnings } from './check-crls.ts';
import { CheckMemory, type Told } from './check-memory.ts';
import {
  adminReferences,
  type FileReference,
  fileReferences,
  hostReferences,
  otherReferences,
} from './file-references.ts';
import { certificatesOf, subjectOf } from './fit.ts';
import { readPem } from './pem.ts';
import { error, type Finding, pointer, warning } from './problem.ts';
import type { Config, HostConfig } from './schema.ts';
import { ordinal, quote } from './text.ts';
import { finish, type Steps } from '../steps.ts';

const day = 86_400_000;

/** A certificate that ends within this is told of. */
export const expiryNotice = 30 * day;

/**
 * What `mtls-ingress check` says of the files beyond whether they can be served with (fit.ts): dates, the names a
 * certificate covers, the order of chains, and CRLs against their CAs. Serving goes on with these, as nginx does: an
 * expired certificate of one host is no reason to refuse a reload for all.
 *
 * `now` in milliseconds since 1970. Files missing from the material are passed over.
 */
export function checkMaterial(config: Config, material: Material, now: number): Finding[] {
  return finish(materialSteps(config, material, now, fileReferences(config), new CheckMemory()));
}

/** `checkMaterial`, step by step. Certificates and CRLs in the memory are not read again. */
export function* materialSteps(
  config: Config,
  material: Material,
  now: number,
  references: readonly FileReference[],
  memory: CheckMemory,
): Steps<Finding[]> {
  const findings: Finding[] = [];
  for (const reference of references) {
    findings.push(...dateFindings(reference, material, now, memory));
    yield;
  }
  const admin = adminHostOf(config);
  if (admin !== null) findings.push(...crlWarnings(admin, adminPath, material, now, memory));
  for (const [index, host] of config.hosts.entries()) {
    const path = pointer('hosts', index);
    findings.push(...coverage(host, path, material, memory));
    findings.push(...crlWarnings(host, path, material, now, memory));
    yield;
  }
  return findings;
}

/**
 * The findings of `materialSteps` on a whole configuration, host by host. A host of which there was nothing to tell that
 * depends on the time is not looked at again before its first certificate nears its end, for as long as it is the same object
 * with the same files: so it costs next to nothing for a source that keeps its hosts' identity.
 */
export function* hostwiseSteps(
  config: Config,
  material: Material,
  now: number,
  memory: CheckMemory,
): Steps<Finding[]> {
  const findings: Finding[] = [];
  for (const reference of [...adminReferences(config), ...otherReferences(config)]) {
    findings.push(...dateFindings(reference, material, now, memory));
  }
  const admin = adminHostOf(config);
  if (admin !== null) findings.push(...crlWarnings(admin, adminPath, material, now, memory));
  yield;
  for (const [index, host] of config.hosts.entries()) {
    const path = pointer('hosts', index);
    const told = memory.told(host, path, material, now);
    if (told !== null) {
      findings.push(...told);
      continue;
    }
    const references = hostReferences(host, path);
    const covered = coverage(host, path, material, memory);
    const dated = [
      ...references.flatMap((reference) => dateFindings(reference, material, now, memory)),
      ...crlWarnings(host, path, material, now, memory),
    ];
    findings.push(...dated, ...covered);
    if (dated.length === 0) {
      const { until, files } = holdingOf(references, material, memory);
      memory.tell(host, { findings: covered, path, since: now, until, files });
    }
    yield;
  }
  return findings;
}

/** Until when what was found holds, and of what files. */
function holdingOf(
  references: readonly FileReference[],
  material: Material,
  memory: CheckMemory,
): Pick<Told, 'until' | 'files'> {
  let until = Infinity;
  for (const { file, role } of references) {
    // When a CRL is due is not told beforehand.
    if (role === 'crl') until = 0;
    const pem = material.get(file);
    if (pem === undefined || (role !== 'certificate' && role !== 'ca')) continue;
    for (const { to } of datesOf(pem, memory).certificates) until = Math.min(until, to - expiryNotice);
  }
  return { until, files: new Map(references.map(({ file }) => [file, material.get(file)])) };
}

function dateFindings(
  reference: FileReference,
  material: Material,
  now: number,
  memory: CheckMemory,
): Finding[] {
  const { file, role } = reference;
  const pem = material.get(file);
  if (pem === undefined || (role !== 'certificate' && role !== 'ca')) return [];
  const facts = datesOf(pem, memory);
  return role === 'ca' ? trustFindings(reference, facts, now) : certificateFindings(reference, facts, now);
}

function datesOf(pem: string, memory: CheckMemory): DatedFile {
  return memory.about('dates', [pem], () => datedFile(pem));
}

/** What of a file of certificates is told of: plain data, for the certificates themselves would take much room. */
interface DatedFile {
  readonly certificates: readonly Dated[];
  /** The index of the first that did not issue the one before it; 0 if there is none. */
  readonly loose: number;
  readonly holdsKey: boolean;
}

interface Dated {
  readonly subject: string;
  /** Milliseconds since 1970. */
  readonly from: number;
  readonly to: number;
}

function datedFile(pem: string): DatedFile {
  const chain = certificatesOf(pem);
  const loose = chain.findIndex(
    (certificate, index) => index > 0 && !chain[index - 1]!.checkIssued(certificate),
  );
  return {
    certificates: chain.map((certificate) => ({
      subject: subjectOf(certificate),
      from: certificate.validFromDate.getTime(),
      to: certificate.validToDate.getTime(),
    })),
    loose: Math.max(0, loose),
    holdsKey: readPem(pem).blocks.some(({ label }) => label.endsWith('PRIVATE KEY')),
  };
}

function certificateFindings(
  { path, file }: FileReference,
  { certificates, loose }: DatedFile,
  now: number,
): Finding[] {
  const findings = certificates.flatMap((certificate, index) => {
    const fault = dateFault(certificate, now);
    if (fault === null) return [];
    const name =
      index === 0
        ? `the certificate in ${quote(file)}`
        : `the ${ordinal(index + 1)} certificate in ${quote(file)}`;
    return [{ path, message: `${name} ${fault.message}`, severity: fault.severity }];
  });
  if (loose > 0) {
    findings.push(
      warning(
        path,
        `the ${ordinal(loose + 1)} certificate in ${quote(file)} did not issue the one before it: write the host's own, then its issuer, then that one's`,
      ),
    );
  }
  return findings;
}

function trustFindings({ path, file }: FileReference, facts: DatedFile, now: number): Finding[] {
  const findings: Finding[] = [];
  const dates = facts.certificates.map(({ subject, ...dated }) => ({
    subject,
    fault: dateFault(dated, now),
  }));
  const allOver = dates.every(({ fault }) => fault?.isOver === true);
  for (const { subject, fault } of dates) {
    if (fault === null) continue;
    const message = `the CA ${subject} in ${quote(file)} ${fault.message}`;
    findings.push(
      fault.isOver && allOver ? error(path, `${message}: nobody is verified`) : warning(path, message),
    );
  }
  if (facts.holdsKey) {
    findings.push(
      warning(path, `${quote(file)} holds a private key too: a trust store needs none, keep it elsewhere`),
    );
  }
  return findings;
}

interface DateFault {
  readonly message: string;
  readonly severity: 'error' | 'warning';
  /** Outside its validity; else only near the end. */
  readonly isOver: boolean;
}

function dateFault({ from, to }: Omit<Dated, 'subject'>, now: number): DateFault | null {
  if (now > to) return { message: `expired on ${date(to)}`, severity: 'error', isOver: true };
  if (now < from) return { message: `is not valid before ${date(from)}`, severity: 'error', isOver: true };
  if (to - now > expiryNotice) return null;
  const days = Math.floor((to - now) / day);
  const left = days === 0 ? 'today' : `in ${days} ${days === 1 ? 'day' : 'days'}`;
  return { message: `expires ${left}, on ${date(to)}`, severity: 'warning', isOver: false };
}

function date(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace('.000', '');
}

/** RFC 6125 as clients check it: without subjectAltName a certificate covers nothing. */
function coverage(host: HostConfig, path: string, material: Material, memory: CheckMemory): Finding[] {
  const pem = material.get(host.certificate.cert);
  if (pem === undefined) return [];
  const findings: Finding[] = [];
  for (const [index, name] of host.names.entries()) {
    const lacking = memory.about(
      'covers',
      [pem, name],
      () =>
        namesWithout(
          memory.leaf(pem, () => certificatesOf(pem)[0] ?? null),
          name,
        ) ?? covered,
    );
    if (typeof lacking !== 'string') continue;
    const message = `the certificate in ${quote(host.certificate.cert)} does not cover ${quote(name)}: it has ${lacking}`;
    findings.push(error(`${path}/names/${index}`, message));
  }
  return findings;
}

const covered = Symbol('covered');

/** The names that a certificate has instead of this one; null where it covers it, or nothing can be said. */
function namesWithout(leaf: X509Certificate | null, name: string): string | null {
  const normal = normaliseConfigName(name);
  if (leaf === null || normal === null || covers(leaf, normal)) return null;
  return leaf.subjectAltName === undefined ? 'no names at all' : quote(leaf.subjectAltName);
}

function covers(certificate: X509Certificate, name: string): boolean {
  if (isIP(name) !== 0) return certificate.checkIP(name) !== undefined;
  // A wildcard is covered where any name under it is; no host can have this label for a name of its own.
  const host = name.startsWith('*.') ? `mtls-ingress-any${name.slice(1)}` : name;
  return certificate.checkHost(host, { subject: 'never', partialWildcards: false }) !== undefined;
}

import { isIP } from 'node:net';
import type { X509Certificate } from 'node:crypto';
import { type CrlFacts, readCertificates, readCrls } from '../tls/certificate-facts.ts';
import { normaliseConfigName } from './rules/names.ts';
import type { Material } from '../snapshot/compile.ts';
import { type FileReference, fileReferences } from './file-references.ts';
import { certificatesOf, subjectOf } from './fit.ts';
import { blocksFor, readPem } from './pem.ts';
import { error, type Finding, given, pointer, warning } from './problem.ts';
import type { Config, HostConfig } from './schema.ts';
import { ordinal, quote } from './text.ts';

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
  const references = fileReferences(config).filter(({ file }) => material.has(file));
  const contents = ({ file }: FileReference): string => material.get(file) ?? '';
  return [
    ...references.flatMap((reference) => {
      const pem = contents(reference);
      if (reference.role === 'certificate') return certificateFindings(reference, certificatesOf(pem), now);
      if (reference.role === 'ca') return trustFindings(reference, pem, now);
      return [];
    }),
    ...config.hosts.flatMap((host, index) => [
      ...coverage(host, pointer('hosts', index), material),
      ...crlFindings(host, pointer('hosts', index, 'clientAuth', 'crl'), material, now).map((finding) =>
        given(finding, pointer('hosts', index, 'clientAuth', 'mode')),
      ),
    ]),
  ];
}

function certificateFindings(
  { path, file }: FileReference,
  chain: readonly X509Certificate[],
  now: number,
): Finding[] {
  const findings = chain.flatMap((certificate, index) => {
    const name =
      index === 0
        ? `the certificate in ${quote(file)}`
        : `the ${ordinal(index + 1)} certificate in ${quote(file)}`;
    const fault = dateFault(certificate, now);
    return fault === null ? [] : [{ path, message: `${name} ${fault.message}`, severity: fault.severity }];
  });
  const loose = chain.findIndex(
    (certificate, index) => index > 0 && !chain[index - 1]!.checkIssued(certificate),
  );
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

function trustFindings({ path, file }: FileReference, pem: string, now: number): Finding[] {
  const findings: Finding[] = [];
  const certificates = certificatesOf(pem);
  const dates = certificates.map((certificate) => ({ certificate, fault: dateFault(certificate, now) }));
  const allOver = dates.every(({ fault }) => fault?.isOver === true);
  for (const { certificate, fault } of dates) {
    if (fault === null) continue;
    const message = `the CA ${subjectOf(certificate)} in ${quote(file)} ${fault.message}`;
    findings.push(
      fault.isOver && allOver ? error(path, `${message}: nobody is verified`) : warning(path, message),
    );
  }
  if (readPem(pem).blocks.some(({ label }) => label.endsWith('PRIVATE KEY'))) {
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

function dateFault(certificate: X509Certificate, now: number): DateFault | null {
  const [from, to] = [certificate.validFromDate.getTime(), certificate.validToDate.getTime()];
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
function coverage(host: HostConfig, path: string, material: Material): Finding[] {
  const [leaf] = certificatesOf(material.get(host.certificate.cert) ?? '');
  if (leaf === undefined) return [];
  return host.names.flatMap((name, index) => {
    const normal = normaliseConfigName(name);
    if (normal === null || covers(leaf, normal)) return [];
    const names = leaf.subjectAltName === undefined ? 'no names at all' : quote(leaf.subjectAltName);
    return [
      error(
        `${path}/names/${index}`,
        `the certificate in ${quote(host.certificate.cert)} does not cover ${quote(name)}: it has ${names}`,
      ),
    ];
  });
}

function covers(certificate: X509Certificate, name: string): boolean {
  if (isIP(name) !== 0) return certificate.checkIP(name) !== undefined;
  // A wildcard is covered where any name under it is; no host can have this label for a name of its own.
  const host = name.startsWith('*.') ? `mtls-ingress-any${name.slice(1)}` : name;
  return certificate.checkHost(host, { subject: 'never', partialWildcards: false }) !== undefined;
}

/** OpenSSL wants a current CRL of every CA in a client's chain, and refuses the client where one is missing. */
function crlFindings({ clientAuth }: HostConfig, path: string, material: Material, now: number): Finding[] {
  const { mode, ca, crl } = clientAuth ?? {};
  const caPem = material.get(ca ?? '');
  const crlPem = material.get(crl ?? '');
  if (mode === 'off' || caPem === undefined || crlPem === undefined) return [];
  const blocks = blocksFor('crl', crlPem);
  const lists = blocks.map((block) => readCrls(block, caPem)[0]);
  const findings = lists.flatMap((facts, index) => {
    const message = crlMessage(facts, ca, now);
    return message === null
      ? []
      : [warning(path, `the ${ordinal(index + 1)} CRL in ${quote(crl)} ${message}`)];
  });
  if (lists.includes(undefined)) return findings;
  const listed = new Set(lists.map((facts) => facts?.issuer));
  for (const { subject } of readCertificates(caPem)) {
    if (listed.has(subject)) continue;
    findings.push(
      warning(path, `${quote(crl)} has no CRL of ${quote(subject)}: every client of that CA is refused`),
    );
  }
  return findings;
}

function crlMessage(facts: CrlFacts | undefined, ca: string | undefined, now: number): string | null {
  if (facts === undefined) return "is not in DER's strict form: its dates cannot be checked";
  const { issuer, thisUpdate, nextUpdate } = facts;
  if (issuer.startsWith('#')) return `is of none of the CAs in ${quote(ca)}: it revokes nothing here`;
  const refused = `every client of ${quote(issuer)} is refused`;
  if (now < thisUpdate) return `is not valid before ${date(thisUpdate)}: until then ${refused}`;
  if (nextUpdate === null || now <= nextUpdate) return null;
  return `was due to be replaced by ${date(nextUpdate)}: until it is, ${refused}`;
}

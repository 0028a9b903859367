import type { Material } from '../snapshot/compile.ts';
import { readCertificates, readCrls, type CrlFacts } from '../tls/certificate-facts.ts';
import type { CheckMemory } from './check-memory.ts';
import { defaults } from './defaults.ts';
import { type Finding, given, warning } from './problem.ts';
import type { HostConfig } from './schema.ts';
import { ordinal, quote } from './text.ts';
import { crlFilesOf, type TrustConfig, trustPlaces } from './trust-config.ts';
import { parseDuration } from './units.ts';

/** Whom the CRLs of a host's trust stores lock out, and which of them revoke nothing. */
export function crlWarnings(
  host: HostConfig,
  path: string,
  material: Material,
  now: number,
  memory: CheckMemory,
): Finding[] {
  // What several inherit is told once; it may be inherited from a host that is off itself.
  const told = new Set<string>();
  return trustPlaces(host, path).flatMap(
    ({ path: place, crlPath, mode, trust: { ca, crl, revocation }, trust }) => {
      const store = JSON.stringify([crlPath, ca, crl, revocation]);
      if (mode === 'off' || told.has(store)) return [];
      told.add(store);
      return storeWarnings(trust, crlPath, material, now, memory).map((finding) =>
        given(finding, `${place}/mode`),
      );
    },
  );
}

function storeWarnings(
  trust: TrustConfig,
  path: string,
  material: Material,
  now: number,
  memory: CheckMemory,
): Finding[] {
  const caPem = material.get(trust.ca ?? '');
  if (caPem === undefined || trust.crl === undefined) return [];
  const findings: Finding[] = [];
  const listed = new Set<string>();
  const files = crlFilesOf(trust);
  for (const { file, place } of files) {
    const pem = material.get(file);
    if (pem === undefined) return findings;
    const lists = memory.about('crls', [pem, caPem], () => readCrls(pem, caPem));
    for (const [index, facts] of lists.entries()) {
      listed.add(facts.issuer);
      const message = messageOf(facts, trust, now);
      if (message === null) continue;
      findings.push(warning(path + place, `the ${ordinal(index + 1)} CRL in ${quote(file)} ${message}`));
    }
  }
  if ((trust.revocation?.missing ?? defaults.revocation.missing) === 'allow') return findings;
  const names = files.map(({ file }) => quote(file)).join(', ');
  for (const subject of memory.about('subjects', [caPem], () =>
    readCertificates(caPem).map((ca) => ca.subject),
  )) {
    if (listed.has(subject)) continue;
    findings.push(
      warning(`${path}/crl`, `${names} has no CRL of ${quote(subject)}: every client of that CA is refused`),
    );
  }
  return findings;
}

function messageOf(facts: CrlFacts, { ca, revocation }: TrustConfig, now: number): string | null {
  const { issuer, thisUpdate, nextUpdate } = facts;
  const { stale, grace, missing } = { ...defaults.revocation, ...revocation };
  if (issuer.startsWith('#')) return `is of none of the CAs in ${quote(ca)}: it revokes nothing here`;
  const refused = `every client of ${quote(issuer)} is refused`;
  if (now < thisUpdate) {
    const until = missing === 'deny' ? refused : `clients of ${quote(issuer)} that it does not list pass`;
    return `is not valid before ${date(thisUpdate)}: until then ${until}`;
  }
  if (nextUpdate === null || now <= nextUpdate) return null;
  const due = `was due to be replaced by ${date(nextUpdate)}`;
  if (stale === 'report') return `${due}: until it is, it counts, and requests under it are reported`;
  const graceMs = stale === 'allow' && grace !== undefined ? parseDuration(grace) : 0;
  if (now <= nextUpdate + graceMs) return `${due}: it counts until ${date(nextUpdate + graceMs)}`;
  return `${due}: until it is, ${refused}`;
}

function date(ms: number): string {
  return new Date(ms).toISOString().replace('.000', '');
}

import type { Finding } from './finding.ts';

/** When the table below was last looked over. */
const lookedOver = '2026-11-24';

/** What releases before these are open to, each tried on this program's own cases. */
const advisories = 'CVE-2026-48928 (server name in capitals), CVE-2026-58044 (headers past the limit hidden)';

/** Of each line of releases the first that is safe, and the OpenSSL that it comes with. */
const minimum: Readonly<Record<number, string>> = { 24: '24.21.0', 26: '26.10.0' };
const newest = 26;

/** What this runtime is known to be open to. Pure. @param node As `process.versions.node` has it. */
export function runtimeFindings(node: string, openssl: string): Finding[] {
  const findings: Finding[] = [];
  const major = Number.parseInt(node, 10);
  const safe = minimum[major];
  const about = 'runtime' as const;
  if (safe === undefined && major > newest) {
    const message = `Node ${node} is newer than what this program knows of (${lookedOver})`;
    findings.push({ severity: 'info', about, place: null, message, fix: '' });
  } else if (safe === undefined || isOlder(node, safe)) {
    const fix = `run it with Node ${minimum[newest]} or later (${minimum[24]} is the floor)`;
    const message = `Node ${node} is open to ${advisories}, as of ${lookedOver}`;
    findings.push({ severity: 'error', about, place: null, message, fix });
  }
  if (isOlder(openssl, '3.5.0')) {
    const message = `OpenSSL ${openssl} is older than the 3.5 that safe releases of Node come with`;
    const fix = 'use a Node that is not linked to the OpenSSL of the system';
    findings.push({ severity: 'warning', about, place: null, message, fix });
  }
  return findings;
}

function isOlder(version: string, than: string): boolean {
  const [one, two] = [version, than].map((text) => text.split('.').map((part) => Number.parseInt(part, 10)));
  for (const [index, part] of two!.entries()) {
    const own = one![index] ?? 0;
    if (own !== part) return !(own > part);
  }
  return false;
}

import { normaliseConfigName } from '../config/rules/names.ts';
import { pointer } from '../config/problem.ts';
import type { Config } from '../config/schema.ts';
import { printable, quote } from '../config/text.ts';
import { normalisePath } from '../snapshot/path.ts';
import type { Host, Route, Snapshot } from '../snapshot/snapshot.ts';
import type { PlacedFinding } from './finding.ts';
import { weaknesses } from './weakness.ts';

/** What of a configuration that can be served ought to be thought over, beyond what `check` says. */
export function configurationFindings(config: Config, snapshot: Snapshot): PlacedFinding[] {
  const known = new WeakSet<Host>();
  const findings = config.hosts.flatMap(({ names }, index) => {
    const host = hostNamed(snapshot, names[0]);
    if (host === null || known.has(host)) return [];
    known.add(host);
    const path = pointer('hosts', index);
    return [...hostFindings(host, snapshot, path), ...material(host, path)];
  });
  for (const { name, tls } of snapshot.upstreams.values()) {
    if (tls?.verify !== false) continue;
    findings.push({
      severity: 'warning',
      about: 'configuration',
      path: pointer('upstreams', name),
      message: `whoever answers in place of upstream ${quote(name)} is believed: its certificate is not verified`,
      fix: 'give tls.ca, and take dangerouslySkipVerification away',
    });
  }
  return findings;
}

function hostNamed({ hosts }: Snapshot, name: string | undefined): Host | null {
  const normal = name === undefined ? null : normaliseConfigName(name);
  return normal === null ? null : (hosts.all.find(({ names }) => names.includes(normal)) ?? null);
}

function hostFindings(host: Host, { listeners }: Snapshot, path: string): PlacedFinding[] {
  const about = 'configuration' as const;
  const findings: PlacedFinding[] = [];
  const { all } = host.routes;
  if (listeners.http !== null && all.some(({ plainHttp }) => plainHttp === 'serve')) {
    const paths = all.filter(({ plainHttp }) => plainHttp === 'serve').map((route) => route.path);
    const message = `${named(host)} is served in plain text at ${paths.slice(0, 5).map(quote).join(', ')}`;
    findings.push({ severity: 'warning', about, path, message, fix: 'plainHttp: redirect' });
  }
  for (const route of all) {
    if (isReachable(host, route)) continue;
    const what = route.policy === null ? 'the route' : 'the policy of the route';
    const message = `requests do not reach ${what} ${quote(route.path)} (${route.pathType}) of ${named(host)}: another route takes its paths`;
    const fix = 'take it away, or write it before the other';
    const severity = route.policy === null ? 'info' : 'warning';
    findings.push({ severity, about, path, message, fix });
  }
  for (const { revocation, ocsp } of host.clientAuth.trusts.slice(0, 1)) {
    if (revocation !== null || ocsp !== null) continue;
    const message = `a client certificate that was revoked still gets in at ${named(host)}: there is neither a CRL nor OCSP`;
    findings.push({
      severity: 'warning',
      about: 'certificates',
      path,
      message,
      fix: 'clientAuth.crl, or clientAuth.ocsp',
    });
  }
  return findings;
}

/** Tried on the table that serves, with some paths that are the route's own. A regular expression is taken to be reachable. */
function isReachable(host: Host, route: Route): boolean {
  if (route.pathType === 'Regex') return true;
  const base = route.path.replace(/\/$/, '');
  const paths =
    route.pathType === 'Exact' ? [route.path] : [route.path, `${base}/`, `${base}/mtls-ingress-any`];
  return paths.some((path) => {
    const normal = normalisePath(path);
    return normal !== null && host.routes.find(normal.path) === route;
  });
}

function material(host: Host, path: string): PlacedFinding[] {
  const findings: PlacedFinding[] = [];
  const tell = (what: string, fault: string): void => {
    findings.push({
      severity: 'warning',
      about: 'certificates',
      path,
      message: printable(`${what} of ${named(host)} ${fault}`),
      fix: 'have it issued anew with P-256 or RSA 2048 and SHA-256',
    });
  };
  for (const fault of weaknesses(host.certificate.cert)) tell('the certificate', fault);
  for (const { ca } of host.clientAuth.stores) for (const fault of weaknesses(ca)) tell('a CA', fault);
  return findings;
}

function named({ id }: Host): string {
  return quote(id);
}

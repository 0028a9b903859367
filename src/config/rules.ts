import { adminHostOf, adminPath } from './admin-host.ts';
import type { CheckMemory } from './check-memory.ts';
import { type Finding, pointer } from './problem.ts';
import { checkAdmin } from './rules/admin.ts';
import { checkClientAuth } from './rules/client-auth.ts';
import { checkDestinations } from './rules/destinations.ts';
import { checkCors } from './rules/cors.ts';
import { checkListeners } from './rules/listeners.ts';
import { checkNames } from './rules/names.ts';
import { checkOcsp } from './rules/ocsp.ts';
import { checkPolicies } from './rules/policies.ts';
import { checkProxyProtocol } from './rules/proxy-protocol.ts';
import { checkQuantities } from './rules/quantities.ts';
import { checkReport } from './rules/report.ts';
import { checkRevocation } from './rules/revocation.ts';
import { checkRoutes } from './rules/routes.ts';
import { checkTls } from './rules/tls.ts';
import { checkUpstreams } from './rules/upstreams.ts';
import type { Config, HostConfig } from './schema.ts';
import type { Steps } from '../steps.ts';

/** Of the configuration as a whole: how its parts fit each other. */
const wholeRules = [checkAdmin, checkAdminHost, checkListeners, checkProxyProtocol, checkNames, checkTls];

/** Of each host: what they find depends on nothing but the host and the upstreams that there are. */
const hostRules = [
  checkClientAuth,
  checkRevocation,
  checkOcsp,
  checkPolicies,
  checkReport,
  checkRoutes,
  checkCors,
  checkDestinations,
];

/**
 * What the schema cannot say: whether the parts of a configuration fit each other, and whether each of its texts
 * can be read by the part of the program that it is meant for. Opens no file.
 */
export function checkRules(config: Config): Finding[] {
  return [...wholeRules, ...hostRules, checkUpstreams, checkQuantities].flatMap((check) => check(config));
}

/** `checkRules`, step by step. Of hosts that the memory knows to be fine nothing is asked again. */
export function* ruleSteps(config: Config, memory: CheckMemory): Steps<Finding[]> {
  const findings: Finding[] = [];
  for (const rule of wholeRules) {
    findings.push(...rule(config));
    yield;
  }
  findings.push(...checkUpstreams(config), ...checkQuantities({ ...config, hosts: [] }));
  const fine = memory.fineHosts(
    Object.keys(config.upstreams),
    JSON.stringify({ ...config, hosts: [], upstreams: {} }),
  );
  for (const [index, host] of config.hosts.entries()) {
    if (fine.has(host)) continue;
    const found = findingsOf(host, index, config);
    if (found.length === 0) fine.add(host);
    findings.push(...found);
    yield;
  }
  return findings;
}

/** What is asked of a host's TLS, of the admin listener's. */
function checkAdminHost(config: Config): Finding[] {
  const host = adminHostOf(config);
  if (host === null) return [];
  const alone = { ...config, hosts: [host] };
  return [checkRevocation, checkOcsp]
    .flatMap((rule) => rule(alone))
    .map((finding) => moved(finding, adminPath));
}

function findingsOf(host: HostConfig, index: number, config: Config): Finding[] {
  const alone = { ...config, hosts: [host] };
  const found = [
    ...hostRules.flatMap((rule) => rule(alone)),
    ...checkQuantities({ ...alone, upstreams: {} }).filter(({ path }) => path.startsWith('/hosts/')),
  ];
  return found.map((finding) => moved(finding, pointer('hosts', index)));
}

/** A finding about a host that stood alone, with its paths as they are among all hosts. */
function moved({ path, message, dependsOn = [], ...rest }: Finding, to: string): Finding {
  const move = (place: string): string => place.replace(/^\/hosts\/0(?=\/|$)/, to);
  let text = message;
  for (const place of new Set(dependsOn)) text = text.replaceAll(place, () => move(place));
  return { ...rest, path: move(path), message: text, dependsOn: dependsOn.map(move) };
}

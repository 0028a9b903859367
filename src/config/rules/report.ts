import { error, type Finding, given, pointer, warning } from '../problem.ts';
import type { Config, HostConfig, RouteConfig } from '../schema.ts';

/** Whoever serves what would be refused is told so at every load, and only where something reports. */
export function checkReport(config: Config): Finding[] {
  return config.hosts.flatMap((host, index) => {
    const path = pointer('hosts', index);
    return [
      ...findingsOf(host, host, path, path),
      ...host.routes.flatMap((route, number) => findingsOf(host, route, path, `${path}/routes/${number}`)),
    ];
  });
}

function findingsOf(
  host: HostConfig,
  part: HostConfig | RouteConfig,
  hostPath: string,
  path: string,
): Finding[] {
  const findings: Finding[] = [];
  if (part.mode === 'report') {
    findings.push(
      host.clientAuth?.strict === true
        ? given(
            error(
              `${path}/mode`,
              'a strict host ends the handshake, so there is nothing that could be served',
            ),
            `${hostPath}/clientAuth/strict`,
          )
        : warning(
            `${path}/mode`,
            'REPORT MODE: whom the certificate check or a policy would refuse is served, and only logged and counted',
          ),
    );
  }
  if (part.policyMode === undefined) return findings;
  if (part.policy === undefined) {
    findings.push(warning(`${path}/policyMode`, 'unused: there is no policy here'));
  } else if (part.policyMode === 'report') {
    findings.push(
      warning(
        `${path}/policyMode`,
        'REPORT MODE: whom the policy would refuse is served, and only logged and counted',
      ),
    );
  }
  return findings;
}

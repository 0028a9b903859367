import { error, type Finding, pointer, warning } from '../problem.ts';
import type { Config, HostConfig } from '../schema.ts';

/** Client certificates are asked for where something depends on them, and only with a trust store. */
export function checkClientAuth(config: Config): Finding[] {
  return config.hosts.flatMap((host, index) => hostFindings(host, pointer('hosts', index)));
}

function hostFindings(host: HostConfig, path: string): Finding[] {
  const findings: Finding[] = [];
  const { mode, strict, ca, crl, verifyDepth } = host.clientAuth ?? { mode: 'off' };
  const place = `${path}/clientAuth`;
  if (strict === true && mode !== 'require') {
    findings.push(
      error(`${place}/strict`, `strict aborts whoever is not verified, so it needs mode require`),
    );
  }
  if (mode !== 'off') {
    if (ca === undefined) {
      findings.push({
        ...error(
          place,
          `mode ${mode} lacks \`ca\`: the file with the CAs that client certificates are verified against`,
        ),
        atKey: true,
      });
    }
    return findings;
  }
  for (const [name, value] of Object.entries({ ca, crl, verifyDepth })) {
    if (value === undefined) continue;
    findings.push(
      warning(`${place}/${name}`, `unused: no client certificate is asked for while mode is off`),
    );
  }
  // It would deny everyone; and whoever wrote it believes that certificates are checked.
  const cannotHold =
    'a policy needs client certificates: set clientAuth with `mode: require` and a ca, or take the policy away';
  if (host.policy !== undefined) findings.push(error(`${path}/policy`, cannotHold));
  for (const [index, route] of host.routes.entries()) {
    if (route.policy !== undefined) findings.push(error(`${path}/routes/${index}/policy`, cannotHold));
  }
  return findings;
}

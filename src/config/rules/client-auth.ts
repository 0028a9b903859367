import { error, type Finding, given, pointer, warning } from '../problem.ts';
import type { Config, HostConfig } from '../schema.ts';

/** Client certificates are asked for where something depends on them, and only with a trust store. */
export function checkClientAuth(config: Config): Finding[] {
  return config.hosts.flatMap((host, index) => hostFindings(host, pointer('hosts', index)));
}

function hostFindings(host: HostConfig, path: string): Finding[] {
  const findings: Finding[] = [];
  const { mode, strict, ca, crl, verifyDepth, ocsp } = host.clientAuth ?? { mode: 'off' };
  const place = `${path}/clientAuth`;
  if (strict === true && mode !== 'require') {
    findings.push(
      given(
        error(`${place}/strict`, `strict aborts whoever is not verified, so it needs mode require`),
        `${place}/mode`,
      ),
    );
  }
  if (mode !== 'off') {
    if (ca === undefined) {
      const lacking = error(
        place,
        `mode ${mode} lacks \`ca\`: the file with the CAs that client certificates are verified against`,
      );
      findings.push(given({ ...lacking, atKey: true }, `${place}/mode`, `${place}/ca`));
    }
    return findings;
  }
  for (const [name, value] of Object.entries({ ca, crl, verifyDepth, ocsp })) {
    if (value === undefined) continue;
    findings.push(
      given(
        warning(`${place}/${name}`, `unused: no client certificate is asked for while mode is off`),
        `${place}/mode`,
      ),
    );
  }
  // It would deny everyone; and whoever wrote it believes that certificates are checked.
  const cannotHold =
    'a policy needs client certificates: set clientAuth with `mode: require` and a ca, or take the policy away';
  const cannot = (policy: string): Finding => given(error(policy, cannotHold), `${place}/mode`);
  if (host.policy !== undefined) findings.push(cannot(`${path}/policy`));
  for (const [index, route] of host.routes.entries()) {
    if (route.policy !== undefined) findings.push(cannot(`${path}/routes/${index}/policy`));
  }
  return findings;
}

import { error, type Finding, given, pointer, warning } from '../problem.ts';
import type { Config, HostConfig, RouteConfig } from '../schema.ts';

/** Client certificates are asked for where something depends on them, and only with a trust store. */
export function checkClientAuth(config: Config): Finding[] {
  return config.hosts.flatMap((host, index) => {
    const path = pointer('hosts', index);
    return [
      ...hostFindings(host, path),
      ...host.routes.flatMap((route, number) => routeFindings(host, route, path, `${path}/routes/${number}`)),
    ];
  });
}

/** It would deny everyone; and whoever wrote it believes that certificates are checked. */
const cannotHold =
  'a policy needs client certificates: set clientAuth with `mode: require` and a ca, or take the policy away';

const unused = 'unused: no client certificate is asked for while mode is off';

function hostFindings(host: HostConfig, path: string): Finding[] {
  const findings: Finding[] = [];
  const { mode, strict, ca, crl, revocation, verifyDepth, ocsp } = host.clientAuth ?? { mode: 'off' };
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
    if (ca === undefined) findings.push(lackingCa(place, mode));
    return findings;
  }
  // Routes that ask in their own way inherit what they do not say.
  const heirs = host.routes.flatMap(({ clientAuth }) =>
    clientAuth === undefined || clientAuth.mode === 'off' ? [] : [clientAuth],
  );
  for (const [name, value] of Object.entries({ ca, crl, revocation, verifyDepth, ocsp })) {
    const inherited = heirs.some(
      (own) => name === 'revocation' || own[name as keyof typeof own] === undefined,
    );
    if (value === undefined || inherited) continue;
    findings.push(given(warning(`${place}/${name}`, unused), `${place}/mode`, `${path}/routes/*/clientAuth`));
  }
  if (host.policy !== undefined && host.routes.some(({ clientAuth }) => clientAuth === undefined)) {
    findings.push(given(error(`${path}/policy`, cannotHold), `${place}/mode`, `${path}/routes/*/clientAuth`));
  }
  return findings;
}

function routeFindings(host: HostConfig, route: RouteConfig, hostPath: string, path: string): Finding[] {
  const place = `${path}/clientAuth`;
  const hostPlace = `${hostPath}/clientAuth`;
  const findings: Finding[] = [];
  const { mode, ca, crl, revocation, verifyDepth, ocsp } = route.clientAuth ?? { mode: null };
  const isOff = (mode ?? host.clientAuth?.mode ?? 'off') === 'off';
  if (isOff && route.policy !== undefined) {
    findings.push(given(error(`${path}/policy`, cannotHold), `${hostPlace}/mode`, `${place}/mode`));
  }
  if (mode === null) return findings;
  if (isOff && host.policy !== undefined) {
    const message =
      "the host's policy needs client certificates: ask for them here too, or move the policy to routes";
    findings.push(given(error(`${place}/mode`, message), `${hostPath}/policy`));
  }
  if (host.clientAuth?.strict === true && mode !== 'require') {
    const message =
      'a strict host ends every connection without a verified certificate: its routes can only require';
    findings.push(given(error(`${place}/mode`, message), `${hostPlace}/strict`));
  }
  if (!isOff) {
    if ((ca ?? host.clientAuth?.ca) === undefined) {
      findings.push(given(lackingCa(place, mode), `${hostPlace}/ca`));
    }
    return findings;
  }
  for (const [name, value] of Object.entries({ ca, crl, revocation, verifyDepth, ocsp })) {
    if (value !== undefined) findings.push(given(warning(`${place}/${name}`, unused), `${place}/mode`));
  }
  return findings;
}

function lackingCa(place: string, mode: string): Finding {
  const lacking = error(
    place,
    `mode ${mode} lacks \`ca\`: the file with the CAs that client certificates are verified against`,
  );
  return given({ ...lacking, atKey: true }, `${place}/mode`, `${place}/ca`);
}

import { error, type Finding, given, pointer } from '../problem.ts';
import type { Config } from '../schema.ts';
import { type TrustPlace, trustPlaces } from '../trust-config.ts';
import { parseDuration } from '../units.ts';

/** How revocation is asked about: only where there is a CRL, and so that each setting means something. */
export function checkRevocation(config: Config): Finding[] {
  return config.hosts.flatMap((host, index) =>
    trustPlaces(host, pointer('hosts', index)).flatMap(placeFindings),
  );
}

function placeFindings({ path, mode, own, trust }: TrustPlace): Finding[] {
  if (own.revocation === undefined || mode === 'off') return [];
  const place = `${path}/revocation`;
  const findings: Finding[] = [];
  if (trust.crl === undefined) {
    findings.push(
      given(
        {
          ...error(place, 'asks nothing without `crl`: name the files of CRLs there, or take it away'),
          atKey: true,
        },
        `${path}/crl`,
        `${path}/mode`,
      ),
    );
  }
  const { stale, grace } = trust.revocation ?? {};
  if (stale === 'allow' && grace === undefined) {
    findings.push(
      given(
        error(`${place}/stale`, 'allow needs `grace`: for how long past its nextUpdate a CRL still counts'),
        `${place}/grace`,
      ),
    );
  }
  if (own.revocation.grace === undefined) return findings;
  if (stale !== 'allow') {
    findings.push(given(error(`${place}/grace`, 'counts only with `stale: allow`'), `${place}/stale`));
  }
  try {
    parseDuration(own.revocation.grace);
  } catch (fault) {
    if (!(fault instanceof RangeError)) throw fault;
    findings.push(error(`${place}/grace`, fault.message));
  }
  return findings;
}

import { isLoopback } from '../../admin/loopback.ts';
import { adminPath as path } from '../admin-host.ts';
import { defaults } from '../defaults.ts';
import { error, type Finding, given, warning } from '../problem.ts';
import type { Config } from '../schema.ts';
import { policyFindings } from './policies.ts';

type AdminConfig = NonNullable<Config['listeners']['admin']>;

const place = `${path}/address`;

/** The admin listener is open to this machine alone; from elsewhere one has to show who one is. */
export function checkAdmin({ listeners: { admin } }: Config): Finding[] {
  if (admin === undefined) return [];
  const findings = certificateFindings(admin);
  return isLoopback(admin.address ?? defaults.admin.address)
    ? findings
    : [...findings, ...elsewhereFindings(admin)];
}

const grantsOf = ({ reading, changing }: AdminConfig) =>
  Object.entries({ reading, changing }).flatMap(([name, grant]) =>
    typeof grant === 'object' ? [{ where: `${path}/${name}`, grant }] : [],
  );

/** Policies judge certificates, and certificates count by policies: neither lets anyone in without the other. */
function certificateFindings(admin: AdminConfig): Finding[] {
  const { certificate, clientAuth } = admin;
  const findings: Finding[] = [];
  if (clientAuth !== undefined && certificate === undefined) {
    const message =
      'needs `certificate`, the listener’s own: without it there is no TLS, and nobody shows one';
    findings.push(given(error(`${path}/clientAuth`, message), `${path}/certificate`));
  }
  const policies = grantsOf(admin).filter(({ grant }) => grant.policy !== undefined);
  for (const { where, grant } of policies) {
    if (clientAuth === undefined) {
      const message = 'needs `clientAuth`: whose certificates are verified before the policy judges them';
      findings.push(given(error(`${where}/policy`, message), `${path}/clientAuth`));
    }
    findings.push(...policyFindings(grant.policy, `${where}/policy`));
  }
  if (clientAuth !== undefined && policies.length === 0) {
    const message = 'lets nobody in: write whom, as in `reading: { policy: { ou: Operations } }`';
    findings.push(given(error(`${path}/clientAuth`, message), `${path}/reading`, `${path}/changing`));
  }
  return findings;
}

function elsewhereFindings(admin: AdminConfig): Finding[] {
  const findings: Finding[] = [];
  const { certificate, reading, changing, dangerouslyWithoutTls = false } = admin;
  if (reading === undefined) {
    findings.push(
      given(
        error(
          place,
          'whoever reaches this address would read metrics and status: write 127.0.0.1, or who may read, as in `reading: { token: admin.token }`, or `reading: off` for /healthz and /readyz alone',
        ),
        `${path}/reading`,
      ),
    );
  }
  for (const { where, grant } of grantsOf(admin)) {
    if (grant.token === undefined || certificate !== undefined) continue;
    const told = dangerouslyWithoutTls
      ? warning(`${where}/token`, 'is sent over plain HTTP: whoever reads it on the way can use it')
      : error(
          `${where}/token`,
          'would be sent over plain HTTP, for all to read on the way: write `certificate`, or `dangerouslyWithoutTls: true` if none can',
        );
    findings.push(given(told, place, `${path}/certificate`, `${path}/dangerouslyWithoutTls`));
  }
  if (typeof changing === 'object' && changing.local === true) {
    findings.push(
      given(
        error(
          `${path}/changing/local`,
          'counts on a loopback address only: write who may change, as in `changing: { token: admin.token }`',
        ),
        place,
      ),
    );
  }
  return findings;
}

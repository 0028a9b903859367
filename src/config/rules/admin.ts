import { isLoopback } from '../../admin/loopback.ts';
import { defaults } from '../defaults.ts';
import { error, type Finding, given, warning } from '../problem.ts';
import type { Config } from '../schema.ts';

const path = '/listeners/admin';

/** The admin listener is open to this machine alone; from elsewhere one has to show who one is. */
export function checkAdmin({ listeners: { admin } }: Config): Finding[] {
  if (admin === undefined) return [];
  const { address = defaults.admin.address, reading, changing } = admin;
  const findings: Finding[] = [];
  const place = `${path}/address`;
  if (isLoopback(address)) return findings;
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
  for (const [name, grant] of Object.entries({ reading, changing })) {
    if (typeof grant !== 'object' || grant.token === undefined) continue;
    const where = `${path}/${name}/token`;
    if (admin.dangerouslyWithoutTls !== true) {
      const message = 'would be sent over plain HTTP, for all to read on the way';
      findings.push(
        given(error(where, `${message}: write \`dangerouslyWithoutTls: true\` if none can`), place),
      );
    } else {
      findings.push(
        given(warning(where, 'is sent over plain HTTP: whoever reads it on the way can use it'), place),
      );
    }
  }
  return findings;
}

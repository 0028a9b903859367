import { defaults } from '../../config/defaults.ts';
import type { Config } from '../../config/schema.ts';
import { readTokens } from '../../config/tokens.ts';
import { adminHostOf, adminPath } from '../../config/admin-host.ts';
import type { AdminAccess, Grant } from '../admin-access.ts';
import type { Host } from '../snapshot.ts';
import type { CompileContext } from './context.ts';
import { compileHost } from './host.ts';
import { compileHostPolicy } from './policy.ts';

type AdminConfig = NonNullable<Config['listeners']['admin']>;

/** Who may use the admin listener. */
export function compileAdminAccess(context: CompileContext, config: AdminConfig | undefined): AdminAccess {
  const { reading = defaults.admin.reading, changing = defaults.admin.changing } = config ?? {};
  return Object.freeze({
    reading: compileGrant(context, reading, `${adminPath}/reading`),
    changing:
      typeof changing === 'object' && changing.local === true
        ? 'open'
        : compileGrant(context, changing, `${adminPath}/changing`),
    probes: config?.probes ?? defaults.admin.probes,
  });
}

function compileGrant(
  context: CompileContext,
  config: 'open' | 'off' | NonNullable<Exclude<AdminConfig['reading'], 'off'>>,
  path: string,
): Grant {
  if (typeof config === 'string') return config;
  const { token } = config;
  const read = token === undefined ? null : readTokens(context.file(token, `${path}/token`));
  for (const problem of read?.problems ?? []) context.problem(`${path}/token`, `${token}: ${problem}`);
  const policy = compileHostPolicy(context, config.policy, `${path}/policy`);
  return Object.freeze({ tokens: read?.tokens ?? [], policy });
}

/** The admin listener's certificate, and whom it asks for theirs; null: it speaks plain HTTP. */
export function compileAdminHost(context: CompileContext, config: Config): Host | null {
  const host = adminHostOf(config);
  return host === null ? null : compileHost(context, host, new Map(), adminPath);
}

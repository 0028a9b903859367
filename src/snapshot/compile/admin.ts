import { defaults } from '../../config/defaults.ts';
import type { Config } from '../../config/schema.ts';
import { readTokens } from '../../config/tokens.ts';
import type { AdminAccess, Grant } from '../admin-access.ts';
import type { CompileContext } from './context.ts';

type AdminConfig = NonNullable<Config['listeners']['admin']>;

/** Who may use the admin listener. */
export function compileAdminAccess(context: CompileContext, config: AdminConfig | undefined): AdminAccess {
  const path = '/listeners/admin';
  const { reading = defaults.admin.reading, changing = defaults.admin.changing } = config ?? {};
  return Object.freeze({
    reading: compileGrant(context, reading, `${path}/reading`),
    changing:
      typeof changing === 'object' && changing.local === true
        ? 'open'
        : compileGrant(context, changing, `${path}/changing`),
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
  return Object.freeze({ tokens: read?.tokens ?? [], policy: null });
}

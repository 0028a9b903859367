import type { HostConfig } from '../../config/schema.ts';
import { createRouteTable } from '../route-table.ts';
import type { Host, Upstream } from '../snapshot.ts';
import { compileClientAuth } from './client-auth.ts';
import type { CompileContext } from './context.ts';
import { compileName } from './name.ts';
import { compileHostPolicy } from './policy.ts';
import { compileRoute } from './route.ts';

/** A host with its routes. */
export function compileHost(
  context: CompileContext,
  config: HostConfig,
  upstreams: ReadonlyMap<string, Upstream>,
  path: string,
): Host {
  const names = config.names.map((name, index) => compileName(context, name, `${path}/names/${index}`));
  const id = names[0] ?? '';
  const clientAuth = compileClientAuth(context, config.clientAuth, `${path}/clientAuth`);
  const policy = compileHostPolicy(context, config.policy, `${path}/policy`);
  const routes = config.routes.map((route, index) =>
    compileRoute(context, route, config, id, upstreams, `${path}/routes/${index}`),
  );
  const judgesPaths = policy !== null || routes.some((route) => route.policy !== null);
  if (judgesPaths && clientAuth.mode === 'off') {
    context.problem(path, 'a policy cannot hold while client certificates are off: set clientAuth.mode');
  }
  return Object.freeze({
    id,
    names: Object.freeze(names),
    certificate: Object.freeze({
      cert: context.file(config.certificate.cert, `${path}/certificate/cert`),
      key: context.file(config.certificate.key, `${path}/certificate/key`),
    }),
    clientAuth,
    policy,
    routes: createRouteTable(routes),
    judgesPaths,
  });
}

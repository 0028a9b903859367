import type { HostConfig } from '../../config/schema.ts';
import { createRouteTable } from '../route-table.ts';
import { reportsOfHost } from '../report.ts';
import type { Host, Upstream } from '../snapshot.ts';
import { compileClientAuth, compileHandshake } from './client-auth.ts';
import type { CompileContext } from './context.ts';
import { compileName } from './name.ts';
import { compileStapling } from './ocsp.ts';
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
  const own = compileClientAuth(context, config.clientAuth, `${path}/clientAuth`);
  const policy = compileHostPolicy(context, config.policy, `${path}/policy`);
  const routes = config.routes.map((route, index) =>
    compileRoute(context, route, { config, id, clientAuth: own }, upstreams, `${path}/routes/${index}`),
  );
  for (const [index, route] of routes.entries()) {
    if (route.clientAuth.mode !== 'off' || (policy ?? route.policy) === null) continue;
    const message = 'a policy cannot hold while client certificates are off: set clientAuth.mode';
    context.problem(`${path}/routes/${index}`, message);
  }
  if (
    config.clientAuth?.strict === true &&
    [config, ...config.routes].some(({ mode }) => mode === 'report')
  ) {
    context.problem(
      `${path}/mode`,
      'a strict host ends the handshake, so there is nothing that could be served',
    );
  }
  const clientAuths = routes.map((route) => route.clientAuth);
  const judgesPaths =
    policy !== null ||
    routes.some((route) => route.policy !== null) ||
    clientAuths.some(({ mode, trust }) => mode !== own.mode || trust?.key !== own.trust?.key);
  return Object.freeze({
    id,
    names: Object.freeze(names),
    certificate: Object.freeze({
      cert: context.file(config.certificate.cert, `${path}/certificate/cert`),
      key: context.file(config.certificate.key, `${path}/certificate/key`),
    }),
    stapling: compileStapling(context, config.certificate, `${path}/certificate`),
    clientAuth: compileHandshake(context, config.clientAuth, own, clientAuths, path),
    policy,
    reports: Object.freeze(reportsOfHost(config)),
    routes: createRouteTable(routes),
    judgesPaths,
  });
}

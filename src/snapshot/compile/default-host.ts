import type { Host } from '../snapshot.ts';
import { anyName } from '../host-name.ts';
import type { CompileContext } from './context.ts';
import { compileName } from './name.ts';

/** The host that stands in where no server name leads to one: the named one, else `*`, else the strictest. */
export function compileDefaultHost(
  context: CompileContext,
  name: string | undefined,
  hosts: readonly Host[],
): Host {
  if (name === undefined) return hosts.find(({ names }) => names.includes(anyName)) ?? strictest(hosts);
  const path = '/tls/defaultHost';
  const normal = compileName(context, name, path);
  const host = hosts.find(({ names }) => names.includes(normal));
  if (host === undefined) context.problem(path, `no host has the name ${name}`);
  return host ?? strictest(hosts);
}

/** Require before optional before off, strict first; hosts that ask for routes only stand last before off. */
function strictest(hosts: readonly Host[]): Host {
  const rank = ({ clientAuth: { mode, strict, key } }: Host): number =>
    strict ? 0 : { require: 1, optional: 2, optional_no_ca: 3, off: key === null ? 5 : 4 }[mode];
  return hosts.reduce((best, host) => (rank(host) < rank(best) ? host : best));
}

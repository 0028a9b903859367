import type { RouteConfig } from './schema.ts';

/** An upstream that a route names, and where: a JSON pointer from the route. */
export interface NamedUpstream {
  readonly name: string;
  readonly path: string;
}

/** Every upstream that a route may send something to: its own, canaries', what it asks, whose pages it shows, who gets copies. */
export function upstreamsOf(route: RouteConfig): NamedUpstream[] {
  const named: NamedUpstream[] = [];
  const add = (name: string | undefined, path: string): void => {
    if (name !== undefined) named.push({ name, path });
  };
  add(route.upstream, '/upstream');
  for (const [index, { upstream }] of (route.canary ?? []).entries()) {
    add(upstream, `/canary/${index}/upstream`);
  }
  add(route.access?.external?.upstream, '/access/external/upstream');
  add(route.errorPages?.upstream, '/errorPages/upstream');
  add(route.mirror?.upstream, '/mirror/upstream');
  return named;
}

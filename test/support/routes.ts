import type { RouteConfig } from '../../src/config/schema.ts';
import { exchange, openTcp, parseAnswer, request, type RawAnswer } from './client.ts';
import { createAuthority } from './pki.ts';
import { type Backend, startBackend, startProxy, type Proxy } from './proxy.ts';

const ca = await createAuthority({ cn: 'CA' });
const server = await ca.issue({ cn: 'server', hosts: ['a.test'], usage: 'server' });
const client = await ca.issue({ cn: 'roshankhatri', ou: 'ITOps' });
const files = { 'server.pem': server.bundle, 'server.key': server.key, 'ca.pem': ca.cert };
/** Of every host that a test adds. */
export const certificate = { cert: 'server.pem', key: 'server.key' };

type Testing = Parameters<typeof startProxy>[0];

type Asking = (path: string, headers?: readonly string[], host?: string) => Promise<RawAnswer>;

/** A proxy with one host `a.test`, and a backend named `backend`. */
export interface Setting {
  readonly proxy: Proxy;
  readonly backend: Backend;
  readonly get: Asking;
  readonly plain: Asking;
  /** What the backend saw last. */
  readonly seen: () => Backend['seen'][number];
}

/** Starts both with these routes; the files are server.pem, server.key and ca.pem, which the client's certificate is of. */
export async function withRoutes(
  t: Testing,
  routes: readonly RouteConfig[],
  more: Readonly<{
    material?: Readonly<Record<string, string>>;
    host?: object;
    config?: object;
    /** Further upstreams. */
    upstreams?: Readonly<Record<string, { readonly endpoints: string[] }>>;
    answer?: Parameters<typeof startBackend>[1];
  }> = {},
): Promise<Setting> {
  const backend = await startBackend(t, more.answer);
  const proxy = await startProxy(
    t,
    {
      listeners: { http: { address: '127.0.0.1', port: 0 } },
      hosts: [{ names: ['a.test'], certificate, routes: [...routes], ...more.host }],
      upstreams: { backend: { endpoints: [backend.endpoint] }, ...more.upstreams },
      ...more.config,
    },
    { ...files, ...more.material },
  );
  return {
    proxy,
    backend,
    get: (path, headers = [], host = 'a.test') =>
      request({ port: proxy.port, serverName: host, host, path, headers, certificate: client }),
    plain: async (path, headers = [], host = 'a.test') => {
      const lines = [`GET ${path} HTTP/1.1`, `Host: ${host}`, 'Connection: close', ...headers, '', ''];
      return parseAnswer(await exchange(openTcp(proxy.addresses.http!.port), lines.join('\r\n')));
    },
    seen: () => backend.seen.at(-1)!,
  };
}

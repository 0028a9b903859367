import { defaults } from '../../config/defaults.ts';
import { inheritTrust, type TrustConfig } from '../../config/trust-config.ts';
import type { HostConfig, RouteConfig } from '../../config/schema.ts';
import type { ClientAuth, HostClientAuth, Trust } from '../snapshot.ts';
import { type CompileContext, digest } from './context.ts';
import { compileOcsp } from './ocsp.ts';
import { compileRevocation } from './revocation.ts';

/**
 * Trust stores of one host, those of its routes included. Each is verified against at every handshake, which costs
 * some 0.5 ms a store.
 */
export const maxStores = 16;

const off: ClientAuth = Object.freeze({ mode: 'off', trust: null });

/** How a host asks for client certificates, and what it trusts; its routes ask in the same way unless they say. */
export function compileClientAuth(
  context: CompileContext,
  config: HostConfig['clientAuth'],
  path: string,
): ClientAuth {
  if (config === undefined || config.mode === 'off') return off;
  if (config.strict === true && config.mode !== 'require') {
    context.problem(`${path}/strict`, 'strict needs mode require');
  }
  return Object.freeze({ mode: config.mode, trust: compileTrust(context, config, path) });
}

/**
 * How a route asks. What it does not say of the trust store is the host's, also where the host's own mode is `off`:
 * so a route with a CA of its own does not lose the host's CRLs by that.
 */
export function compileRouteClientAuth(
  context: CompileContext,
  config: RouteConfig['clientAuth'],
  host: { readonly config: HostConfig['clientAuth']; readonly compiled: ClientAuth },
  path: string,
): ClientAuth {
  if (config === undefined) return host.compiled;
  if (config.mode === 'off') {
    if (host.config?.strict === true) context.problem(`${path}/mode`, laxer);
    return off;
  }
  if (host.config?.strict === true && config.mode !== 'require') context.problem(`${path}/mode`, laxer);
  const trust = compileTrust(context, inheritTrust(config, host.config ?? {}), path);
  return Object.freeze({ mode: config.mode, trust });
}

const laxer =
  'a strict host ends every connection without a verified certificate: its routes can only require';

/** A mode without its trust store is a problem (rule 1). */
function compileTrust(context: CompileContext, config: TrustConfig, path: string): Trust {
  // Node would fall back to the public CAs of the web if it were given none.
  const { ca, verifyDepth = defaults.verifyDepth } = config;
  if (ca === undefined) context.problem(path, 'client certificates need a ca: the file of CAs to trust');
  const caPem = ca === undefined ? '' : context.file(ca, `${path}/ca`);
  const revocation = compileRevocation(context, config, caPem, path);
  const ocsp = compileOcsp(context, config.ocsp, `${path}/ocsp`);
  const key = digest(String(verifyDepth), caPem, `ocsp ${JSON.stringify(ocsp)}`);
  return Object.freeze({ ca: caPem, revocation, verifyDepth, ocsp, key });
}

/** What the host's handshake has to ask for, so that it serves the host and each of its routes. */
export function compileHandshake(
  context: CompileContext,
  config: HostConfig['clientAuth'],
  own: ClientAuth,
  routes: readonly ClientAuth[],
  path: string,
): HostClientAuth {
  const byKey = new Map<string, Map<Trust['revocation'], Trust>>();
  for (const { trust } of [own, ...routes]) {
    if (trust === null) continue;
    const alike = byKey.get(trust.key) ?? new Map<Trust['revocation'], Trust>();
    byKey.set(trust.key, alike);
    if (!alike.has(trust.revocation)) alike.set(trust.revocation, trust);
  }
  const trusts = Object.freeze([...byKey.values()].flatMap((alike) => [...alike.values()]));
  const stores = Object.freeze([...new Map(trusts.map((trust) => [trust.key, trust])).values()]);
  if (stores.length > maxStores) {
    context.problem(path, `${stores.length} trust stores, the host's and its routes': at most ${maxStores}`);
  }
  const strict = own.mode !== 'off' && config?.strict === true;
  const asks = stores.length > 0;
  const key = asks ? digest(own.mode, String(strict), own.trust?.key ?? 'none') : null;
  const handshakeKey = key === null ? null : digest(key, ...stores.map((store) => store.key).toSorted());
  return Object.freeze({ ...own, strict, stores, trusts, key, handshakeKey });
}

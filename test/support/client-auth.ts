import type { ClientAuthMode } from '../../src/config/schema.ts';
import type { Judged } from '../../src/snapshot/connection.ts';
import type { ClientAuth, HostClientAuth, Trust } from '../../src/snapshot/snapshot.ts';
import { readLists } from '../../src/tls/crl-file.ts';
import { RevocationList } from '../../src/tls/revocation-list.ts';
import { indexLists, type Revocation } from '../../src/tls/revocation.ts';
import type { Verdict } from '../../src/tls/verdict.ts';

/** A trust store without material, by its key. */
export function testTrust(key: string, changes: Partial<Trust> = {}): Trust {
  return { ca: '', revocation: null, verifyDepth: 1, ocsp: null, key, ...changes };
}

/** Asks as nginx does. @param crl PEM. */
export function testRevocation(crl: string, changes: Partial<Revocation> = {}): Revocation {
  const lists = readLists(crl).filter((list) => list instanceof RevocationList);
  return { check: 'chain', stale: 'deny', graceMs: 0, missing: 'deny', lists: indexLists(lists), ...changes };
}

/** How a host asks that has this one trust store, and no other in its routes. */
export function testHostAuth(
  mode: ClientAuthMode,
  key: string,
  changes: Partial<Trust> & { readonly strict?: boolean } = {},
): HostClientAuth {
  const { strict = false, ...trustChanges } = changes;
  if (mode === 'off')
    return { mode, trust: null, strict, stores: [], trusts: [], key: null, handshakeKey: null };
  const trust = testTrust(key, trustChanges);
  return {
    mode,
    trust,
    strict,
    stores: [trust],
    trusts: [trust],
    key: `${mode} ${key}`,
    handshakeKey: `${mode} ${key}`,
  };
}

/** What a connection holds that was judged against one trust store. */
export function judgedUnder(key: string, verdict: Verdict): ReadonlyMap<string, Judged> {
  return new Map([[key, { verdict, chain: [] }]]);
}

/** No certificate is asked for. */
export const authOff: ClientAuth = { mode: 'off', trust: null };

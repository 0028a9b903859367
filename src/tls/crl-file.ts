import { createHash, X509Certificate } from 'node:crypto';
import { blocksFor } from '../config/pem.ts';
import { type CrlIssuer, crlIssuerOf } from './crl-issuer.ts';
import { RevocationList, UnusableCrl } from './revocation-list.ts';

/** Lists that someone still holds, by the SHA-256 of their PEM. */
const known = new Map<string, WeakRef<RevocationList>>();

/**
 * The CRLs of a file in PEM, in its order; in place of one that cannot be used, why. A list that was read before and
 * that someone still holds is the very same object: one of 100,000 entries is not read again because another file of
 * the configuration changed.
 */
export function readLists(pem: string): readonly (RevocationList | UnusableCrl)[] {
  return blocksFor('crl', pem).map(readList);
}

function readList(block: string): RevocationList | UnusableCrl {
  const key = createHash('sha256').update(block).digest('base64');
  const before = known.get(key)?.deref();
  if (before !== undefined) return before;
  try {
    const list = new RevocationList(Buffer.from(block.replaceAll(/-----[^-]*-----/g, ''), 'base64'));
    for (const [other, held] of known) if (held.deref() === undefined) known.delete(other);
    known.set(key, new WeakRef(list));
    return list;
  } catch (error) {
    if (error instanceof UnusableCrl) return error;
    throw error;
  }
}

/** The CAs of a file in PEM, as CRLs know them. One that cannot be read is left out: TLS is what refuses it. */
export function issuersIn(pem: string): readonly CrlIssuer[] {
  return blocksFor('ca', pem).flatMap((block) => {
    try {
      return [crlIssuerOf(new X509Certificate(block))];
    } catch {
      return [];
    }
  });
}

/**
 * Why none of the CAs can have issued a CRL that bears the name of one of them; null where one has, and where it is
 * of another CA. That may be one whose certificate the clients send: it counts for those, once its signature holds.
 */
export function foreignSignature(list: RevocationList, issuers: readonly CrlIssuer[]): string | null {
  const named = issuers.filter(({ name }) => name === list.issuer);
  const [first] = named;
  if (first === undefined || named.some((issuer) => list.isOf(issuer))) return null;
  if (named.every(({ signsCrls }) => !signsCrls)) {
    return `bears the name of ${JSON.stringify(first.subject)}, whose certificate may not sign CRLs (its keyUsage lacks cRLSign)`;
  }
  return `bears the name of ${JSON.stringify(first.subject)}, and a signature that is not its: fetch it again from the CA`;
}

import { createPublicKey, type KeyObject } from 'node:crypto';
import { type CertificateRequest, issueCertificate, type SignedCertificate } from './authority.ts';
import { type CertificateParts, extensionOf, readBasicConstraints } from './certificate-reader.ts';
import { PkiError } from './error.ts';
import { extensionOids } from './oid.ts';
import type { BoundedIssuer } from './signing.ts';

export interface Renewed extends SignedCertificate {
  readonly notBefore: number;
  readonly notAfter: number;
  readonly warnings: readonly string[];
}

const backdate = 5 * 60_000;
const text = (moment: number): string => new Date(moment).toISOString().replace('.000Z', 'Z');

/** Extensions that follow from who signs and for which key; the others are carried over octet for octet. */
const remade: ReadonlySet<string> = new Set([
  extensionOids.subjectKeyIdentifier,
  extensionOids.authorityKeyIdentifier,
]);

export interface Renewal {
  /** The certificate to renew, which the caller knows to be by `issuer`. */
  readonly parts: CertificateParts;
  /** Another key, or the certificate's own. */
  readonly publicKey?: KeyObject;
  /** Milliseconds; default: as long as before. */
  readonly expiry?: number;
}

/** The same certificate again: new serial, new validity, the rest as it was. `issuer` itself when self-signed. */
export function renewCertificate(
  renewal: Renewal,
  issuer: BoundedIssuer | { readonly selfSignedBy: KeyObject },
  now: number,
): Renewed {
  const { parts } = renewal;
  const warnings: string[] = [];
  const minute = Math.round(now / 60_000) * 60_000;
  let notBefore = minute - backdate;
  let notAfter = notBefore + (renewal.expiry ?? parts.notAfter - parts.notBefore);
  if (!('selfSignedBy' in issuer)) {
    if (now > issuer.notAfter) {
      throw new PkiError(`${issuer.label} expired on ${text(issuer.notAfter)} and can issue nothing more`);
    }
    const constraints = readBasicConstraints(extensionOf(parts, extensionOids.basicConstraints)?.value);
    if (constraints.ca && issuer.pathLen === 0) {
      throw new PkiError(`${issuer.label} has path length 0: no CA may stand below it`);
    }
    notBefore = Math.max(notBefore, issuer.notBefore);
    if (notAfter > issuer.notAfter) {
      notAfter = issuer.notAfter;
      warnings.push(`valid until ${text(notAfter)} only: ${issuer.label} itself ends then`);
    }
  }
  if (notAfter <= notBefore) throw new PkiError('it would end before it begins');
  const request: CertificateRequest = {
    subject: parts.subject,
    publicKey:
      renewal.publicKey ?? createPublicKey({ key: Buffer.from(parts.spki), format: 'der', type: 'spki' }),
    notBefore,
    notAfter,
    keyUsages: [],
    extensions: parts.extensions.filter(({ oid }) => !remade.has(oid)),
    // A certificate that had none keeps having none.
    without: [extensionOids.basicConstraints],
  };
  return { ...issueCertificate(request, issuer), notBefore, notAfter, warnings };
}

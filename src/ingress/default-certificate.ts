import { issueCertificate } from '../pki/authority.ts';
import { keyToPem, makeKey } from '../pki/key.ts';
import { attributeOid, encodeName } from '../pki/name.ts';
import { purposeOids } from '../pki/oid.ts';
import { toPem } from '../pki/pem.ts';
import { day } from '../pki/time.ts';

/**
 * A self-signed certificate for hosts without one, as ingress-nginx makes one at start: no client trusts it, and TLS can be
 * spoken all the same. Lives in memory, for a year.
 */
export async function makeDefaultCertificate(): Promise<{ readonly cert: string; readonly key: string }> {
  const { privateKey } = await makeKey({ algo: 'ecdsa', size: 256 });
  const now = Date.now();
  const signed = issueCertificate(
    {
      subject: encodeName([[{ oid: attributeOid('CN'), value: 'mtls-ingress default certificate' }]]),
      publicKey: privateKey,
      notBefore: now - day,
      notAfter: now + 365 * day,
      keyUsages: ['digital signature'],
      purposes: [purposeOids['server auth']!],
      altNames: [{ type: 'dns', value: 'ingress.invalid' }],
    },
    { selfSignedBy: privateKey },
  );
  return { cert: toPem('CERTIFICATE', signed.der), key: keyToPem(privateKey) };
}

import { createPublicKey, type KeyObject } from 'node:crypto';
import { DerReader, tags } from '../tls/der.ts';
import { readIdentity } from '../tls/identity-reader.ts';
import { extensionOf, readBasicConstraints, readCertificate, reading } from './certificate-reader.ts';
import { PkiError } from './error.ts';
import { keyIdentifier, spkiOf } from './key.ts';
import { extensionOids } from './oid.ts';
import type { BoundedIssuer } from './signing.ts';

/** The bits of a KeyUsage extension by number; null when there is none. */
export function readKeyUsage(value: Uint8Array | undefined): ReadonlySet<number> | null {
  if (value === undefined) return null;
  return reading('keyUsage', () => {
    const octets = new DerReader(value).expect(tags.bitString, 'keyUsage').content();
    const bits = new Set<number>();
    for (let bit = 0; bit < (octets.byteLength - 1) * 8; bit++) {
      if ((octets[1 + (bit >> 3)]! & (0x80 >> (bit & 7))) !== 0) bits.add(bit);
    }
    return bits;
  });
}

/** KeyUsage bits (RFC 5280 §4.2.1.3). */
export const certSignBit = 5;
export const crlSignBit = 6;

/**
 * A certificate as an issuer. Throws PkiError when it is no CA, may not sign certificates, or the key is not its own.
 */
export function issuerOf(der: Uint8Array, key: KeyObject): BoundedIssuer {
  const parts = readCertificate(der);
  const label = reading('certificate', () => readIdentity(der)).subjectText;
  const limits = readBasicConstraints(extensionOf(parts, extensionOids.basicConstraints)?.value);
  if (!limits.ca) throw new PkiError(`${label} is not a CA certificate`);
  const usage = readKeyUsage(extensionOf(parts, extensionOids.keyUsage)?.value);
  if (usage !== null && !usage.has(certSignBit))
    throw new PkiError(`${label} may not sign certificates (keyUsage)`);
  if (
    !spkiOf(key).equals(
      spkiOf(createPublicKey({ key: Buffer.from(parts.spki), type: 'spki', format: 'der' })),
    )
  ) {
    throw new PkiError(`the key is not the one of ${label}`);
  }
  const ski = extensionOf(parts, extensionOids.subjectKeyIdentifier)?.value;
  const keyId =
    ski === undefined
      ? keyIdentifier(parts.spki)
      : reading('subjectKeyIdentifier', () =>
          new DerReader(ski).expect(tags.octetString, 'key identifier').content(),
        );
  const { ca: _, ...limit } = limits;
  return {
    name: parts.subject,
    keyId,
    key,
    notBefore: parts.notBefore,
    notAfter: parts.notAfter,
    label,
    ...limit,
  };
}

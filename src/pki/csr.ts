import type { KeyObject } from 'node:crypto';
import { type AltName, subjectAltName } from './alt-name.ts';
import { integer, oid, sequence, setOf, tlv } from './der.ts';
import { signed, spkiOf } from './key.ts';

/** PKCS #9 extensionRequest. */
export const extensionRequestOid = '1.2.840.113549.1.9.14';

/** A PKCS#10 request (RFC 2986), DER, signed with the key it is for; SANs as an extensionRequest. */
export function signCsr(subject: Uint8Array, altNames: readonly AltName[], key: KeyObject): Buffer {
  const attributes =
    altNames.length === 0
      ? []
      : [sequence(oid(extensionRequestOid), setOf(sequence(subjectAltName(altNames))))];
  return signed(sequence(integer(0), subject, spkiOf(key), tlv(0xa0, ...attributes)), key);
}

import { type KeyObject, randomBytes } from 'node:crypto';
import { explicit, integer, sequence, unsignedInteger } from './der.ts';
import { signatureScheme, signed } from './key.ts';
import { encodeTime } from './time.ts';

/** Everything a certificate says, ready to be encoded. */
export interface CertificateContents {
  /** Big-endian magnitude, at most 20 octets (RFC 5280 §4.1.2.2). */
  readonly serial: Uint8Array;
  /** DER of the names: an issuer's is copied octet for octet from its certificate. */
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  /** Milliseconds since 1970; written in whole seconds. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;
  /** Each an encoded Extension. */
  readonly extensions: readonly Uint8Array[];
}

/** 128 random bits (the CA/Browser Forum asks for 64 at least), never zero. */
export function randomSerial(): Buffer {
  for (;;) {
    const serial = randomBytes(16);
    if (serial.some((octet) => octet !== 0)) return serial;
  }
}

/** An X.509 v3 certificate (RFC 5280 §4.1), DER, signed with `key`. */
export function signCertificate(contents: CertificateContents, key: KeyObject): Buffer {
  const extensions = contents.extensions.length === 0 ? [] : [explicit(3, sequence(...contents.extensions))];
  const tbs = sequence(
    explicit(0, integer(2)),
    unsignedInteger(contents.serial),
    signatureScheme(key).algorithm,
    contents.issuer,
    sequence(encodeTime(contents.notBefore), encodeTime(contents.notAfter)),
    contents.subject,
    contents.spki,
    ...extensions,
  );
  return signed(tbs, key);
}

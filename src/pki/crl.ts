import type { KeyObject } from 'node:crypto';
import { explicit, integer, sequence, tlv, unsignedInteger } from './der.ts';
import { authorityKeyIdentifier, encodeExtension } from './extension.ts';
import { signatureScheme, signed } from './key.ts';
import { extensionOids } from './oid.ts';
import { encodeTime } from './time.ts';

/** CRLReason (RFC 5280 §5.3.1) by name; 7 is not used. */
export const revocationReasons = Object.freeze({
  unspecified: 0,
  keyCompromise: 1,
  caCompromise: 2,
  affiliationChanged: 3,
  superseded: 4,
  cessationOfOperation: 5,
  certificateHold: 6,
  privilegeWithdrawn: 9,
  aaCompromise: 10,
} as const);

export type RevocationReason = keyof typeof revocationReasons;

export interface RevokedEntry {
  /** Big-endian magnitude. */
  readonly serial: Uint8Array;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly reason?: RevocationReason;
}

export interface CrlHead {
  /** DER of the issuer's subject. */
  readonly issuer: Uint8Array;
  readonly keyId: Uint8Array;
  readonly number: bigint;
  readonly thisUpdate: number;
  readonly nextUpdate: number;
}

/** Entry extensions by reason; `unspecified` is left out, as RFC 5280 §5.3.1 asks. */
const reasonExtensions = new Map<RevocationReason | undefined, Buffer>();
for (const [name, code] of Object.entries(revocationReasons) as [RevocationReason, number][]) {
  if (name === 'unspecified') continue;
  const value = tlv(0x0a, Buffer.of(code));
  reasonExtensions.set(name, sequence(encodeExtension({ oid: extensionOids.reasonCode, value })));
}
const nothing = Buffer.alloc(0);

/** One element of revokedCertificates. */
export function encodeRevoked(entry: RevokedEntry): Buffer {
  const extensions = reasonExtensions.get(entry.reason) ?? nothing;
  return sequence(unsignedInteger(entry.serial), encodeTime(entry.at), extensions);
}

/** What stands before the entries of a TBSCertList. */
export function crlPrologue(head: CrlHead, key: KeyObject): Buffer {
  return Buffer.concat([
    integer(1),
    signatureScheme(key).algorithm,
    head.issuer,
    encodeTime(head.thisUpdate),
    encodeTime(head.nextUpdate),
  ]);
}

/** What stands behind them: authorityKeyIdentifier and cRLNumber (RFC 5280 §5.2.1, §5.2.3). */
export function crlEpilogue(head: CrlHead): Buffer {
  const number = encodeExtension({ oid: extensionOids.crlNumber, value: integer(head.number) });
  return explicit(0, sequence(authorityKeyIdentifier(head.keyId), number));
}

/** A CRL of few entries in memory, DER. For many, stream it. An empty list is left out (RFC 5280 §5.1.2.6). */
export function signCrl(head: CrlHead, entries: readonly RevokedEntry[], key: KeyObject): Buffer {
  const revoked = entries.length === 0 ? [] : [sequence(...entries.map(encodeRevoked))];
  return signed(sequence(crlPrologue(head, key), ...revoked, crlEpilogue(head)), key);
}

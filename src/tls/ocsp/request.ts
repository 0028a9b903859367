import { createHash } from 'node:crypto';
import type { CertificateFields } from './certificate-fields.ts';

/** The extension that ties a response to its request (RFC 9654). */
export const nonceOid = '1.3.6.1.5.5.7.48.1.2';

/** Octets of a nonce: a client has to send at least 32 (RFC 9654 §2.1), and older responders take no more. */
export const nonceLength = 32;

const nonceOidDer = Buffer.from('06092b0601050507300102', 'hex');
const sha1Algorithm = Buffer.from('300906052b0e03021a0500', 'hex');

/**
 * DER of an OCSPRequest for one certificate (RFC 6960 §4.1.1), unsigned. The certificate is named by SHA-1, which every
 * responder knows; the hash only looks the certificate up, and secures nothing.
 *
 * @param leaf The certificate in question.
 * @param issuerKeyBits Of its issuer's certificate.
 * @param nonce Null: none is sent, and the responder may answer with what it signed beforehand.
 */
export function encodeRequest(
  leaf: CertificateFields,
  issuerKeyBits: Uint8Array,
  nonce: Uint8Array | null,
): Buffer {
  const certId = tlv(
    0x30,
    sha1Algorithm,
    tlv(0x04, sha1(leaf.issuer)),
    tlv(0x04, sha1(issuerKeyBits)),
    tlv(0x02, leaf.serial),
  );
  const requestList = tlv(0x30, tlv(0x30, certId));
  if (nonce === null) return tlv(0x30, tlv(0x30, requestList));
  const extension = tlv(0x30, nonceOidDer, tlv(0x04, tlv(0x04, nonce)));
  return tlv(0x30, tlv(0x30, requestList, tlv(0xa2, tlv(0x30, extension))));
}

function sha1(bytes: Uint8Array): Buffer {
  return createHash('sha1').update(bytes).digest();
}

/** One element; a request stays far below the 64 KiB that its lengths reach. */
function tlv(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const octets =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...octets), content]);
}

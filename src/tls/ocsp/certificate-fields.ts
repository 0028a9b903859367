import { DerReader, MalformedCertificate, tags } from '../der.ts';

/** What OCSP needs of a certificate. Views into its DER. */
export interface CertificateFields {
  /** The content octets of the serial number, as they stand. */
  readonly serial: Uint8Array;
  /** DER of the issuer's and the subject's name. */
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  /** The public key without its algorithm: the BIT STRING's octets, what key hashes are over (RFC 6960 §4.1.1). */
  readonly keyBits: Uint8Array;
  /** The first OCSP responder that authorityInfoAccess names (RFC 5280 §4.2.2.1), as written; null without one. */
  readonly responder: string | null;
  /** The TLS feature extension asks for a staple: status_request (RFC 7633 §4.2.1). */
  readonly mustStaple: boolean;
}

const authorityInfoAccess = '1.3.6.1.5.5.7.1.1';
const ocspMethod = '1.3.6.1.5.5.7.48.1';
const tlsFeature = '1.3.6.1.5.5.7.1.24';
const statusRequest = 5;

/** Context-specific tags of a certificate's body and of GeneralName. */
const explicitVersion = 0xa0;
const explicitExtensions = 0xa3;
const uniformResourceIdentifier = 0x86;

/** A responder's address is no longer than this, in octets. */
const maxAddress = 2048;

/**
 * Reads a certificate as far as OCSP needs it. Node's own `infoAccess` is text that a name in the certificate
 * can forge lines of.
 * @throws MalformedCertificate
 */
export function readCertificateFields(der: Uint8Array): CertificateFields {
  const body = new DerReader(der).enter(tags.sequence, 'certificate').enter(tags.sequence, 'contents');
  if (body.nextTag === explicitVersion) body.next();
  const serial = body.expect(tags.integer, 'serial number').content();
  body.expect(tags.sequence, 'signature algorithm');
  const issuer = body.expect(tags.sequence, 'issuer').element();
  body.expect(tags.sequence, 'validity');
  const subject = body.expect(tags.sequence, 'subject').element();
  const key = body.enter(tags.sequence, 'public key');
  key.expect(tags.sequence, 'key algorithm');
  const keyBits = key.expect(tags.bitString, 'key').content().subarray(1);
  let responder: string | null = null;
  let mustStaple = false;
  while (!body.done && body.nextTag !== explicitExtensions) body.next();
  if (!body.done) {
    const extensions = body
      .enter(explicitExtensions, 'extensions')
      .enter(tags.sequence, 'list of extensions');
    for (const { oid, value } of readExtensions(extensions)) {
      if (oid === authorityInfoAccess) responder ??= responderOf(value);
      else if (oid === tlsFeature) mustStaple ||= asksForStaple(value);
    }
  }
  return { serial, issuer, subject, keyBits, responder, mustStaple };
}

export interface Extension {
  readonly oid: string;
  readonly critical: boolean;
  /** The DER inside the OCTET STRING. */
  readonly value: Uint8Array;
}

/** SEQUENCE OF Extension (RFC 5280 §4.1): of certificates, and of OCSP responses. */
export function readExtensions(list: DerReader): Extension[] {
  const extensions: Extension[] = [];
  while (!list.done) {
    const one = list.enter(tags.sequence, 'extension');
    const oid = one.oid('extension type');
    const critical = one.nextTag === tags.boolean && one.next().content()[0] !== 0;
    const value = one.expect(tags.octetString, 'extension value').content();
    one.finish('extension');
    extensions.push({ oid, critical, value });
  }
  return extensions;
}

function responderOf(value: Uint8Array): string | null {
  const descriptions = new DerReader(value).enter(tags.sequence, 'authorityInfoAccess');
  while (!descriptions.done) {
    const description = descriptions.enter(tags.sequence, 'access description');
    const method = description.oid('access method');
    const location = description.next();
    if (method !== ocspMethod || location.tag !== uniformResourceIdentifier) continue;
    if (location.length > maxAddress)
      throw new MalformedCertificate('the address of a responder is too long');
    return Buffer.from(location.content()).toString('latin1');
  }
  return null;
}

function asksForStaple(value: Uint8Array): boolean {
  const features = new DerReader(value).enter(tags.sequence, 'TLS features');
  let found = false;
  while (!features.done) {
    const content = features.expect(tags.integer, 'TLS feature').content();
    found ||= content.length === 1 && content[0] === statusRequest;
  }
  return found;
}

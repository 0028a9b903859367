import { X509Certificate } from 'node:crypto';
import { DerReader, MalformedCertificate, tags } from '../tls/der.ts';
import { PkiError } from './error.ts';

export interface ReadExtension {
  readonly oid: string;
  readonly critical: boolean;
  /** The DER inside the OCTET STRING. */
  readonly value: Uint8Array;
}

/** A certificate taken apart, nothing decoded that stands alone. Views into the bytes that were read. */
export interface CertificateParts {
  readonly der: Uint8Array;
  readonly tbs: Uint8Array;
  /** 1, 2 or 3. */
  readonly version: number;
  /** The content octets as they stand. */
  readonly serial: Uint8Array;
  /** OID of the outer AlgorithmIdentifier. */
  readonly signatureAlgorithm: string;
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly spki: Uint8Array;
  readonly extensions: readonly ReadExtension[];
}

/** Certificates, CSRs and their parts are refused past this: 256 KiB. */
export const maxCertificateBytes = 256 * 1024;

/** Turns what the DER reader says of hostile bytes into an error for people. */
export function reading<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof MalformedCertificate) throw new PkiError(`not a ${what}: ${error.message}`);
    throw error;
  }
}

/** Reads SEQUENCE OF Extension; no OID may come twice (RFC 5280 §4.2). */
export function readExtensions(list: DerReader): ReadExtension[] {
  const extensions: ReadExtension[] = [];
  const seen = new Set<string>();
  while (!list.done) {
    const one = list.enter(tags.sequence, 'extension');
    const oid = one.oid('extension type');
    const critical = one.nextTag === tags.boolean && one.next().content()[0] !== 0;
    const value = one.expect(tags.octetString, 'extension value').content();
    one.finish('extension');
    if (seen.has(oid)) throw new MalformedCertificate(`the extension ${oid} comes twice`);
    seen.add(oid);
    extensions.push({ oid, critical, value });
  }
  return extensions;
}

/** Takes a certificate apart (RFC 5280 §4.1). Throws PkiError at anything that is none. */
export function readCertificate(der: Uint8Array): CertificateParts {
  if (der.byteLength > maxCertificateBytes) throw new PkiError('not a certificate: larger than 256 KiB');
  return reading('certificate', () => {
    const file = new DerReader(der);
    const outer = file.enter(tags.sequence, 'certificate');
    file.finish('certificate');
    const body = outer.enter(tags.sequence, 'tbsCertificate');
    const tbs = outer.element();
    let version = 1;
    if (body.nextTag === 0xa0) {
      const content = body.enter(0xa0, 'version').expect(tags.integer, 'version').content();
      version = (content[0] ?? 0) + 1;
    }
    const serial = body.expect(tags.integer, 'serial number').content();
    if (serial.byteLength === 0) throw new MalformedCertificate('an empty serial number');
    body.expect(tags.sequence, 'signature algorithm');
    const issuer = body.expect(tags.sequence, 'issuer').element();
    const validity = body.enter(tags.sequence, 'validity');
    const notBefore = validity.time('notBefore');
    const notAfter = validity.time('notAfter');
    const subject = body.expect(tags.sequence, 'subject').element();
    const spki = body.expect(tags.sequence, 'public key').element();
    // issuerUniqueID and subjectUniqueID, long out of use.
    while (body.nextTag === 0x81 || body.nextTag === 0x82) body.next();
    let extensions: ReadExtension[] = [];
    if (!body.done) {
      const wrapper = body.enter(0xa3, 'extensions');
      extensions = readExtensions(wrapper.enter(tags.sequence, 'extensions'));
      wrapper.finish('extensions');
    }
    body.finish('tbsCertificate');
    const algorithm = outer.enter(tags.sequence, 'signature algorithm');
    const signatureAlgorithm = algorithm.oid('signature algorithm');
    outer.expect(tags.bitString, 'signature');
    outer.finish('signature');
    return {
      der,
      tbs,
      version,
      serial,
      signatureAlgorithm,
      issuer,
      subject,
      notBefore,
      notAfter,
      spki,
      extensions,
    };
  });
}

/**
 * The certificate as OpenSSL reads it: what it refuses cannot serve a handshake either. `where` stands in front of the
 * message. Throws PkiError.
 */
export function parseX509(der: Uint8Array, where: string): X509Certificate {
  try {
    return new X509Certificate(der);
  } catch {
    throw new PkiError(`${where}: not a certificate that OpenSSL can read`);
  }
}

export const extensionOf = (parts: CertificateParts, oid: string): ReadExtension | undefined =>
  parts.extensions.find((extension) => extension.oid === oid);

/** The content octets of a positive serial in upper-case hex without the sign octet, as openssl prints it. */
export function serialText(serial: Uint8Array): string {
  const hex = Buffer.from(serial).toString('hex').toUpperCase();
  return hex.length > 2 && hex.startsWith('00') ? hex.slice(2) : hex;
}

/** What basicConstraints says; no extension: no CA. */
export function readBasicConstraints(value: Uint8Array | undefined): {
  readonly ca: boolean;
  readonly pathLen?: number;
} {
  if (value === undefined) return { ca: false };
  return reading('basicConstraints', () => {
    const body = new DerReader(value).enter(tags.sequence, 'basicConstraints');
    const ca = body.nextTag === tags.boolean && body.next().content()[0] !== 0;
    if (body.done) return { ca };
    const content = body.expect(tags.integer, 'pathLenConstraint').content();
    if (content.byteLength > 4 || (content[0] ?? 0x80) >= 0x80) {
      throw new MalformedCertificate('a path length out of bounds');
    }
    return { ca, pathLen: Number.parseInt(Buffer.from(content).toString('hex'), 16) };
  });
}

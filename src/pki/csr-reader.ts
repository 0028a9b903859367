import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { DerReader, MalformedCertificate, tags } from '../tls/der.ts';
import { maxCertificateBytes, type ReadExtension, readExtensions, reading } from './certificate-reader.ts';
import { extensionRequestOid } from './csr.ts';
import { PkiError } from './error.ts';

/** A certificate signing request taken apart (PKCS#10, RFC 2986). */
export interface ReadCsr {
  readonly subject: Uint8Array;
  readonly spki: Uint8Array;
  readonly publicKey: KeyObject;
  /** Of the extensionRequest attribute. Wishes of a stranger. */
  readonly extensions: readonly ReadExtension[];
  /** OID. */
  readonly signatureAlgorithm: string;
  /** Whether it is signed with its own key, so that whoever sends it has that key. */
  readonly signatureValid: boolean;
}

const digests = new Map<string, string | null>([
  ['1.2.840.113549.1.1.5', 'sha1'],
  ['1.2.840.113549.1.1.11', 'sha256'],
  ['1.2.840.113549.1.1.12', 'sha384'],
  ['1.2.840.113549.1.1.13', 'sha512'],
  ['1.2.840.10045.4.1', 'sha1'],
  ['1.2.840.10045.4.3.2', 'sha256'],
  ['1.2.840.10045.4.3.3', 'sha384'],
  ['1.2.840.10045.4.3.4', 'sha512'],
  ['1.3.101.112', null],
]);

function readRequested(attributes: DerReader): ReadExtension[] {
  let extensions: ReadExtension[] = [];
  while (!attributes.done) {
    const attribute = attributes.enter(tags.sequence, 'attribute');
    const type = attribute.oid('attribute type');
    const values = attribute.enter(tags.set, 'attribute values');
    if (type !== extensionRequestOid || values.done) continue;
    extensions = readExtensions(values.enter(tags.sequence, 'requested extensions'));
  }
  return extensions;
}

function isSigned(algorithm: string, body: Uint8Array, key: KeyObject, signature: Uint8Array): boolean {
  const digest = digests.get(algorithm);
  if (digest === undefined) return false;
  try {
    return verify(digest, body, key, signature);
  } catch {
    return false;
  }
}

/** Reads a CSR from its DER. Throws PkiError at anything that is none. */
export function readCsr(der: Uint8Array): ReadCsr {
  if (der.byteLength > maxCertificateBytes) throw new PkiError('not a CSR: larger than 256 KiB');
  return reading('CSR', () => {
    const file = new DerReader(der);
    const outer = file.enter(tags.sequence, 'certification request');
    file.finish('certification request');
    const info = outer.enter(tags.sequence, 'certification request info');
    const body = outer.element();
    info.expect(tags.integer, 'version');
    const subject = info.expect(tags.sequence, 'subject').element();
    const spki = info.expect(tags.sequence, 'public key').element();
    const extensions = info.nextTag === 0xa0 ? readRequested(info.enter(0xa0, 'attributes')) : [];
    info.finish('certification request info');
    const algorithm = outer.enter(tags.sequence, 'signature algorithm').oid('signature algorithm');
    const signature = outer.expect(tags.bitString, 'signature').content().subarray(1);
    outer.finish('signature');
    let publicKey: KeyObject;
    try {
      publicKey = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
    } catch {
      throw new MalformedCertificate('its public key cannot be read');
    }
    return {
      subject,
      spki,
      publicKey,
      extensions,
      signatureAlgorithm: algorithm,
      signatureValid: isSigned(algorithm, body, publicKey, signature),
    };
  });
}

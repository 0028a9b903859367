import { hash, type KeyObject, type X509Certificate } from 'node:crypto';
import { DerReader, MalformedCertificate, tags } from '../tls/der.ts';
import { formatRfc2253 } from '../tls/distinguished-name.ts';
import { readIdentity, readName } from '../tls/identity-reader.ts';
import { formatIpAddress } from '../tls/ip-address.ts';
import {
  type CertificateParts,
  extensionOf,
  parseX509,
  readBasicConstraints,
  readCertificate,
  type ReadExtension,
  reading,
  serialText,
} from './certificate-reader.ts';
import { keyUsageBits } from './extension.ts';
import { readKeyUsage } from './issuer.ts';
import { extensionOids, purposeOids } from './oid.ts';
import { printable } from './printable.ts';

/** A certificate for people and machines. Times in ISO 8601; digests in lower-case hex. */
export interface CertificateReport {
  readonly kind: 'certificate';
  /** RFC 2253 text. */
  readonly subject: string;
  readonly issuer: string;
  readonly serial: string;
  readonly notBefore: string;
  readonly notAfter: string;
  /** Whole days until notAfter; negative once it has passed. */
  readonly daysLeft: number;
  readonly status: 'valid' | 'expired' | 'not yet valid';
  /** Each with its type: `DNS:a.example`, `IP:::1`, `email:`, `URI:` … */
  readonly altNames: readonly string[];
  readonly ca: boolean;
  readonly pathLen: number | null;
  readonly keyUsages: readonly string[];
  readonly purposes: readonly string[];
  readonly key: string;
  readonly signature: string;
  readonly sha256: string;
  readonly sha1: string;
  readonly spki: string;
  readonly subjectKeyId: string | null;
  readonly issuerKeyId: string | null;
  /** What makes the proxy refuse it whatever its issuer; null when nothing does. */
  readonly refused: string | null;
}

const day = 86_400_000;

/** Days until a moment, rounded down. */
export const daysUntil = (moment: number, now: number): number => Math.floor((moment - now) / day);

const iso = (moment: number): string => new Date(moment).toISOString().replace('.000Z', 'Z');

/** The RFC 2253 text of a name's DER; a note in its place when it cannot be read. */
export function nameText(der: Uint8Array): string {
  try {
    return formatRfc2253(readName(new DerReader(der), 'name'));
  } catch (error) {
    if (error instanceof MalformedCertificate) return `(${error.message})`;
    throw error;
  }
}

const altNameTypes = new Map([
  [0x81, 'email'],
  [0x82, 'DNS'],
  [0x86, 'URI'],
]);

/** The entries of a subjectAltName, each with its type in front; at most 1000. */
export function describeAltNames(value: Uint8Array | undefined): string[] {
  if (value === undefined) return [];
  return reading('subjectAltName', () => {
    const list = new DerReader(value).enter(tags.sequence, 'alternative names');
    const names: string[] = [];
    while (!list.done && names.length < 1000) {
      const content = Buffer.from(list.next().content());
      const type = altNameTypes.get(list.tag);
      if (type !== undefined) names.push(`${type}:${printable(content.toString('latin1'))}`);
      else if (list.tag === 0x87) {
        names.push(`IP:${formatIpAddress(content) ?? content.toString('hex')}`);
      } else if (list.tag === 0xa4) names.push(`directory:${nameText(content)}`);
      else names.push(`other:${content.subarray(0, 64).toString('hex')}`);
    }
    return names;
  });
}

const purposeNames = new Map(Object.entries(purposeOids).map(([name, oid]) => [oid, name]));

function describePurposes(value: Uint8Array | undefined): string[] {
  if (value === undefined) return [];
  return reading('extKeyUsage', () => {
    const list = new DerReader(value).enter(tags.sequence, 'purposes');
    const names: string[] = [];
    while (!list.done && names.length < 100) {
      const oid = list.oid('purpose');
      names.push(purposeNames.get(oid) ?? oid);
    }
    return names;
  });
}

export function describeKey(key: KeyObject): string {
  const details = key.asymmetricKeyDetails;
  const curves = new Map([
    ['prime256v1', 'P-256'],
    ['secp384r1', 'P-384'],
    ['secp521r1', 'P-521'],
  ]);
  if (key.asymmetricKeyType === 'ec') {
    const curve = details?.namedCurve;
    return `ECDSA ${curves.get(curve ?? '') ?? curve ?? 'with a curve of its own'}`;
  }
  if (key.asymmetricKeyType === 'rsa') return `RSA ${details?.modulusLength} bits`;
  if (key.asymmetricKeyType === 'ed25519') return 'Ed25519';
  return String(key.asymmetricKeyType);
}

/** A key identifier in lower-case hex, or null. */
function keyId(extension: ReadExtension | undefined, kind: 'subject' | 'authority'): string | null {
  if (extension === undefined) return null;
  return reading('key identifier', () => {
    const reader = new DerReader(extension.value);
    if (kind === 'subject') {
      return Buffer.from(reader.expect(tags.octetString, 'key identifier').content()).toString('hex');
    }
    const body = reader.enter(tags.sequence, 'key identifier');
    return body.nextTag === 0x80 ? Buffer.from(body.next().content()).toString('hex') : null;
  });
}

export const subjectKeyIdOf = (parts: CertificateParts): string | null =>
  keyId(extensionOf(parts, extensionOids.subjectKeyIdentifier), 'subject');
export const issuerKeyIdOf = (parts: CertificateParts): string | null =>
  keyId(extensionOf(parts, extensionOids.authorityKeyIdentifier), 'authority');

interface Refusal {
  readonly refused: string | null;
}

function refusalOf(der: Uint8Array): Refusal {
  try {
    readIdentity(der);
    return { refused: null };
  } catch (error) {
    if (error instanceof MalformedCertificate) return { refused: error.message };
    throw error;
  }
}

const signatureNames = new Map([
  ['1.2.840.113549.1.1.4', 'MD5 with RSA'],
  ['1.2.840.113549.1.1.5', 'SHA-1 with RSA'],
  ['1.2.840.113549.1.1.10', 'RSA-PSS'],
  ['1.2.840.113549.1.1.11', 'SHA-256 with RSA'],
  ['1.2.840.113549.1.1.12', 'SHA-384 with RSA'],
  ['1.2.840.113549.1.1.13', 'SHA-512 with RSA'],
  ['1.2.840.10045.4.1', 'SHA-1 with ECDSA'],
  ['1.2.840.10045.4.3.2', 'SHA-256 with ECDSA'],
  ['1.2.840.10045.4.3.3', 'SHA-384 with ECDSA'],
  ['1.2.840.10045.4.3.4', 'SHA-512 with ECDSA'],
  ['1.3.101.112', 'Ed25519'],
]);

export const signatureName = (oid: string): string => signatureNames.get(oid) ?? oid;

/** Everything worth saying about a certificate. `now` in milliseconds. Throws PkiError when it is none. */
export function describeCertificate(der: Uint8Array, now: number): CertificateReport {
  const parts = readCertificate(der);
  const certificate = parseX509(der, 'not to be used');
  const value = (oid: string): Uint8Array | undefined => extensionOf(parts, oid)?.value;
  const constraints = readBasicConstraints(value(extensionOids.basicConstraints));
  const usages = readKeyUsage(value(extensionOids.keyUsage));
  const digest = (text: string): string => text.replaceAll(':', '').toLowerCase();
  return {
    kind: 'certificate',
    subject: nameText(parts.subject),
    issuer: nameText(parts.issuer),
    serial: serialText(parts.serial),
    notBefore: iso(parts.notBefore),
    notAfter: iso(parts.notAfter),
    daysLeft: daysUntil(parts.notAfter, now),
    status: now < parts.notBefore ? 'not yet valid' : now > parts.notAfter ? 'expired' : 'valid',
    altNames: describeAltNames(value(extensionOids.subjectAltName)),
    ca: constraints.ca,
    pathLen: constraints.pathLen ?? null,
    keyUsages: usages === null ? [] : keyUsageBits.filter((_, bit) => usages.has(bit)),
    purposes: describePurposes(value(extensionOids.extKeyUsage)),
    key: keyName(certificate),
    signature: signatureName(parts.signatureAlgorithm),
    sha256: digest(certificate.fingerprint256),
    sha1: digest(certificate.fingerprint),
    spki: hash('sha256', parts.spki),
    subjectKeyId: subjectKeyIdOf(parts),
    issuerKeyId: issuerKeyIdOf(parts),
    ...refusalOf(der),
  };
}

function keyName(certificate: X509Certificate): string {
  try {
    return describeKey(certificate.publicKey);
  } catch {
    return 'of a kind that cannot be read';
  }
}

import { X509Certificate } from 'node:crypto';
import { readPem } from '../config/pem.ts';
import { shorten } from '../observe/shorten.ts';
import { readIdentity } from '../tls/identity-reader.ts';

const minRsaBits = 2048;
const weakHash = /(?:md2|md4|md5|sha-?1)(?![0-9])/i;
/** Named curves of less than 224 bits. */
const weakCurve = /(?:1[0-9]{2}[a-z][0-9]|1[0-9]{2}v[0-9]|112|128|160|192)/;

/** What is weak about the certificates of a PEM file, worded to follow what they are. Those that cannot be read are passed over. */
export function weaknesses(pem: string): string[] {
  return readPem(pem).blocks.flatMap(({ label, text }) => {
    if (!label.endsWith('CERTIFICATE')) return [];
    try {
      return weaknessesOf(new X509Certificate(text));
    } catch {
      return [];
    }
  });
}

function weaknessesOf(certificate: X509Certificate): string[] {
  const found: string[] = [];
  const { subjectText, signatureAlgorithm } = readIdentity(certificate.raw);
  const name = `(${shorten(subjectText, 128)})`;
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = certificate.publicKey;
  if (type?.startsWith('rsa') === true && (details?.modulusLength ?? 0) < minRsaBits)
    found.push(`${name} has an RSA key of ${details?.modulusLength} bits`);
  if (type === 'dsa') found.push(`${name} has a DSA key`);
  if (type === 'ec' && weakCurve.test(details?.namedCurve ?? ''))
    found.push(`${name} has a key on the curve ${details?.namedCurve}`);
  // Nobody relies on what a root says of itself.
  if (certificate.issuer !== certificate.subject && weakHash.test(signatureAlgorithm))
    found.push(`${name} is signed with ${signatureAlgorithm}`);
  return found;
}

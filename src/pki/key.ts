import { createHash, createPublicKey, generateKeyPair, type KeyObject, sign } from 'node:crypto';
import { promisify } from 'node:util';
import * as asn1js from 'asn1js';
import { bitString, derNull, oid, sequence } from './der.ts';
import { PkiError } from './error.ts';

/** What kind of key to make, in the words of cfssl's `key` object; Ed25519 is our addition. */
export type KeyKind =
  | { readonly algo: 'rsa'; readonly size: number }
  | { readonly algo: 'ecdsa'; readonly size: 256 | 384 | 521 }
  | { readonly algo: 'ed25519' };

export interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

const curves = { 256: 'P-256', 384: 'P-384', 521: 'P-521' } as const;
const generate = promisify(generateKeyPair);

/** A fresh key pair. RSA from 2048 to 4096 bits. */
export async function makeKey(kind: KeyKind): Promise<KeyPair> {
  if (kind.algo === 'rsa') {
    if (!Number.isInteger(kind.size) || kind.size < 2048 || kind.size > 4096) {
      throw new PkiError(`an RSA key has 2048 to 4096 bits, not ${kind.size}`);
    }
    return await generate('rsa', { modulusLength: kind.size });
  }
  if (kind.algo === 'ecdsa') return await generate('ec', { namedCurve: curves[kind.size] });
  return await generate('ed25519');
}

/** PKCS#8 PEM, unencrypted. Whoever writes it to a file gives that file mode 0600. */
export function keyToPem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' });
}

/** The SubjectPublicKeyInfo of a public or private key, DER. */
export function spkiOf(key: KeyObject): Buffer {
  const publicKey = key.type === 'public' ? key : createPublicKey(key);
  return publicKey.export({ type: 'spki', format: 'der' });
}

/** SHA-1 over the bits of the public key: RFC 5280 §4.2.1.2 method (1). It names a key and secures nothing. */
export function keyIdentifier(spki: Uint8Array): Buffer {
  const parsed = asn1js.fromBER(spki);
  const bits = parsed.result instanceof asn1js.Sequence ? parsed.result.valueBlock.value[1] : undefined;
  if (!(bits instanceof asn1js.BitString)) throw new PkiError('not a public key');
  return createHash('sha1').update(bits.valueBlock.valueHexView).digest();
}

type Digest = 'sha256' | 'sha384' | 'sha512';

/** How a key signs: the AlgorithmIdentifier to write and the digest to ask of node:crypto. */
export interface SignatureScheme {
  readonly algorithm: Buffer;
  /** null: the scheme hashes by itself (Ed25519). */
  readonly digest: Digest | null;
}

const ecdsa = {
  sha256: '1.2.840.10045.4.3.2',
  sha384: '1.2.840.10045.4.3.3',
  sha512: '1.2.840.10045.4.3.4',
} as const;
const rsa = {
  sha256: '1.2.840.113549.1.1.11',
  sha384: '1.2.840.113549.1.1.12',
  sha512: '1.2.840.113549.1.1.13',
} as const;

const curveDigests = new Map<string | undefined, Digest>([
  ['prime256v1', 'sha256'],
  ['secp384r1', 'sha384'],
  ['secp521r1', 'sha512'],
]);

/** A digest as strong as the key, by cfssl's steps. Throws PkiError at a kind of key that signs no certificates here. */
export function signatureScheme(key: KeyObject): SignatureScheme {
  const details = key.asymmetricKeyDetails;
  if (key.asymmetricKeyType === 'rsa') {
    const bits = details?.modulusLength ?? 0;
    const digest = bits >= 4096 ? 'sha512' : bits >= 3072 ? 'sha384' : 'sha256';
    return { algorithm: sequence(oid(rsa[digest]), derNull), digest };
  }
  if (key.asymmetricKeyType === 'ec') {
    const digest = curveDigests.get(details?.namedCurve);
    if (digest === undefined) throw new PkiError(`the curve ${details?.namedCurve} is not supported`);
    return { algorithm: sequence(oid(ecdsa[digest])), digest };
  }
  if (key.asymmetricKeyType === 'ed25519') return { algorithm: sequence(oid('1.3.101.112')), digest: null };
  throw new PkiError(`a key of type ${key.asymmetricKeyType} cannot sign certificates`);
}

/** SEQUENCE { tbs, algorithm, signature }: the outer shape of certificates, CSRs and small CRLs. */
export function signed(tbs: Uint8Array, key: KeyObject): Buffer {
  const scheme = signatureScheme(key);
  return sequence(tbs, scheme.algorithm, bitString(sign(scheme.digest, tbs, key)));
}

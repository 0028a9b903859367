import { createVerify, type KeyObject, type Verify, verify } from 'node:crypto';

/** What came of checking a signature. */
export interface SignatureAnswer {
  /** Whether one of the keys made it; null when it could not be looked at, for the reason that `signatureNote` says. */
  readonly verified: boolean | null;
  readonly signatureNote: string | null;
}

const digests = new Map([
  ['1.2.840.113549.1.1.5', 'sha1'],
  ['1.2.840.113549.1.1.11', 'sha256'],
  ['1.2.840.113549.1.1.12', 'sha384'],
  ['1.2.840.113549.1.1.13', 'sha512'],
  ['1.2.840.10045.4.1', 'sha1'],
  ['1.2.840.10045.4.3.2', 'sha256'],
  ['1.2.840.10045.4.3.3', 'sha384'],
  ['1.2.840.10045.4.3.4', 'sha512'],
]);
const ed25519 = '1.3.101.112';

/** Ed25519 signs a message as a whole; it is kept in memory up to this: 64 MiB. */
const maxWholeMessage = 64 * 1024 * 1024;

/** Keys of one issuer that are tried; a name is rarely rolled over more often. */
const maxKeys = 4;

/**
 * Whether a key made a signature over a message that is in memory as a whole. False as well for an algorithm that
 * is not known (RSA-PSS, Ed448, and whatever is none).
 *
 * @param algorithm OID. @param signature The octets of the BIT STRING, without its count of unused bits.
 */
export function isSignedBy(
  algorithm: string,
  message: Uint8Array,
  signature: Uint8Array,
  key: KeyObject,
): boolean {
  const digest = digests.get(algorithm) ?? null;
  if (digest === null && (algorithm !== ed25519 || key.asymmetricKeyType !== 'ed25519')) return false;
  return holds(() => verify(digest, message, key, signature));
}

/** Takes the octets that are signed; the answer comes when the keys are known. */
export class SignatureCheck {
  readonly #algorithm: string;
  readonly #running: readonly Verify[];
  #whole: Buffer[] = [];
  #size = 0;

  constructor(algorithm: string) {
    this.#algorithm = algorithm;
    const digest = digests.get(algorithm);
    // A Verify answers once, so there is one for every key that may come.
    this.#running = digest === undefined ? [] : Array.from({ length: maxKeys }, () => createVerify(digest));
  }

  update(bytes: Uint8Array): void {
    this.#size += bytes.byteLength;
    for (const running of this.#running) running.update(bytes);
    if (this.#algorithm !== ed25519) return;
    if (this.#size <= maxWholeMessage) this.#whole.push(Buffer.from(bytes));
    else this.#whole = [];
  }

  finish(signature: Uint8Array, keys: readonly KeyObject[]): SignatureAnswer {
    const unknown = (signatureNote: string): SignatureAnswer => ({
      verified: null,
      signatureNote,
    });
    const tried = keys.slice(0, maxKeys);
    if (tried.length === 0) return unknown('no certificate of its issuer is at hand');
    if (this.#running.length > 0) {
      const verified = tried.some((key, index) => holds(() => this.#running[index]!.verify(key, signature)));
      return { verified, signatureNote: null };
    }
    if (this.#algorithm !== ed25519) {
      return unknown(`signatures of type ${this.#algorithm} cannot be checked`);
    }
    if (this.#size > maxWholeMessage) return unknown('too large for its kind of signature to be checked');
    const message = Buffer.concat(this.#whole);
    return {
      verified: tried.some((key) => holds(() => verify(null, message, key, signature))),
      signatureNote: null,
    };
  }
}

/** A key of another kind than the signature makes OpenSSL throw; it is simply not the signer's. */
function holds(check: () => boolean): boolean {
  try {
    return check();
  } catch {
    return false;
  }
}

import {
  createDecipheriv,
  createHmac,
  createPrivateKey,
  type KeyObject,
  pbkdf2 as pbkdf2Callback,
  timingSafeEqual,
} from 'node:crypto';
import { promisify } from 'node:util';
import * as asn1js from 'asn1js';
import { AlgorithmIdentifier, AuthenticatedSafe, EncryptedData, PBES2Params, PBKDF2Params, PFX } from 'pkijs';
import { messageOf, PkiError } from './error.ts';
import { pkcsOids } from './oid.ts';
import { deriveKey, type KdfDigest, kdfPurpose } from './pkcs12-kdf.ts';

const pbkdf2 = promisify(pbkdf2Callback);

/** What a PKCS#12 file holds. */
export interface Pkcs12 {
  /** Keys in the file, as objects only: nothing here prints one. */
  readonly keys: readonly KeyObject[];
  /** DER, in the order of the file. */
  readonly certificates: readonly Buffer[];
  readonly friendlyNames: readonly string[];
  /** How its parts are protected, each kind once: `AES-256-CBC, PBKDF2 SHA-256, 100000 rounds`. */
  readonly protection: readonly string[];
  /** `SHA-256, 100000 rounds`; null without a MAC. */
  readonly mac: string | null;
}

/** Rounds over the whole file: a hostile one asks for billions. Windows, macOS, Java and NSS write up to 600,000. */
const maxRounds = 5_000_000;
const maxSafes = 32;
const maxBags = 1000;

const hmacs = new Map<string, KdfDigest>([
  [pkcsOids.hmacSha1, 'sha1'],
  [pkcsOids.hmacSha256, 'sha256'],
  [pkcsOids.hmacSha384, 'sha384'],
  [pkcsOids.hmacSha512, 'sha512'],
]);
const digests = new Map<string, KdfDigest>([
  [pkcsOids.sha1, 'sha1'],
  [pkcsOids.sha256, 'sha256'],
  [pkcsOids.sha384, 'sha384'],
  [pkcsOids.sha512, 'sha512'],
]);
const ciphers = new Map<
  string,
  { readonly name: string; readonly label: string; readonly keyLength: number }
>([
  [pkcsOids.aes128Cbc, { name: 'aes-128-cbc', label: 'AES-128-CBC', keyLength: 16 }],
  [pkcsOids.aes192Cbc, { name: 'aes-192-cbc', label: 'AES-192-CBC', keyLength: 24 }],
  [pkcsOids.aes256Cbc, { name: 'aes-256-cbc', label: 'AES-256-CBC', keyLength: 32 }],
  [pkcsOids.desEde3Cbc, { name: 'des-ede3-cbc', label: '3DES-CBC', keyLength: 24 }],
]);
const labels: Readonly<Record<KdfDigest, string>> = {
  sha1: 'SHA-1',
  sha256: 'SHA-256',
  sha384: 'SHA-384',
  sha512: 'SHA-512',
};

/** The passphrase does not open the file (or somebody changed it: its MAC cannot tell the two apart). */
export class WrongPassphrase extends PkiError {
  override readonly name = 'WrongPassphrase';
}

function octets(block: unknown): Buffer {
  if (block instanceof asn1js.OctetString) return Buffer.from(block.getValue());
  // An implicitly tagged string arrives as a primitive, or as pieces in BER's constructed form.
  if (block instanceof asn1js.Primitive) return Buffer.from(block.valueBlock.valueHexView);
  if (block instanceof asn1js.Constructed) return Buffer.concat(block.valueBlock.value.map(octets));
  throw new PkiError('an OCTET STRING is missing');
}

const items = (block: unknown): readonly unknown[] => {
  if (block instanceof asn1js.Constructed) return block.valueBlock.value;
  throw new PkiError('a list is missing');
};

function dotted(block: unknown): string {
  if (block instanceof asn1js.ObjectIdentifier) return block.valueBlock.toString();
  throw new PkiError('an object identifier is missing');
}

function parse(bytes: Uint8Array): asn1js.BaseBlock {
  const { offset, result } = asn1js.fromBER(bytes);
  if (offset === -1) throw new PkiError(result.error === '' ? 'not BER' : result.error);
  return result;
}

/** Opens one file: counts the rounds it asks for, remembers how it is protected. */
class Opener {
  readonly #passphrase: string;
  #rounds = 0;
  readonly protection = new Set<string>();
  readonly keys: KeyObject[] = [];
  readonly certificates: Buffer[] = [];
  readonly friendlyNames = new Set<string>();
  #bags = 0;

  constructor(passphrase: string) {
    this.#passphrase = passphrase;
  }

  spend(rounds: number): void {
    if (!Number.isSafeInteger(rounds) || rounds < 1) throw new PkiError('a number of rounds that is none');
    this.#rounds += rounds;
    if (this.#rounds > maxRounds)
      throw new PkiError(`it asks for more than ${maxRounds} rounds of key derivation`);
  }

  checkMac(pfx: PFX, content: Buffer): string | null {
    const { macData } = pfx;
    if (macData === undefined) return null;
    const digest = digests.get(macData.mac.digestAlgorithm.algorithmId);
    if (digest === undefined)
      throw new PkiError(
        `its MAC is of a kind that is not supported (${macData.mac.digestAlgorithm.algorithmId})`,
      );
    const rounds = macData.iterations ?? 1;
    this.spend(rounds);
    const expected = octets(macData.mac.digest);
    const size = { sha1: 20, sha256: 32, sha384: 48, sha512: 64 }[digest];
    const key = deriveKey(digest, this.#passphrase, octets(macData.macSalt), rounds, kdfPurpose.mac, size);
    const actual = createHmac(digest, key).update(content).digest();
    if (actual.byteLength !== expected.byteLength || !timingSafeEqual(actual, expected)) {
      throw new WrongPassphrase('wrong passphrase');
    }
    return `${labels[digest]}, ${rounds} rounds`;
  }

  async decrypt(algorithm: AlgorithmIdentifier, content: Buffer): Promise<Buffer> {
    if (algorithm.algorithmId === pkcsOids.pbes2) return await this.#pbes2(algorithm, content);
    if (algorithm.algorithmId === pkcsOids.pbeSha1TripleDes) return this.#tripleDes(algorithm, content);
    if (algorithm.algorithmId === pkcsOids.pbeSha1Rc2) {
      throw new PkiError(
        'it is encrypted with RC2, which nobody should use any more; "openssl pkcs12 -legacy" reads it',
      );
    }
    throw new PkiError(`it is encrypted in a way that is not supported (${algorithm.algorithmId})`);
  }

  async #pbes2(algorithm: AlgorithmIdentifier, content: Buffer): Promise<Buffer> {
    const params = new PBES2Params({ schema: algorithm.algorithmParams });
    if (params.keyDerivationFunc.algorithmId !== pkcsOids.pbkdf2)
      throw new PkiError('its key derivation is not supported');
    const derivation = new PBKDF2Params({ schema: params.keyDerivationFunc.algorithmParams });
    const prf = derivation.prf?.algorithmId ?? pkcsOids.hmacSha1;
    const digest = hmacs.get(prf);
    const cipher = ciphers.get(params.encryptionScheme.algorithmId);
    if (digest === undefined || cipher === undefined) {
      throw new PkiError(
        `it is encrypted in a way that is not supported (${params.encryptionScheme.algorithmId}, ${prf})`,
      );
    }
    const rounds = derivation.iterationCount;
    this.spend(rounds);
    const key = await pbkdf2(this.#passphrase, octets(derivation.salt), rounds, cipher.keyLength, digest);
    this.protection.add(`${cipher.label}, PBKDF2 ${labels[digest]}, ${rounds} rounds`);
    return decipher(cipher.name, key, octets(params.encryptionScheme.algorithmParams), content);
  }

  #tripleDes(algorithm: AlgorithmIdentifier, content: Buffer): Buffer {
    const [salt, count] = items(algorithm.algorithmParams);
    const rounds = count instanceof asn1js.Integer ? count.valueBlock.valueDec : 0;
    this.spend(2 * rounds);
    const derive = (purpose: number, length: number): Buffer =>
      deriveKey('sha1', this.#passphrase, octets(salt), rounds, purpose, length);
    this.protection.add(`3DES-CBC, PKCS#12 SHA-1, ${rounds} rounds`);
    return decipher('des-ede3-cbc', derive(kdfPurpose.key, 24), derive(kdfPurpose.iv, 8), content);
  }

  async readSafe(content: Buffer): Promise<void> {
    for (const bag of items(parse(content))) {
      if (++this.#bags > maxBags) throw new PkiError(`more than ${maxBags} entries`);
      const [type, wrapped, attributes] = items(bag);
      if (attributes !== undefined) this.#readAttributes(attributes);
      const [value] = items(wrapped);
      await this.#readBag(dotted(type), value);
    }
  }

  async #readBag(type: string, value: unknown): Promise<void> {
    if (type === pkcsOids.certificateBag) {
      const [kind, wrapped] = items(value);
      if (dotted(kind) === pkcsOids.x509Certificate) this.certificates.push(octets(items(wrapped)[0]));
    } else if (type === pkcsOids.keyBag) {
      this.#addKey(Buffer.from((value as asn1js.Sequence).valueBeforeDecodeView));
    } else if (type === pkcsOids.shroudedKeyBag) {
      const [algorithm, content] = items(value);
      this.#addKey(
        await this.decrypt(
          new AlgorithmIdentifier({ schema: algorithm as asn1js.Sequence }),
          octets(content),
        ),
      );
    }
  }

  #addKey(der: Buffer): void {
    try {
      this.keys.push(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }));
    } catch {
      throw new PkiError('it holds a private key that cannot be read');
    }
  }

  #readAttributes(attributes: unknown): void {
    for (const attribute of items(attributes)) {
      const [type, values] = items(attribute);
      if (dotted(type) !== pkcsOids.friendlyName) continue;
      const [name] = items(values);
      if (name instanceof asn1js.BmpString && this.friendlyNames.size < 100)
        this.friendlyNames.add(name.valueBlock.value);
    }
  }
}

function decipher(name: string, key: Buffer, iv: Buffer, content: Buffer): Buffer {
  try {
    const running = createDecipheriv(name, key, iv);
    return Buffer.concat([running.update(content), running.final()]);
  } catch {
    throw new WrongPassphrase('wrong passphrase');
  }
}

async function open(bytes: Buffer, passphrase: string): Promise<Pkcs12> {
  const pfx = new PFX({ schema: parse(bytes) });
  if (pfx.authSafe.contentType !== pkcsOids.data)
    throw new PkiError('it is protected by a public key, which is not supported');
  const content = octets(pfx.authSafe.content);
  const opener = new Opener(passphrase);
  const mac = opener.checkMac(pfx, content);
  const { safeContents } = new AuthenticatedSafe({ schema: parse(content) });
  if (safeContents.length > maxSafes) throw new PkiError(`more than ${maxSafes} parts`);
  for (const safe of safeContents) {
    if (safe.contentType === pkcsOids.data) {
      await opener.readSafe(octets(safe.content));
    } else if (safe.contentType === pkcsOids.encryptedData) {
      const { encryptedContentInfo } = new EncryptedData({ schema: safe.content });
      const cipherText = octets(encryptedContentInfo.encryptedContent);
      await opener.readSafe(
        await opener.decrypt(encryptedContentInfo.contentEncryptionAlgorithm, cipherText),
      );
    }
  }
  return {
    keys: opener.keys,
    certificates: opener.certificates,
    friendlyNames: [...opener.friendlyNames],
    protection: [...opener.protection],
    mac,
  };
}

/**
 * Opens a PKCS#12 file (RFC 7292; BER as macOS writes it too). AES and 3DES; at most five million rounds of key
 * derivation in all, a few seconds. Throws WrongPassphrase, or PkiError at anything else.
 */
export async function readPkcs12(bytes: Buffer, passphrase: string): Promise<Pkcs12> {
  try {
    return await open(bytes, passphrase);
  } catch (error) {
    if (error instanceof WrongPassphrase) throw error;
    // asn1js and pkijs throw what they will at hostile bytes.
    throw new PkiError(`not a PKCS#12 file that can be read: ${messageOf(error)}`);
  }
}

/** Whether bytes look like a PKCS#12 file: a SEQUENCE that begins with the version 3 and a ContentInfo. */
export function looksLikePkcs12(bytes: Buffer): boolean {
  const start = bytes.subarray(0, 24).toString('hex');
  return /^30(?:80|[0-7].|81..|82.{4}|83.{6})02010330/.test(start);
}

import {
  createCipheriv,
  createHmac,
  type KeyObject,
  pbkdf2 as pbkdf2Callback,
  randomBytes,
} from 'node:crypto';
import { promisify } from 'node:util';
import { derNull, explicit, implicit, integer, octetString, oid, sequence, setOf, tlv } from './der.ts';
import { PkiError } from './error.ts';
import { pkcsOids } from './oid.ts';
import { deriveKey, kdfPurpose } from './pkcs12-kdf.ts';

const pbkdf2 = promisify(pbkdf2Callback);

/** Rounds of both derivations. The passphrase is as easy to guess as the cheaper one makes it. */
const iterations = 100_000;

/** A key with its certificate and the chain above it. */
export interface Pkcs12Contents {
  readonly key: KeyObject;
  /** Leaf first, DER. */
  readonly certificates: readonly Uint8Array[];
  /** What the importing program shows. */
  readonly friendlyName: string;
}

interface Encrypted {
  /** AlgorithmIdentifier. */
  readonly algorithm: Buffer;
  readonly content: Buffer;
}

/** PBES2 with PBKDF2-HMAC-SHA-256 and AES-256-CBC (RFC 8018): what every importer of the last years reads. */
async function encrypt(content: Uint8Array, passphrase: string): Promise<Encrypted> {
  const salt = randomBytes(16);
  const iv = randomBytes(16);
  const key = await pbkdf2(passphrase, salt, iterations, 32, 'sha256');
  const cipher = createCipheriv('aes-256-cbc', key, iv);
  const derivation = sequence(
    octetString(salt),
    integer(iterations),
    sequence(oid(pkcsOids.hmacSha256), derNull),
  );
  const algorithm = sequence(
    oid(pkcsOids.pbes2),
    sequence(sequence(oid(pkcsOids.pbkdf2), derivation), sequence(oid(pkcsOids.aes256Cbc), octetString(iv))),
  );
  return { algorithm, content: Buffer.concat([cipher.update(content), cipher.final()]) };
}

const attribute = (type: string, value: Buffer): Buffer => sequence(oid(type), setOf(value));

const bmpString = (text: string): Buffer => tlv(0x1e, Buffer.from(text, 'utf16le').swap16());

function safeBag(type: string, value: Buffer, attributes: readonly Buffer[]): Buffer {
  const set = attributes.length === 0 ? [] : [setOf(...attributes)];
  return sequence(oid(type), explicit(0, value), ...set);
}

/**
 * A PKCS#12 file (RFC 7292): certificates and key encrypted with AES-256-CBC under PBKDF2-SHA-256, the whole under an
 * HMAC-SHA-256. Throws PkiError at an empty passphrase: importers disagree on what that is.
 */
export async function writePkcs12(contents: Pkcs12Contents, passphrase: string): Promise<Buffer> {
  if (passphrase === '') throw new PkiError('a PKCS#12 file needs a passphrase');
  const localKeyId = attribute(pkcsOids.localKeyId, octetString(Buffer.of(1)));
  const own = [attribute(pkcsOids.friendlyName, bmpString(contents.friendlyName)), localKeyId];
  const bags = contents.certificates.map((der, index) => {
    const bag = sequence(oid(pkcsOids.x509Certificate), explicit(0, octetString(der)));
    return safeBag(pkcsOids.certificateBag, bag, index === 0 ? own : []);
  });
  const certificates = await encrypt(sequence(...bags), passphrase);
  const encryptedData = sequence(
    integer(0),
    sequence(oid(pkcsOids.data), certificates.algorithm, implicit(0, certificates.content)),
  );
  const pkcs8 = contents.key.export({ type: 'pkcs8', format: 'der' });
  const shrouded = await encrypt(pkcs8, passphrase);
  pkcs8.fill(0);
  const keyBag = safeBag(
    pkcsOids.shroudedKeyBag,
    sequence(shrouded.algorithm, octetString(shrouded.content)),
    own,
  );
  const authenticated = sequence(
    sequence(oid(pkcsOids.encryptedData), explicit(0, encryptedData)),
    sequence(oid(pkcsOids.data), explicit(0, octetString(sequence(keyBag)))),
  );
  // Eight octets, as OpenSSL writes them: with sixteen, macOS has been seen to call the passphrase wrong.
  const salt = randomBytes(8);
  const macKey = deriveKey('sha256', passphrase, salt, iterations, kdfPurpose.mac, 32);
  const mac = createHmac('sha256', macKey).update(authenticated).digest();
  return sequence(
    integer(3),
    sequence(oid(pkcsOids.data), explicit(0, octetString(authenticated))),
    sequence(
      sequence(sequence(oid(pkcsOids.sha256), derNull), octetString(mac)),
      octetString(salt),
      integer(iterations),
    ),
  );
}

import { createPrivateKey, type KeyObject } from 'node:crypto';
import { PkiError } from './error.ts';
import { readBytes } from './files.ts';
import { readPem } from './pem.ts';

/** Asked only when the key turns out to be encrypted. */
export type AskKeyPassphrase = (file: string) => Promise<string>;

function isEncrypted(label: string, text: string): boolean {
  return label === 'ENCRYPTED PRIVATE KEY' || text.includes('Proc-Type: 4,ENCRYPTED');
}

/**
 * A private key from a file: PKCS#8, PKCS#1 or SEC 1, PEM or DER, encrypted or not. Throws PkiError, which never
 * quotes the file.
 */
export async function readPrivateKey(file: string, ask: AskKeyPassphrase): Promise<KeyObject> {
  const bytes = await readBytes(file);
  if (!bytes.includes('-----BEGIN ')) return derKey(bytes, file);
  const block = readPem(bytes.toString('latin1')).find(({ label }) => label.endsWith('PRIVATE KEY'));
  if (block === undefined) throw new PkiError(`${file}: there is no private key in it`);
  const encrypted = isEncrypted(block.label, block.text);
  const passphrase = encrypted ? await ask(file) : undefined;
  try {
    return createPrivateKey({
      key: block.text,
      format: 'pem',
      ...(encrypted ? { passphrase: passphrase! } : {}),
    });
  } catch {
    // OpenSSL's own words for a wrong passphrase are "bad decrypt" on a good day.
    throw new PkiError(
      encrypted
        ? `${file}: wrong passphrase, or not a key that can be read`
        : `${file}: not a key that can be read`,
    );
  }
}

function derKey(bytes: Buffer, file: string): KeyObject {
  for (const type of ['pkcs8', 'pkcs1', 'sec1'] as const) {
    try {
      return createPrivateKey({ key: bytes, format: 'der', type });
    } catch {
      // The next form may be the one.
    }
  }
  throw new PkiError(`${file}: there is no private key in it`);
}

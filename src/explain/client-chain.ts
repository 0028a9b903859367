import { createPublicKey, X509Certificate } from 'node:crypto';
import type { CommandIo } from '../command-io.ts';
import { printable } from '../config/text.ts';
import { readBytes } from '../pki/files.ts';
import { askPassphrase, type PassphraseSource, readPassphrase } from '../pki/passphrase.ts';
import { readCertificates } from '../pki/pem.ts';
import { looksLikePkcs12, readPkcs12 } from '../pki/pkcs12-reader.ts';
import { PkiError } from '../pki/error.ts';

/** Certificates of one client; OpenSSL takes a hundred kilobytes of them. */
export const maxCertificates = 32;

/**
 * What a client sends that has this file: PEM with its own certificate first, one certificate in DER, or a PKCS#12 file,
 * where its own is the one that its key fits. Keys in it are not kept.
 * @throws PkiError
 */
export async function readClientChain(
  file: string,
  passphrase: PassphraseSource,
  io: CommandIo,
): Promise<readonly Buffer[]> {
  const bytes = await readBytes(file, io.stdin);
  const chain = looksLikePkcs12(bytes)
    ? await chainOfPkcs12(file, bytes, passphrase, io)
    : readCertificates(bytes, file);
  if (chain.length > maxCertificates)
    throw new PkiError(`${file}: more than ${maxCertificates} certificates`);
  return chain;
}

async function chainOfPkcs12(
  file: string,
  bytes: Buffer,
  source: PassphraseSource,
  io: CommandIo,
): Promise<readonly Buffer[]> {
  const passphrase =
    (await readPassphrase(source, io)) ?? (await askPassphrase(`Passphrase of ${printable(file)}: `, io));
  const { certificates, keys } = await readPkcs12(bytes, passphrase);
  if (certificates.length === 0) throw new PkiError(`${file}: there is no certificate in it`);
  const [key] = keys;
  if (key === undefined) return certificates;
  const publicKey = createPublicKey(key);
  const own = certificates.findIndex((der) => new X509Certificate(der).publicKey.equals(publicKey));
  if (own === -1) throw new PkiError(`${file}: none of its certificates is of its key`);
  return [certificates[own]!, ...certificates.filter((_, index) => index !== own)];
}

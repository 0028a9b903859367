import { createPublicKey, X509Certificate } from 'node:crypto';
import { dirname, basename, join } from 'node:path';
import { parseX509 } from './certificate-reader.ts';
import { IssuerDatabase } from './database.ts';
import { PkiError } from './error.ts';
import { exists, readBytes } from './files.ts';
import { issuerOf } from './issuer.ts';
import { type AskKeyPassphrase, readPrivateKey } from './key-file.ts';
import { readCertificates, toPem } from './pem.ts';
import type { BoundedIssuer } from './signing.ts';

/** Where an issuer lies on the disk. */
export interface IssuerPaths {
  /** Its certificate, alone or with the chain above it. */
  readonly ca: string;
  /** Default: `NAME-key.pem` beside `NAME.pem`. */
  readonly caKey?: string;
  /** Default: `NAME-db.jsonl` beside it. */
  readonly database?: string;
}

/** `dir/NAME` of `dir/NAME.pem`, and of `dir/NAME-bundle.pem`. */
export function stemOf(path: string): string {
  const name = basename(path)
    .replace(/\.(?:pem|crt|cer|der|csr|json)$/i, '')
    .replace(/-bundle$/, '');
  return join(dirname(path), name);
}

/** An issuer without its key: enough to look up and to check what it has issued. */
export interface IssuerCertificate {
  readonly der: Buffer;
  readonly certificate: X509Certificate;
  /** Itself and what stands above it, up to but without a self-signed root. PEM. */
  readonly chain: string;
  readonly database: IssuerDatabase;
  readonly path: string;
}

/** Whether `issuer` signed `certificate`. False also where a key is of a kind that OpenSSL does not know. */
export function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
  } catch {
    return false;
  }
}

/** Whether a certificate is its own issuer. */
export const isSelfSigned = (certificate: X509Certificate): boolean => isIssuedBy(certificate, certificate);

async function chainAbove(
  path: string,
  own: X509Certificate,
  listed: readonly Buffer[],
): Promise<X509Certificate[]> {
  if (listed.length > 1) return listed.slice(1).map((der) => parseX509(der, path));
  const bundle = `${stemOf(path)}-bundle.pem`;
  if (!(await exists(bundle))) return [];
  const [first, ...rest] = readCertificates(await readBytes(bundle), bundle);
  // A bundle left from an earlier certificate of the same name is not this one's.
  return first!.equals(own.raw) ? rest.map((der) => parseX509(der, bundle)) : [];
}

/** Reads an issuer's certificate, its chain and where its database is. Throws PkiError. */
export async function readIssuerCertificate(paths: IssuerPaths): Promise<IssuerCertificate> {
  const listed = readCertificates(await readBytes(paths.ca), paths.ca);
  const der = listed[0]!;
  const certificate = parseX509(der, paths.ca);
  let chain = '';
  for (const link of [certificate, ...(await chainAbove(paths.ca, certificate, listed))]) {
    if (isSelfSigned(link)) break;
    chain += toPem('CERTIFICATE', link.raw);
  }
  const database = new IssuerDatabase(paths.database ?? `${stemOf(paths.ca)}-db.jsonl`);
  return { der, certificate, chain, database, path: paths.ca };
}

/** Reads an issuer with its key. Throws PkiError when the key does not fit or the certificate is no CA's. */
export async function readIssuer(
  paths: IssuerPaths,
  ask: AskKeyPassphrase,
): Promise<IssuerCertificate & { readonly issuer: BoundedIssuer }> {
  const read = await readIssuerCertificate(paths);
  const keyPath = paths.caKey ?? `${stemOf(paths.ca)}-key.pem`;
  const key = await readPrivateKey(keyPath, ask);
  if (!createPublicKey(key).equals(read.certificate.publicKey)) {
    throw new PkiError(`${keyPath} is not the key of ${paths.ca}`);
  }
  return { ...read, issuer: issuerOf(read.der, key) };
}

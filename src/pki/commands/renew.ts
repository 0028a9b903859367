import { createPublicKey } from 'node:crypto';
import { issuedRecord } from '../ceremony.ts';
import { readCertificate, serialText, parseX509 } from '../certificate-reader.ts';
import { IssuerDatabase } from '../database.ts';
import { parseDuration } from '../duration.ts';
import { PkiError } from '../error.ts';
import { readBytes } from '../files.ts';
import { isIssuedBy, isSelfSigned, stemOf } from '../issuer-files.ts';
import { type KeyKind, keyToPem, makeKey } from '../key.ts';
import { readPrivateKey } from '../key-file.ts';
import { lookUp } from '../ledger.ts';
import { readCertificates, toPem } from '../pem.ts';
import { renewCertificate } from '../renewal.ts';
import { issuerFrom, issuerHelp, issuerOptions, keyPassphrase } from './issuer-options.ts';
import { pathsOf, refuseExisting, sayIssued, writeMade } from './output.ts';
import { type Context, flag, type Subcommand, text, type Values } from './subcommand.ts';
import type { KeyObject, X509Certificate } from 'node:crypto';

function kindOf(key: KeyObject): KeyKind {
  const details = key.asymmetricKeyDetails;
  if (key.asymmetricKeyType === 'rsa') {
    return { algo: 'rsa', size: Math.min(4096, Math.max(2048, details?.modulusLength ?? 2048)) };
  }
  if (key.asymmetricKeyType === 'ed25519') return { algo: 'ed25519' };
  const sizes = new Map([
    ['secp384r1', 384],
    ['secp521r1', 521],
  ] as const);
  return { algo: 'ecdsa', size: sizes.get(details?.namedCurve as 'secp384r1') ?? 256 };
}

async function newKey(certificate: X509Certificate, values: Values): Promise<KeyObject | null> {
  return flag(values, 'new-key') ? (await makeKey(kindOf(certificate.publicKey))).privateKey : null;
}

async function renewRoot(
  certificate: X509Certificate,
  file: string,
  values: Values,
  context: Context,
): Promise<ReturnType<typeof renewCertificate> & { readonly database: IssuerDatabase }> {
  if (flag(values, 'new-key')) {
    throw new PkiError('a root with another key is another root: make it with "pki init"');
  }
  const keyPath = text(values, 'ca-key') ?? `${stemOf(file)}-key.pem`;
  const key = await readPrivateKey(keyPath, keyPassphrase(values, context));
  if (!createPublicKey(key).equals(certificate.publicKey)) {
    throw new PkiError(`${keyPath} is not the key of ${file}`);
  }
  const expiry = text(values, 'expiry');
  const renewed = renewCertificate(
    {
      parts: readCertificate(certificate.raw),
      ...(expiry === undefined ? {} : { expiry: parseDuration(expiry) }),
    },
    { selfSignedBy: key },
    context.now,
  );
  return { ...renewed, database: new IssuerDatabase(text(values, 'db') ?? `${stemOf(file)}-db.jsonl`) };
}

/** `pki renew`: the same certificate, for another while. */
export const renew: Subcommand = {
  usage: 'CERT.pem --ca FILE',
  summary: 'issue a certificate again, with a new serial and a new validity',
  help: `Replaces CERT.pem and its bundle in one step; subject, names and usages stay as they are, and so does the key
unless --new-key makes another. A revoked certificate is not renewed. A root renews itself and needs no --ca.

${issuerHelp}
      --expiry DURATION           8760h, 365d …; default: as long as before
      --new-key                   make a new key as well; --force lets it replace NAME-key.pem
  -o, --out NAME                  leave CERT.pem alone and write NAME.pem
  -f, --force                     replace files that are there, keys included`,
  options: {
    ...issuerOptions,
    expiry: { type: 'string' },
    'new-key': { type: 'boolean' },
    out: { type: 'string', short: 'o' },
    force: { type: 'boolean', short: 'f' },
  },
  positionals: { min: 1, max: 1 },
  async run([file = ''], values, context) {
    const certificate = parseX509(readCertificates(await readBytes(file), file)[0]!, file);
    const parts = readCertificate(certificate.raw);
    const out = text(values, 'out');
    const stem = out?.replace(/\.pem$/, '') ?? stemOf(file);
    const paths = pathsOf(stem);
    const force = flag(values, 'force');
    const key = await newKey(certificate, values);
    await refuseExisting(
      [...(key === null ? [] : [paths.key]), ...(out === undefined ? [] : [paths.certificate, paths.bundle])],
      force,
    );

    if (isSelfSigned(certificate)) {
      const renewed = await renewRoot(certificate, file, values, context);
      await renewed.database.append(issuedRecord(renewed.der, 'root', context.now));
      await writeMade(stem, { certificate: toPem('CERTIFICATE', renewed.der) }, null, true, context);
      sayIssued(renewed.der, context);
      return 0;
    }
    const authority = await issuerFrom(values, context);
    if (!isIssuedBy(certificate, authority.certificate)) {
      throw new PkiError(`${file} was not issued by ${authority.path}`);
    }
    const { revoked } = await lookUp(authority.database, serialText(parts.serial));
    if (revoked !== null) {
      throw new PkiError(
        `${file} was revoked on ${revoked.at} (${revoked.reason}): issue a new one with a new key`,
      );
    }
    const expiry = text(values, 'expiry');
    const renewed = renewCertificate(
      {
        parts,
        ...(key === null ? {} : { publicKey: createPublicKey(key) }),
        ...(expiry === undefined ? {} : { expiry: parseDuration(expiry) }),
      },
      authority.issuer,
      context.now,
    );
    for (const warning of renewed.warnings) context.warn(warning);
    await authority.database.append(issuedRecord(renewed.der, 'renewal', context.now));
    const made = { certificate: toPem('CERTIFICATE', renewed.der) };
    await writeMade(
      stem,
      key === null ? made : { ...made, keyPem: keyToPem(key) },
      authority.chain,
      true,
      context,
    );
    sayIssued(renewed.der, context);
    return 0;
  },
};

import type { ParseArgsOptionsConfig } from 'node:util';
import { PkiError } from '../error.ts';
import { readBytes } from '../files.ts';
import {
  type IssuerCertificate,
  type IssuerPaths,
  readIssuer,
  readIssuerCertificate,
} from '../issuer-files.ts';
import { parseJson } from '../json-file.ts';
import type { AskKeyPassphrase } from '../key-file.ts';
import { askPassphrase, readPassphrase } from '../passphrase.ts';
import { noProfileFile, type ProfileFile, readProfiles } from '../profile.ts';
import type { BoundedIssuer } from '../signing.ts';
import { type Context, text, type Values } from './subcommand.ts';

/** Options that say who issues. */
export const issuerOptions: ParseArgsOptionsConfig = {
  ca: { type: 'string' },
  'ca-key': { type: 'string' },
  db: { type: 'string' },
  'ca-key-passphrase-file': { type: 'string' },
  'ca-key-passphrase-env': { type: 'string' },
};

export const issuerHelp = `  --ca FILE                       the issuer's certificate, with the chain above it or not
  --ca-key FILE                   its key; default: NAME-key.pem beside NAME.pem
  --db FILE                       its database; default: NAME-db.jsonl beside it
  --ca-key-passphrase-file FILE   for an encrypted key; without: asked for on the terminal
  --ca-key-passphrase-env NAME`;

export const outputOptions: ParseArgsOptionsConfig = {
  out: { type: 'string', short: 'o' },
  force: { type: 'boolean', short: 'f' },
};

export const outputHelp = `  -o, --out NAME                  write NAME.pem and so on; may begin with a folder
  -f, --force                     replace files that are there, keys included`;

export const profileOptions: ParseArgsOptionsConfig = {
  config: { type: 'string', short: 'c' },
  profile: { type: 'string', short: 'p' },
};

export const profileHelp = `  -c, --config FILE               signing profiles in cfssl's JSON
  -p, --profile NAME              one of them; without a file: client, server, peer, intermediate`;

function issuerPaths(values: Values): IssuerPaths {
  const ca = text(values, 'ca');
  if (ca === undefined) throw new PkiError('--ca FILE is missing: which certificate shall it be issued by?');
  const caKey = text(values, 'ca-key');
  const database = text(values, 'db');
  return {
    ca,
    ...(caKey === undefined ? {} : { caKey }),
    ...(database === undefined ? {} : { database }),
  };
}

/** How the passphrase of an encrypted key is come by: a file, the environment, or the terminal. */
export function keyPassphrase(values: Values, context: Context, prefix = 'ca-key-'): AskKeyPassphrase {
  return async (file) => {
    const fromFile = text(values, `${prefix}passphrase-file`);
    const env = text(values, `${prefix}passphrase-env`);
    const source = {
      ...(fromFile === undefined ? {} : { file: fromFile }),
      ...(env === undefined ? {} : { env }),
    };
    return (
      (await readPassphrase(source, context.io)) ??
      (await askPassphrase(`Passphrase of ${file}: `, context.io))
    );
  };
}

export async function issuerFrom(
  values: Values,
  context: Context,
): Promise<IssuerCertificate & { readonly issuer: BoundedIssuer }> {
  return await readIssuer(issuerPaths(values), keyPassphrase(values, context));
}

/** The issuer's certificate and database, where nothing is signed. */
export async function issuerCertificateFrom(values: Values): Promise<IssuerCertificate> {
  return await readIssuerCertificate(issuerPaths(values));
}

export async function profilesFrom(values: Values, context: Context): Promise<ProfileFile> {
  const path = text(values, 'config');
  if (path === undefined) return noProfileFile;
  const profiles = readProfiles(parseJson((await readBytes(path)).toString('utf8'), path));
  for (const warning of profiles.warnings) context.warn(`${path}: ${warning}`);
  return profiles;
}

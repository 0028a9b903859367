import { basename } from 'node:path';
import { readIdentity } from '../../tls/identity-reader.ts';
import type { Made } from '../ceremony.ts';
import { PkiError } from '../error.ts';
import { certificateMode, exists, keyMode, type Output, writeAll } from '../files.ts';
import { stemOf } from '../issuer-files.ts';
import type { Context } from './subcommand.ts';

/** `NAME` of `--out NAME`, or of the file that was read, in the current folder. */
export function outputStem(out: string | undefined, source: string): string {
  if (out !== undefined) return out.replace(/\.pem$/, '');
  const name = basename(stemOf(source));
  if (name === '-') throw new PkiError('--out NAME is needed when reading standard input');
  return name;
}

/** Refuses before anything is made or recorded: a key once overwritten is gone. */
export async function refuseExisting(paths: readonly string[], force: boolean): Promise<void> {
  for (const path of force ? [] : paths) {
    if (await exists(path)) throw new PkiError(`${path} is already there; --force replaces it`);
  }
}

/** A CA made anew goes on with the database of the one before it: what that has issued must stay revocable. */
export async function warnOfDatabase(stem: string, context: Context): Promise<void> {
  const path = `${stem}-db.jsonl`;
  if (await exists(path))
    context.warn(`${path} is there already and is kept: it tells of an earlier CA as well`);
}

export const pathsOf = (stem: string): Record<'certificate' | 'key' | 'csr' | 'bundle', string> => ({
  certificate: `${stem}.pem`,
  key: `${stem}-key.pem`,
  csr: `${stem}.csr`,
  bundle: `${stem}-bundle.pem`,
});

/** Writes what was made under the names cfssljson -bare gives, and the bundle beside. */
export async function writeMade(
  stem: string,
  made: Pick<Made, 'certificate'> & Partial<Pick<Made, 'keyPem' | 'csr'>>,
  chain: string | null,
  replace: boolean,
  context: Context,
): Promise<void> {
  const paths = pathsOf(stem);
  const outputs: Output[] = [];
  if (made.keyPem !== undefined)
    outputs.push({ path: paths.key, content: made.keyPem, mode: keyMode, replace });
  if (made.csr !== undefined)
    outputs.push({ path: paths.csr, content: made.csr, mode: certificateMode, replace });
  if (chain !== null) {
    outputs.push({ path: paths.bundle, content: made.certificate + chain, mode: certificateMode, replace });
  }
  outputs.push({ path: paths.certificate, content: made.certificate, mode: certificateMode, replace });
  await writeAll(outputs);
  context.say(`wrote ${outputs.map(({ path }) => path).join(', ')}`);
}

/** Two lines about a certificate that was just signed. */
export function sayIssued(der: Uint8Array, context: Context): void {
  const { subjectText, issuerText, serial, notAfter } = readIdentity(der);
  context.say(`  ${subjectText}`);
  context.say(
    `  serial ${serial}, until ${new Date(notAfter).toISOString().slice(0, 10)}, issued by ${issuerText}`,
  );
}

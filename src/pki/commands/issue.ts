import { issuedRecord, makeCertificate } from '../ceremony.ts';
import { readCsrJson } from '../csr-json.ts';
import { readBytes } from '../files.ts';
import { parseJson } from '../json-file.ts';
import type { Profile } from '../profile.ts';
import {
  issuerFrom,
  issuerHelp,
  issuerOptions,
  outputHelp,
  outputOptions,
  profileHelp,
  profileOptions,
  profilesFrom,
} from './issuer-options.ts';
import { outputStem, pathsOf, refuseExisting, sayIssued, warnOfDatabase, writeMade } from './output.ts';
import { type Context, flag, type Subcommand, text, type Values } from './subcommand.ts';
import { PkiError } from '../error.ts';
import type { CsrRequest } from '../csr-json.ts';

/** Reads a request, makes its key, has it signed and writes everything. `choose` fits the profile to the request. */
async function issueFrom(
  file: string,
  values: Values,
  context: Context,
  choose: (request: CsrRequest, named: (name: string | undefined) => Profile) => Profile,
): Promise<number> {
  const force = flag(values, 'force');
  const request = readCsrJson(parseJson((await readBytes(file, context.io.stdin)).toString('utf8'), file));
  const profiles = await profilesFrom(values, context);
  const profile = choose(request, (name) => profiles.get(name));
  const stem = outputStem(text(values, 'out'), file);
  await refuseExisting(Object.values(pathsOf(stem)), force);
  const authority = await issuerFrom(values, context);
  if (profile.ca !== undefined) await warnOfDatabase(stem, context);
  const made = await makeCertificate(request, profile, authority.issuer, context.now);
  for (const warning of made.signed.warnings) context.warn(warning);
  // Recorded before it exists: a certificate that nobody knows of could never be revoked.
  const name = text(values, 'profile') ?? (profile.ca === undefined ? 'default' : 'intermediate');
  await authority.database.append(issuedRecord(made.signed.der, name, context.now));
  await writeMade(stem, made, authority.chain, force, context);
  sayIssued(made.signed.der, context);
  return 0;
}

const options = { ...issuerOptions, ...profileOptions, ...outputOptions };
const optionsHelp = `${issuerHelp}\n${profileHelp}\n${outputHelp}`;

/** `pki issue`: a key and a certificate for somebody. */
export const issue: Subcommand = {
  usage: 'CSR.json --ca FILE [--profile NAME]',
  summary: 'make a key and a certificate from a request in JSON',
  help: `Reads a request in cfssl's JSON (CN, hosts, key, names) and writes NAME.pem, NAME-key.pem, NAME.csr and
NAME-bundle.pem: the certificate with the intermediates a client or server sends along.

${optionsHelp}`,
  options,
  positionals: { min: 1, max: 1 },
  async run([file = ''], values, context) {
    return await issueFrom(file, values, context, (_, named) => named(text(values, 'profile')));
  },
};

/** `pki intermediate`: a CA below another. */
export const intermediate: Subcommand = {
  usage: 'CSR.json --ca ROOT.pem [--profile NAME]',
  summary: 'make a CA below another',
  help: `As issue, with the profile "intermediate": five years, no further CA below it. "ca": {"expiry": …, "pathlen": …}
in the request count where no profile is named.

${optionsHelp}`,
  options,
  positionals: { min: 1, max: 1 },
  async run([file = ''], values, context) {
    return await issueFrom(file, values, context, (request, named) => {
      const given = text(values, 'profile');
      const profile = named(given ?? 'intermediate');
      if (profile.ca === undefined) {
        throw new PkiError('the profile has no "ca_constraint": {"is_ca": true}, so it makes no CA');
      }
      if (given !== undefined) return profile;
      const { expiry, backdate, pathLen } = request.ca;
      return {
        ...profile,
        ...(expiry === undefined ? {} : { expiry }),
        ...(backdate === undefined ? {} : { backdate }),
        ...(pathLen === undefined ? {} : { ca: { pathLen } }),
      };
    });
  },
};

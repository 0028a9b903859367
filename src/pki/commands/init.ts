import { issuedRecord, makeRoot } from '../ceremony.ts';
import { readCsrJson } from '../csr-json.ts';
import { IssuerDatabase } from '../database.ts';
import { readBytes } from '../files.ts';
import { parseJson } from '../json-file.ts';
import { outputHelp, outputOptions } from './issuer-options.ts';
import { outputStem, pathsOf, refuseExisting, sayIssued, warnOfDatabase, writeMade } from './output.ts';
import { flag, type Subcommand, text } from './subcommand.ts';

/** `pki init`: a root. */
export const init: Subcommand = {
  usage: 'CSR.json [--out NAME]',
  summary: 'make a root: a key and its self-signed CA certificate',
  help: `Reads a request in cfssl's JSON (CN, key, names, ca) and writes NAME.pem, NAME-key.pem and NAME.csr.
The root lasts five years unless "ca": {"expiry": …} says otherwise. Keep its key off the machines that serve.

${outputHelp}`,
  options: outputOptions,
  positionals: { min: 1, max: 1 },
  async run([file = ''], values, context) {
    const force = flag(values, 'force');
    const request = readCsrJson(parseJson((await readBytes(file, context.io.stdin)).toString('utf8'), file));
    const stem = outputStem(text(values, 'out'), file);
    const { bundle: _, ...paths } = pathsOf(stem);
    await refuseExisting(Object.values(paths), force);
    await warnOfDatabase(stem, context);
    const made = await makeRoot(request, context.now);
    for (const warning of made.signed.warnings) context.warn(warning);
    await new IssuerDatabase(`${stem}-db.jsonl`).append(issuedRecord(made.signed.der, 'root', context.now));
    await writeMade(stem, made, null, force, context);
    sayIssued(made.signed.der, context);
    return 0;
  },
};

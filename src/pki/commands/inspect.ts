import { inspectFiles } from '../inspection.ts';
import { inspectionText } from '../inspection-text.ts';
import { askPassphrase, readPassphrase } from '../passphrase.ts';
import { printable } from '../printable.ts';
import { flag, type Subcommand, text } from './subcommand.ts';

/** `pki inspect`: what is in a file. */
export const inspect: Subcommand = {
  usage: 'FILE... [--json]',
  summary: 'show what is in certificates, requests, CRLs, PKCS#12 files and keys',
  help: `PEM, DER, bundles; "-" is standard input. Shows subject, issuer, names, usages, key, validity with the days left,
fingerprints, and the chain as a tree with what is missing of it. Keys are named, never shown.

  --json                          for machines
  --passphrase-file FILE          of a PKCS#12 file; without: asked for on the terminal
  --passphrase-env NAME`,
  options: {
    json: { type: 'boolean' },
    'passphrase-file': { type: 'string' },
    'passphrase-env': { type: 'string' },
  },
  positionals: { min: 1, max: 1000 },
  async run(files, values, context) {
    const file = text(values, 'passphrase-file');
    const env = text(values, 'passphrase-env');
    const source = { ...(file === undefined ? {} : { file }), ...(env === undefined ? {} : { env }) };
    const inspection = await inspectFiles(files, {
      now: context.now,
      stdin: context.io.stdin,
      passphrase: async (name) =>
        (await readPassphrase(source, context.io)) ??
        (await askPassphrase(`Passphrase of ${printable(name)}: `, context.io)),
    });
    if (flag(values, 'json')) context.say(JSON.stringify(inspection, null, 2));
    else for (const line of inspectionText(inspection)) context.say(line);
    return inspection.reports.some((report) => report.kind === 'other' && report.problem.startsWith('not a '))
      ? 1
      : 0;
  },
};

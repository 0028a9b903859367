import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import type { CommandIo } from '../../command-io.ts';
import { PkiError } from '../../pki/error.ts';
import { keyMode, writeAll } from '../../pki/files.ts';
import { makeDefaultCertificate } from '../default-certificate.ts';
import { ManifestReader } from '../manifests.ts';
import { manifestFlags, type ManifestFlags, manifestUsage, readManifestFlags } from '../serve-options.ts';
import { type NativeFile, nativeFiles } from './native.ts';
import { type Format, formats, render } from './render.ts';
import { type MigrationReport, reportMigration } from './report.ts';

const usage = `mtls-ingress migrate PATH [--format text|json|markdown] [--out DIR]

Says what becomes of the manifests that ran ingress-nginx: every object and annotation as same, different (how) or refused
(why, and what to do), what is surprising or dangerous in them, and our own configuration for the same routes.

  --format FORMAT   text (default), json or markdown
  --out DIR         writes that configuration and the files it names, readable by you alone; what is there stays

The flags of serve --manifests hold here too:
${manifestUsage}
Exit code: 0 when nothing needs attention, 1 when something does, 2 for a wrong command line.
`;

type Flags = ManifestFlags & { readonly format?: string; readonly out?: string; readonly help?: boolean };

/** The command `migrate`. Resolves with the exit code. */
export async function runMigrate(args: readonly string[], io: CommandIo): Promise<number> {
  const wrong = (message: string): number => {
    io.stderr.write(`mtls-ingress migrate: ${message}\n\n${usage}`);
    return 2;
  };
  let values: Flags;
  let positionals: string[];
  try {
    const { manifests: _, ...flags } = manifestFlags;
    ({ values, positionals } = parseArgs({
      args: [...args],
      options: {
        ...flags,
        format: { type: 'string' },
        out: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
      allowPositionals: true,
    }));
  } catch (error) {
    return wrong((error as Error).message);
  }
  if (values.help === true) {
    io.stdout.write(usage);
    return 0;
  }
  const [path, ...more] = positionals;
  if (path === undefined || more.length > 0) return wrong(path === undefined ? 'which PATH?' : 'one PATH?');
  const format = formats.find((name) => name === (values.format ?? 'text'));
  if (format === undefined) return wrong(`--format is one of ${formats.join(', ')}`);
  const options = readManifestFlags(values);
  if ('fault' in options) return wrong(options.fault);

  const manifests = await new ManifestReader(path).read();
  if (manifests.problems.length > 0) {
    for (const problem of manifests.problems) io.stderr.write(`${problem}\n`);
    return 1;
  }
  const report = reportMigration(manifests, {
    ...options,
    defaultCertificate: await makeDefaultCertificate(),
  });
  io.stdout.write(render(report, format));
  return (await writeOut(values.out, report, format, io)) && !report.needsAttention ? 0 : 1;
}

/** Writes what `--out` asks for. False where that went wrong. */
async function writeOut(
  out: string | undefined,
  { translation }: MigrationReport,
  format: Format,
  io: CommandIo,
): Promise<boolean> {
  if (out === undefined) return true;
  try {
    const files = nativeFiles(translation.config, translation.material);
    await writeFiles(out, files);
    if (format === 'text') io.stderr.write(`${files.length} files written to ${out}\n`);
    return true;
  } catch (error) {
    const said = error instanceof PkiError || error instanceof Error ? error.message : String(error);
    io.stderr.write(
      `mtls-ingress migrate: ${said.replace('; --force replaces it', ': nothing is written')}\n`,
    );
    return false;
  }
}

async function writeFiles(out: string, files: readonly NativeFile[]): Promise<void> {
  const folders = new Set(files.map(({ name }) => dirname(join(out, name))));
  for (const folder of folders) await mkdir(folder, { recursive: true, mode: 0o700 });
  // Keys and password files among them; and whoever reads the rest learns who may come in.
  await writeAll(
    files.map(({ name, contents }) => ({
      path: join(out, name),
      content: contents,
      mode: keyMode,
      replace: false,
    })),
  );
}

import { resolve } from 'node:path';
import type { Material } from '../snapshot/compile.ts';
import { readDocument } from './document.ts';
import { fileReferences } from './file-references.ts';
import { checkFit } from './fit.ts';
import { readMaterial } from './material.ts';
import { error, type Finding, hasErrors, type Problem, sortProblems } from './problem.ts';
import { readBounded } from './read-file.ts';
import { repair } from './repair.ts';
import { checkRules } from './rules.ts';
import type { Config } from './schema.ts';
import { checkShape } from './shape.ts';
import { quote } from './text.ts';

/** Larger than any configuration written by hand or by a sane program. */
export const maxConfigSize = 4 * 1024 ** 2;

/** A configuration that can be served with. */
export interface LoadedConfig {
  readonly config: Config;
  readonly material: Material;
  /** Warnings only. */
  readonly problems: readonly Problem[];
  /** Absolute paths of the configuration file and of every file that it names: what to watch. */
  readonly files: readonly string[];
  /** Gives what is found later its line and column in the file. */
  readonly place: (finding: Finding) => Problem;
}

/** One that cannot. */
export interface RefusedConfig {
  readonly config?: undefined;
  /** Errors, and whatever warnings were found beside them; in the order of the file. */
  readonly problems: readonly Problem[];
  /** As far as they could be made out. */
  readonly files: readonly string[];
}

/**
 * Reads a configuration file and all files that it names, and checks everything that serving depends on: syntax, schema,
 * the parts against each other, every certificate, key, CA and CRL. All that is wrong is told at once: what does not
 * fit the schema is repaired in a copy (repair.ts), so that the rest of the file can be judged too.
 *
 * Never rejects and changes nothing. Dates are not looked at: `checkMaterial` does, and can be given as a further check.
 */
export async function loadConfig(
  file: string,
  furtherChecks: (config: Config, material: Material) => readonly Finding[] = () => [],
): Promise<LoadedConfig | RefusedConfig> {
  const absolute = resolve(file);
  const read = await readBounded(absolute, maxConfigSize);
  const text = 'fault' in read ? null : decode(read.bytes);
  if (text === null) {
    const message = 'fault' in read ? `${quote(file)} ${read.fault}` : `${quote(file)} is not UTF-8 text`;
    return { problems: [{ file, line: 1, column: 1, ...error('', message) }], files: [absolute] };
  }
  const { data, problems, place } = readDocument(file, text);
  if (problems.length > 0) return { problems, files: [absolute] };
  const misfits = checkShape(data);
  const repaired = repair(data, misfits);
  if (repaired === null) return { problems: sortProblems(misfits.map(place)), files: [absolute] };
  const { config } = repaired;
  const references = fileReferences(config).filter(({ path }) => repaired.isWritten(path));
  const { material, findings, files } = await readMaterial(file, references);
  const checked = [
    ...checkRules(config),
    ...findings,
    ...checkFit(config, material),
    ...furtherChecks(config, material),
  ];
  const found = sortProblems([...repaired.misfits, ...repaired.sure(checked)].map(place));
  const watched = [absolute, ...files];
  if (hasErrors(found)) return { problems: found, files: watched };
  return { config, material, problems: found, files: watched, place };
}

function decode(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

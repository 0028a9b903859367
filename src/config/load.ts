import { resolve } from 'node:path';
import type { Material } from '../snapshot/compile.ts';
import { readDocument } from './document.ts';
import { FileMemory } from './file-memory.ts';
import { type FileReference, fileReferences } from './file-references.ts';
import { CheckMemory } from './check-memory.ts';
import { fitSteps } from './fit.ts';
import { decode, include, maxConfigSize } from './include.ts';
import { type MaterialResult, readMaterial } from './material.ts';
import { error, type Finding, hasErrors, type Problem, sortProblems } from './problem.ts';
import { readBounded } from './read-file.ts';
import { repair } from './repair.ts';
import { ruleSteps } from './rules.ts';
import type { Config } from './schema.ts';
import { checkShape } from './shape.ts';
import { quote } from './text.ts';
import { inSlices } from '../slices.ts';
import type { Steps } from '../steps.ts';

/** A configuration that can be served with. */
export interface LoadedConfig {
  readonly config: Config;
  readonly material: Material;
  /** Warnings only. */
  readonly problems: readonly Problem[];
  /** Absolute paths of the configuration file and of every file that it names: what to watch. */
  readonly files: readonly string[];
  /** Absolute paths with `*` in the last part: files there may come to be included. */
  readonly patterns: readonly string[];
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
  readonly patterns: readonly string[];
}

/** Checks besides those that serving depends on; at once, or step by step where there may be many hosts. */
export type FurtherChecks = (
  config: Config,
  material: Material,
  references: readonly FileReference[],
  memory: CheckMemory,
) => readonly Finding[] | Steps<readonly Finding[]>;

/** Where the contents of the files come from that a configuration names. */
export type MaterialReader = (
  configFile: string,
  references: readonly FileReference[],
  memory: FileMemory,
) => Promise<MaterialResult>;

/** What one load leaves for the next of the same file, so that what is unchanged is not read and checked again. */
export class LoadMemory {
  readonly files = new FileMemory();
  /** Apart: a file may be named as both, and is not kept as the same. */
  readonly fragments = new FileMemory();
  readonly checks = new CheckMemory();
}

/**
 * Reads a configuration file and all files that it names, and checks everything that serving depends on: syntax, schema,
 * the parts against each other, every certificate, key, CA and CRL. All that is wrong is told at once: what does not
 * fit the schema is repaired in a copy (repair.ts), so that the rest of the file can be judged too.
 *
 * Never rejects and changes nothing. Dates are not looked at: `checkMaterial` does, and can be given as a further check.
 *
 * @param readNamed Reads the files that it names, or gives what stands in for them.
 */
export async function loadConfig(
  file: string,
  furtherChecks: FurtherChecks = () => [],
  memory: LoadMemory = new LoadMemory(),
  readNamed: MaterialReader = readMaterial,
): Promise<LoadedConfig | RefusedConfig> {
  const absolute = resolve(file);
  memory.files.begin();
  memory.fragments.begin();
  memory.checks.begin();
  const read = await readBounded(absolute, maxConfigSize);
  const text = 'fault' in read ? null : decode(read.bytes);
  if (text === null) {
    const message = 'fault' in read ? `${quote(file)} ${read.fault}` : `${quote(file)} is not UTF-8 text`;
    return {
      problems: [{ file, line: 1, column: 1, ...error('', message) }],
      files: [absolute],
      patterns: [],
    };
  }
  const main = readDocument(file, text);
  if (main.problems.length > 0) return { problems: main.problems, files: [absolute], patterns: [] };
  const whole = await include(file, main, memory.fragments);
  const { data, place, patterns } = whole;
  const included = [absolute, ...whole.files];
  if (whole.problems.length > 0) return { problems: sortProblems(whole.problems), files: included, patterns };
  const misfits = checkShape(data);
  const repaired = repair(data, misfits);
  if (repaired === null)
    return { problems: sortProblems([...misfits, ...whole.findings].map(place)), files: included, patterns };
  const { config } = repaired;
  const references = fileReferences(config).filter(({ path }) => repaired.isWritten(path));
  const { material, findings, files } = await readNamed(file, references, memory.files);
  const more = furtherChecks(config, material, references, memory.checks);
  const checked = [
    ...(await inSlices(ruleSteps(config, memory.checks))),
    ...findings,
    ...(await inSlices(fitSteps(config, material, references, memory.checks))),
    ...('next' in more ? await inSlices(more) : more),
  ];
  memory.files.end();
  memory.fragments.end();
  memory.checks.end();
  const found = sortProblems([...repaired.misfits, ...whole.findings, ...repaired.sure(checked)].map(place));
  const watched = [...included, ...files];
  if (hasErrors(found)) return { problems: found, files: watched, patterns };
  return { config, material, problems: found, files: watched, patterns, place };
}

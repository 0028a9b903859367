import { dirname, resolve } from 'node:path';
import type { Material } from '../snapshot/compile.ts';
import type { FileReference } from './file-references.ts';
import { FileMemory } from './file-memory.ts';
import { type FileRole, isPemRole, pemFault, pemOfCrl, type PemRole } from './pem.ts';
import { error, type Finding, warning } from './problem.ts';
import type { ReadFile } from './read-file.ts';
import { quote } from './text.ts';
import { Slices } from '../slices.ts';

const mebibyte = 1024 ** 2;

/** One file's limit: a CRL of ten mebibytes has a quarter of a million entries. */
export const maxFileSize = 10 * mebibyte;

/** All files together. */
const maxTotalSize = 256 * mebibyte;

export interface MaterialResult {
  /** Holds only the files that can serve what they are named for. */
  readonly material: Material;
  readonly findings: readonly Finding[];
  /** Absolute paths of all files named, whether they could be read or not: what to watch. */
  readonly files: readonly string[];
}

/** A file's contents as each role has them. */
class MaterialFile {
  readonly mode: number;
  readonly size: number;
  /** PEM is ASCII; bytes beside it are commentary, and no reason to stumble. */
  readonly #text: string;
  readonly #roles = new Map<FileRole, { readonly text: string; readonly fault: string | null }>();

  constructor({ bytes, mode }: ReadFile) {
    this.mode = mode;
    this.size = bytes.length;
    this.#text = bytes.toString('latin1');
  }

  as(role: FileRole): { readonly text: string; readonly fault: string | null } {
    let made = this.#roles.get(role);
    if (made === undefined) {
      const own = isPemRole(role) ? Buffer.from(this.#text, 'latin1') : null;
      const bytes = own !== null && role === 'crl' ? pemOfCrl(own) : own;
      const text = bytes === own ? this.#text : bytes!.toString('latin1');
      made = { text, fault: bytes === null ? null : pemFault(role as PemRole, bytes) };
      this.#roles.set(role, made);
    }
    return made;
  }
}

/**
 * Reads the files that a configuration names, each once, relative to the configuration file's folder. Whatever cannot
 * be read, is empty, too large or not the PEM it should be is a finding at every place that names it.
 *
 * @param memory Files that are as they were are not read again.
 */
export async function readMaterial(
  configFile: string,
  references: readonly FileReference[],
  memory: FileMemory = new FileMemory(),
): Promise<MaterialResult> {
  const folder = dirname(resolve(configFile));
  const paths = new Map<string, string>();
  for (const { file } of references) {
    if (!isPemItself(file) && !paths.has(file)) paths.set(file, resolve(folder, file));
  }
  const distinct = [...new Set(paths.values())];
  let read = 0;
  const results = await memory.read(
    distinct.map((path) => ({ path, limit: maxFileSize, make: (file) => new MaterialFile(file) })),
    (size) => ((read += size) > maxTotalSize ? tooMuch : null),
  );
  const contents = new Map(distinct.map((path, index) => [path, results[index]!]));
  let total = 0;
  for (const [path, file] of contents) {
    if (file instanceof MaterialFile && (total += file.size) > maxTotalSize + maxFileSize)
      contents.set(path, { fault: tooMuch });
  }
  const material = new Map<string, string>();
  const findings: Finding[] = [];
  const slices = new Slices();
  for (const { path, file, role } of references) {
    if (slices.isOver) await slices.pause();
    // Secrets come as paths only. Nothing of it may be repeated in a message.
    if (isPemItself(file)) {
      findings.push(error(path, 'is the PEM itself: write it to a file, and its path here'));
      continue;
    }
    const one = contents.get(paths.get(file)!)!;
    const made = one instanceof MaterialFile ? one.as(role) : null;
    const fault = one instanceof MaterialFile ? made!.fault : one.fault;
    if (fault !== null || !(one instanceof MaterialFile)) {
      findings.push(error(path, `${quote(file)} ${fault}`));
      continue;
    }
    if ((role === 'key' || role === 'users' || role === 'tokens') && (one.mode & 0o044) !== 0) {
      const who = (one.mode & 0o004) !== 0 ? 'everyone' : 'its group';
      findings.push(warning(path, `${quote(file)} may be read by ${who}: \`chmod 600\` keeps it private`));
    }
    material.set(file, made!.text);
  }
  return { material, findings, files: distinct };
}

function isPemItself(file: string): boolean {
  return file.includes('-----BEGIN') || /[\r\n]/.test(file);
}

const tooMuch = `comes after ${maxTotalSize / mebibyte} MiB of other files: they are too large together`;

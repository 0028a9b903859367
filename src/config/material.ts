import { dirname, resolve } from 'node:path';
import type { Material } from '../snapshot/compile.ts';
import type { FileReference } from './file-references.ts';
import { isPemRole, pemFault, pemOfCrl } from './pem.ts';
import { error, type Finding, warning } from './problem.ts';
import { type FileContents, readBounded } from './read-file.ts';
import { quote } from './text.ts';

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

/**
 * Reads the files that a configuration names, each once, relative to the configuration file's folder. Whatever cannot
 * be read, is empty, too large or not the PEM it should be is a finding at every place that names it.
 */
export async function readMaterial(
  configFile: string,
  references: readonly FileReference[],
): Promise<MaterialResult> {
  const folder = dirname(resolve(configFile));
  const contents = new Map<string, FileContents>();
  const files = new Set<string>();
  const material = new Map<string, string>();
  const findings: Finding[] = [];
  let total = 0;
  for (const { path, file, role } of references) {
    // Secrets come as paths only. Nothing of it may be repeated in a message.
    if (file.includes('-----BEGIN') || /[\r\n]/.test(file)) {
      findings.push(error(path, 'is the PEM itself: write it to a file, and its path here'));
      continue;
    }
    let read = contents.get(file);
    if (read === undefined) {
      const absolute = resolve(folder, file);
      files.add(absolute);
      read = total > maxTotalSize ? { fault: tooMuch } : await readBounded(absolute, maxFileSize);
      contents.set(file, read);
      if ('bytes' in read) total += read.bytes.length;
    }
    if (role === 'crl' && 'bytes' in read) read = { ...read, bytes: pemOfCrl(read.bytes) };
    const fault = 'fault' in read ? read.fault : isPemRole(role) ? pemFault(role, read.bytes) : null;
    if (fault !== null) {
      findings.push(error(path, `${quote(file)} ${fault}`));
      continue;
    }
    if (!('bytes' in read)) continue;
    if ((role === 'key' || role === 'users') && (read.mode & 0o044) !== 0) {
      const who = (read.mode & 0o004) !== 0 ? 'everyone' : 'its group';
      findings.push(warning(path, `${quote(file)} may be read by ${who}: \`chmod 600\` keeps it private`));
    }
    // PEM is ASCII; bytes beside it are commentary, and no reason to stumble.
    material.set(file, read.bytes.toString('latin1'));
  }
  return { material, findings, files: [...files] };
}

const tooMuch = `comes after ${maxTotalSize / mebibyte} MiB of other files: they are too large together`;

import { readdir, realpath, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { formatProblem, type Problem } from '../config/problem.ts';
import { readBounded } from '../config/read-file.ts';
import { quote } from '../config/text.ts';
import { splitDocuments } from './documents.ts';
import type { KubernetesObject } from './object.ts';
import { type Fault, parseManifest, type ParsedDocument } from './parse-manifest.ts';

const mebibyte = 1024 ** 2;

/** One file, and all of them. A cluster of thousands of Ingresses fits into it. */
const maxFileSize = 16 * mebibyte;
const maxTotalSize = 128 * mebibyte;
const maxFiles = 10_000;
const maxObjects = 200_000;
/** Folders within folders. */
const maxDepth = 8;

const extensions = /\.(?:ya?ml|json)$/i;
const kustomization = /^(?:kustomization\.ya?ml|Kustomization)$/;

export interface Manifests {
  readonly objects: readonly KubernetesObject[];
  /** What is no object, though it stands where one should. */
  readonly faults: readonly Fault[];
  /** Kinds that no one here asks for, with how many there were. */
  readonly passedOver: ReadonlyMap<string, number>;
  /**
   * Lines that keep the manifests from being used at all: a file that cannot be read or is no YAML. What it would have said is
   * not known, and might have been a check.
   */
  readonly problems: readonly string[];
  /** Absolute paths of every file and folder that was looked at: what to watch. */
  readonly watched: readonly string[];
}

/**
 * Reads a file of manifests, or a folder of them with its folders: `.yaml`, `.yml` and `.json`, several documents in one
 * file, Lists. Names that begin with a dot are left out, which leaves a Kubernetes volume's `..data` to its links.
 *
 * Reading again gives the same objects (by identity) for documents whose text is the same, so whoever remembers
 * what an object came to need not do it again.
 */
export class ManifestReader {
  readonly #path: string;
  #known = new Map<string, ParsedDocument>();

  /** @param path As the user gave it: places in messages begin with it. */
  constructor(path: string) {
    this.#path = path;
  }

  /** Never rejects. */
  async read(): Promise<Manifests> {
    const listing = new Listing();
    await listing.add(this.#path, 0);
    const { problems } = listing;
    const known = new Map<string, ParsedDocument>();
    const documents: ParsedDocument[] = [];
    let total = 0;
    let objects = 0;
    for (const file of listing.files) {
      const read = await readBounded(resolve(file), maxFileSize);
      if ('fault' in read) {
        if (read.fault !== 'is empty') problems.push(`${file}:1:1 / ${quote(file)} ${read.fault}`);
        continue;
      }
      total += read.bytes.length;
      if (total > maxTotalSize) {
        problems.push(`${file}:1:1 / the manifests are larger than ${maxTotalSize / mebibyte} MiB together`);
        break;
      }
      const text = decode(read.bytes);
      if (text === null) {
        problems.push(`${file}:1:1 / ${quote(file)} is not UTF-8 text`);
        continue;
      }
      for (const document of splitDocuments(text)) {
        const parsed = this.#parse(file, document, known);
        if ('syntax' in parsed) {
          problems.push(...parsed.syntax.map(formatProblem));
          continue;
        }
        objects += parsed.objects.length;
        documents.push(parsed);
      }
      if (objects > maxObjects) {
        problems.push(`${file}:1:1 / more than ${maxObjects} objects`);
        break;
      }
    }
    this.#known = known;
    return {
      objects: documents.flatMap((document) => document.objects),
      faults: documents.flatMap((document) => document.faults),
      passedOver: count(documents.flatMap((document) => document.passedOver)),
      problems,
      watched: listing.watched.map((path) => resolve(path)),
    };
  }

  #parse(
    file: string,
    document: { readonly text: string; readonly line: number },
    known: Map<string, ParsedDocument>,
  ): ParsedDocument | { readonly syntax: readonly Problem[] } {
    const before = this.#known.get(document.text);
    if (before !== undefined && !known.has(document.text)) {
      before.place.move(file, document.line);
      known.set(document.text, before);
      return before;
    }
    const parsed = parseManifest(file, document);
    if (!('syntax' in parsed) && !known.has(document.text)) known.set(document.text, parsed);
    return parsed;
  }
}

/** The files below a path, in the order of their names. */
class Listing {
  readonly files: string[] = [];
  readonly watched: string[] = [];
  readonly problems: string[] = [];
  readonly #seen = new Set<string>();

  async add(path: string, depth: number): Promise<void> {
    this.watched.push(path);
    let isFolder: boolean;
    try {
      isFolder = (await stat(path)).isDirectory();
    } catch {
      // Reading it tells what is wrong.
      this.#addFile(path);
      return;
    }
    if (!isFolder) {
      this.#addFile(path);
      return;
    }
    // A link that leads back up would never end; one that leads to the same folder twice would double it.
    const real = await realpath(path).catch(() => path);
    if (this.#seen.has(real)) return;
    this.#seen.add(real);
    if (depth > maxDepth) {
      this.problems.push(`${path}:1:1 / folders nested deeper than ${maxDepth}`);
      return;
    }
    let entries: string[];
    try {
      entries = (await readdir(path)).sort();
    } catch (fault) {
      this.problems.push(
        `${path}:1:1 / the folder cannot be read (${(fault as NodeJS.ErrnoException).code ?? 'unknown error'})`,
      );
      return;
    }
    if (entries.some((name) => kustomization.test(name))) {
      this.problems.push(
        `${path}:1:1 / is Kustomize's input, whose patches are no whole objects: give the output of \`kubectl kustomize ${path}\``,
      );
      return;
    }
    for (const name of entries) {
      if (name.startsWith('.')) continue;
      const child = join(path, name);
      if (extensions.test(name)) await this.add(child, depth + 1);
      else if (await isDirectory(child)) await this.add(child, depth + 1);
    }
  }

  #addFile(path: string): void {
    if (this.files.length < maxFiles) this.files.push(path);
    else if (this.files.length === maxFiles) {
      this.files.push(path);
      this.problems.push(`${path}:1:1 / more than ${maxFiles} files`);
    }
  }
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}

function decode(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

function count(words: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}

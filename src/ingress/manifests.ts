import { stat } from 'node:fs';
import { readdir, realpath } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { formatProblem } from '../config/problem.ts';
import { type FilePrint, printOf } from '../config/file-print.ts';
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
  #known: ReadonlyMap<string, KnownFile> = new Map();

  readonly #now: () => number;

  /**
   * @param path As the user gave it: places in messages begin with it.
   * @param now Milliseconds since 1970.
   */
  constructor(path: string, now: () => number = Date.now) {
    this.#path = path;
    this.#now = now;
  }

  /** Never rejects. */
  async read(): Promise<Manifests> {
    const listing = new Listing();
    await listing.add(this.#path, await stamp(this.#path), 0);
    const { problems } = listing;
    const known = new Map<string, KnownFile>();
    const moved = this.#moved(listing.files);
    const documents: ParsedDocument[] = [];
    let total = 0;
    let objects = 0;
    for (const file of listing.files) {
      const read = isUnchanged(file, this.#known.get(file.path))
        ? this.#known.get(file.path)!
        : await readManifest(file, moved, this.#now(), problems);
      if (read === null) continue;
      known.set(file.path, read);
      total += read.size;
      if (total > maxTotalSize) {
        problems.push(
          `${file.path}:1:1 / the manifests are larger than ${maxTotalSize / mebibyte} MiB together`,
        );
        break;
      }
      for (const document of read.documents) {
        objects += document.parsed.objects.length;
        documents.push(document.parsed);
      }
      if (objects > maxObjects) {
        problems.push(`${file.path}:1:1 / more than ${maxObjects} objects`);
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

  /** Documents of files that have changed or gone, by their text. */
  #moved(files: readonly File[]): Map<string, ParsedDocument> {
    const unchanged = new Set(
      files.filter((file) => isUnchanged(file, this.#known.get(file.path))).map(({ path }) => path),
    );
    const moved = new Map<string, ParsedDocument>();
    for (const [path, { documents }] of this.#known) {
      if (unchanged.has(path)) continue;
      for (const { text, parsed } of documents) moved.set(text, parsed);
    }
    return moved;
  }
}

/** A file as it was read. */
interface KnownFile {
  /** Before it was read; empty for one that is to be read again. */
  readonly print: string;
  /** Milliseconds since 1970. */
  readonly readAt: number;
  readonly size: number;
  readonly documents: readonly { readonly text: string; readonly parsed: ParsedDocument }[];
}

interface File {
  readonly path: string;
  /** Null where there is none to be had: reading it tells what is wrong. */
  readonly stamp: Stamp | null;
}

interface Stamp extends FilePrint {
  readonly isFolder: boolean;
}

/** Clocks of file systems are as coarse as this: a later change of the same instant would not show. */
const coarsest = 2000;

function isUnchanged({ stamp }: File, known: KnownFile | undefined): boolean {
  return known !== undefined && stamp?.print === known.print && stamp.changedAt + coarsest < known.readAt;
}

/** Through callbacks: half of what promises cost. */
function stamp(path: string): Promise<Stamp | null> {
  return new Promise((done) => {
    // A path with a NUL is no file name: Node throws.
    if (path.includes('\0')) done(null);
    else
      stat(path, (fault, stats) =>
        done(fault === null ? { ...printOf(stats), isFolder: stats.isDirectory() } : null),
      );
  });
}

/** Null, with the problem told, for a file that cannot be used. */
async function readManifest(
  { path }: File,
  moved: Map<string, ParsedDocument>,
  readAt: number,
  problems: string[],
): Promise<KnownFile | null> {
  const read = await readBounded(resolve(path), maxFileSize);
  if ('fault' in read) {
    if (read.fault !== 'is empty') problems.push(`${path}:1:1 / ${quote(path)} ${read.fault}`);
    return null;
  }
  const text = decode(read.bytes);
  if (text === null) {
    problems.push(`${path}:1:1 / ${quote(path)} is not UTF-8 text`);
    return null;
  }
  const told = problems.length;
  const documents: { text: string; parsed: ParsedDocument }[] = [];
  for (const document of splitDocuments(text)) {
    const before = moved.get(document.text);
    if (before !== undefined) {
      // The same text may stand there twice: each is an object of its own.
      moved.delete(document.text);
      before.place.move(path, document.line);
      documents.push({ text: document.text, parsed: before });
      continue;
    }
    const parsed = parseManifest(path, document);
    if ('syntax' in parsed) problems.push(...parsed.syntax.map(formatProblem));
    else documents.push({ text: document.text, parsed });
  }
  // A file with a mistake is read again, so that it is told of again.
  const print = problems.length > told ? '' : read.print.print;
  return { print, readAt, size: read.bytes.length, documents };
}

/** The files below a path, in the order of their names. */
class Listing {
  readonly files: File[] = [];
  readonly watched: string[] = [];
  readonly problems: string[] = [];
  readonly #seen = new Set<string>();

  async add(path: string, stamped: Stamp | null, depth: number): Promise<void> {
    this.watched.push(path);
    if (stamped?.isFolder !== true) {
      this.#addFile({ path, stamp: stamped });
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
    const names = entries.filter((name) => !name.startsWith('.'));
    for (let at = 0; at < names.length; at += batch) {
      const some = names.slice(at, at + batch).map((name) => join(path, name));
      const stamps = await Promise.all(some.map(stamp));
      for (const [index, child] of some.entries()) {
        const found = stamps[index] ?? null;
        if (extensions.test(child) || found?.isFolder === true) await this.add(child, found, depth + 1);
      }
    }
  }

  #addFile(file: File): void {
    if (this.files.length < maxFiles) this.files.push(file);
    else if (this.files.length === maxFiles) {
      this.files.push(file);
      this.problems.push(`${file.path}:1:1 / more than ${maxFiles} files`);
    }
  }
}

/** Files that are looked at at once. */
const batch = 256;

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

import { resolve } from 'node:path';
import { clockTickMs } from '../config/file-print.ts';
import { formatProblem } from '../config/problem.ts';
import { readBounded } from '../config/read-file.ts';
import { quote } from '../config/text.ts';
import { splitDocuments } from './documents.ts';
import { type ListedFile, ManifestListing } from './manifest-listing.ts';
import type { KubernetesObject } from './object.ts';
import { type Fault, parseManifest, type ParsedDocument } from './parse-manifest.ts';

const mebibyte = 1024 ** 2;

/** One file, and all of them. A cluster of thousands of Ingresses fits into it. */
const maxFileSize = 16 * mebibyte;
const maxTotalSize = 128 * mebibyte;
const maxObjects = 200_000;

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
  readonly #listing: ManifestListing;
  readonly #now: () => number;
  #known: ReadonlyMap<string, KnownFile> = new Map();

  /**
   * @param path As the user gave it: places in messages begin with it.
   * @param now Milliseconds since 1970.
   */
  constructor(path: string, now: () => number = Date.now) {
    this.#listing = new ManifestListing(path, now);
    this.#now = now;
  }

  /** When a file or folder was last looked at, by its absolute path: milliseconds since 1970; null: it was not. */
  lookedAt(path: string): number | null {
    return this.#listing.lookedAt(path);
  }

  /**
   * Never rejects. One at a time.
   *
   * @param changed Absolute paths: everything below the path that has changed since the last reading, so that nothing else need
   * be looked at. Without: not known.
   */
  async read(changed: ReadonlySet<string> | null = null): Promise<Manifests> {
    const listing = await this.#listing.look(changed);
    const problems = [...listing.problems];
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
      watched: listing.watched,
    };
  }

  /** Documents of files that have changed or gone, by their text. */
  #moved(files: readonly ListedFile[]): Map<string, ParsedDocument> {
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

/**
 * Milliseconds that the clock of a file system may stand still: a later change of the same instant would not show. Some count
 * in whole seconds or two of them, and show it; those that count finer go by the system's clock.
 */
function tick(stamp: number): number {
  return stamp % 1000 === 0 ? 2000 : 10 * clockTickMs;
}

function isUnchanged({ stamp }: ListedFile, known: KnownFile | undefined): boolean {
  return (
    known !== undefined &&
    stamp?.print === known.print &&
    stamp.changedAt + tick(stamp.changedAt) < known.readAt
  );
}

/** Null, with the problem told, for a file that cannot be used. */
async function readManifest(
  { path }: ListedFile,
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

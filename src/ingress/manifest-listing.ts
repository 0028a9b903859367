import { stat } from 'node:fs';
import { readdir, realpath } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type FilePrint, printOf } from '../config/file-print.ts';

export const maxFiles = 10_000;
/** Folders within folders. */
const maxDepth = 8;
/** Looked at at once. */
const batch = 256;

const extensions = /\.(?:ya?ml|json)$/i;
const kustomization = /^(?:kustomization\.ya?ml|Kustomization)$/;

/** What the system says of a file or folder. */
interface Stamp extends FilePrint {
  readonly isFolder: boolean;
  /** Tells it from another in its place. */
  readonly inode: string;
}

/** A file of manifests, as it was when it was last looked at. */
export interface ListedFile {
  /** Begins with what the user gave. */
  readonly path: string;
  /** Null where there is none to be had: reading it tells what is wrong. */
  readonly stamp: Stamp | null;
}

interface File {
  readonly path: string;
  stamp: Stamp | null;
  /** Before it was looked at: milliseconds since 1970. */
  lookedAt: number;
}

interface Folder extends File {
  stamp: Stamp;
  /** None of one that stands elsewhere already. */
  entries: ReadonlyMap<string, Node>;
  readonly isRepeat: boolean;
}

type Node = File | Folder;

/** What one look found. */
export interface Listing {
  /** In the order of their names. */
  readonly files: readonly ListedFile[];
  /** Absolute paths of every file and folder that was looked at. */
  readonly watched: readonly string[];
  /** Lines that keep the whole from being used. */
  readonly problems: readonly string[];
}

/**
 * The files below a path, which it remembers: told what has changed, it looks at nothing else. Names that begin with a dot
 * are left out.
 */
export class ManifestListing {
  readonly #path: string;
  readonly #now: () => number;
  #root: Node | null = null;
  #listing: Listing = { files: [], watched: [], problems: [] };
  /** By absolute path. */
  #nodes = new Map<string, Node>();

  constructor(path: string, now: () => number) {
    this.#path = path;
    this.#now = now;
  }

  /** When a file or folder was last looked at, by its absolute path; null: it was not. */
  lookedAt(path: string): number | null {
    return this.#nodes.get(path)?.lookedAt ?? null;
  }

  /**
   * Looks at all files, or at those that have changed and at the names in folders that have. What leads to other folders
   * than before is looked at as a whole again.
   *
   * @param changed Absolute paths: everything that has changed since the last look.
   */
  async look(changed: ReadonlySet<string> | null): Promise<Listing> {
    if (changed === null || !(await this.#update(changed))) await this.#lookAtAll();
    return this.#listing;
  }

  async #lookAtAll(): Promise<void> {
    const walk = new Walk(this.#now());
    this.#root = await walk.node(this.#path, await stampOf(this.#path), 0);
    this.#take(walk.problems);
  }

  /** False: only a look at all of it can tell. */
  async #update(changed: ReadonlySet<string>): Promise<boolean> {
    // A problem may have kept folders from being looked into.
    if (this.#root === null || this.#listing.problems.length > 0) return false;
    const lookedAt = this.#now();
    let isOtherFiles = false;
    for (const absolute of changed) {
      const node = this.#nodes.get(absolute);
      if (node === undefined) return false;
      const stamp = await stampOf(node.path);
      if (isFolder(node)) {
        if (stamp?.inode !== node.stamp.inode) return false;
        if (!node.isRepeat) {
          const entries = await newEntries(node, lookedAt);
          if (entries === null) return false;
          node.entries = entries;
          isOtherFiles = true;
        }
        node.stamp = stamp;
      } else {
        if (stamp?.isFolder === true) return false;
        node.stamp = stamp;
      }
      node.lookedAt = lookedAt;
    }
    if (isOtherFiles) this.#take([]);
    return this.#listing.problems.length === 0;
  }

  #take(problems: string[]): void {
    const files: File[] = [];
    this.#nodes = new Map();
    const add = (node: Node): void => {
      this.#nodes.set(resolve(node.path), node);
      if (isFolder(node)) for (const child of node.entries.values()) add(child);
      else files.push(node);
    };
    if (this.#root !== null) add(this.#root);
    const tooMany = files[maxFiles];
    if (tooMany !== undefined) problems.push(`${tooMany.path}:1:1 / more than ${maxFiles} files`);
    this.#listing = {
      files: files.slice(0, maxFiles),
      watched: [...this.#nodes.keys()],
      problems,
    };
  }
}

/** One look at everything below a path. */
class Walk {
  readonly problems: string[] = [];
  readonly #lookedAt: number;
  readonly #seen = new Set<string>();

  constructor(lookedAt: number) {
    this.#lookedAt = lookedAt;
  }

  async node(path: string, stamp: Stamp | null, depth: number): Promise<Node> {
    const lookedAt = this.#lookedAt;
    if (stamp?.isFolder !== true) return { path, stamp, lookedAt };
    const none = { path, stamp, lookedAt, entries: new Map<string, Node>(), isRepeat: false };
    // A link that leads back up would never end; one that leads to the same folder twice would double it.
    const real = await realpath(path).catch(() => path);
    if (this.#seen.has(real)) return { ...none, isRepeat: true };
    this.#seen.add(real);
    if (depth > maxDepth) {
      this.problems.push(`${path}:1:1 / folders nested deeper than ${maxDepth}`);
      return none;
    }
    const names = await namesIn(path);
    if ('problem' in names) {
      this.problems.push(names.problem);
      return none;
    }
    const entries = new Map<string, Node>();
    for (const [name, found] of await stampsOf(path, names.names)) {
      if (extensions.test(name) || found?.isFolder === true) {
        entries.set(name, await this.node(join(path, name), found, depth + 1));
      }
    }
    return { ...none, entries };
  }
}

/** Those of a folder whose names have changed; null where it is more than files that came or went. */
async function newEntries(
  { path, entries }: Folder,
  lookedAt: number,
): Promise<ReadonlyMap<string, Node> | null> {
  const names = await namesIn(path);
  if ('problem' in names) return null;
  const found = new Map(
    await stampsOf(
      path,
      names.names.filter((name) => !entries.has(name)),
    ),
  );
  const now = new Map<string, Node>();
  for (const name of names.names) {
    const known = entries.get(name);
    const stamp = found.get(name) ?? null;
    if (known !== undefined) now.set(name, known);
    else if (stamp?.isFolder === true) return null;
    else if (extensions.test(name)) now.set(name, { path: join(path, name), stamp, lookedAt });
  }
  for (const [name, node] of entries) if (isFolder(node) && !now.has(name)) return null;
  return now;
}

/** The names in a folder that count, in order; or why it cannot be used. */
async function namesIn(
  path: string,
): Promise<{ readonly names: readonly string[] } | { readonly problem: string }> {
  let entries: string[];
  try {
    entries = (await readdir(path)).sort();
  } catch (fault) {
    const code = (fault as NodeJS.ErrnoException).code ?? 'unknown error';
    return { problem: `${path}:1:1 / the folder cannot be read (${code})` };
  }
  if (entries.some((name) => kustomization.test(name))) {
    return {
      problem: `${path}:1:1 / is Kustomize's input, whose patches are no whole objects: give the output of \`kubectl kustomize ${path}\``,
    };
  }
  return { names: entries.filter((name) => !name.startsWith('.')) };
}

async function stampsOf(
  folder: string,
  names: readonly string[],
): Promise<[name: string, stamp: Stamp | null][]> {
  const stamps: [string, Stamp | null][] = [];
  for (let at = 0; at < names.length; at += batch) {
    stamps.push(
      ...(await Promise.all(
        names
          .slice(at, at + batch)
          .map(async (name): Promise<[string, Stamp | null]> => [name, await stampOf(join(folder, name))]),
      )),
    );
  }
  return stamps;
}

/** Through callbacks: half of what promises cost. */
function stampOf(path: string): Promise<Stamp | null> {
  return new Promise((done) => {
    // A path with a NUL is no file name: Node throws.
    if (path.includes('\0')) done(null);
    else
      stat(path, (fault, stats) =>
        done(
          fault === null
            ? { ...printOf(stats), isFolder: stats.isDirectory(), inode: `${stats.dev} ${stats.ino}` }
            : null,
        ),
      );
  });
}

function isFolder(node: Node): node is Folder {
  return 'entries' in node;
}

import { type FSWatcher, lstat, type Stats, stat as statFile, watch } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Burst } from '../burst.ts';
import { clockTickMs, type FilePrint, printOf } from './file-print.ts';
import { namesLike } from './include.ts';

export interface WatchOptions {
  /** When a file that `files` now names was last read: milliseconds since 1970. Without: when the watch began. */
  readonly readAt?: (path: string) => number;
  /** Absolute paths with `*` in the last part: the names that fit are watched too, but not what is in those files. */
  readonly patterns?: () => readonly string[];
  /** How long nothing must happen until a burst counts as over. Milliseconds. */
  readonly quietMs?: number;
  /** How long a burst that does not end is waited for. */
  readonly longestMs?: number;
  /**
   * How often the files are looked at besides: for file systems that report nothing (NFS, FUSE, some container
   * mounts), and for folders that cannot be watched.
   */
  readonly pollMs?: number;
  /** Takes the place of `fs.watch`, for tests. */
  readonly watchFolder?: (
    folder: string,
    options: { readonly persistent: false },
    onEvent: () => void,
  ) => FSWatcher;
}

/**
 * Calls back when one of the files (absolute paths) has changed: was written, replaced, removed or came back, or when
 * a symbolic link leads elsewhere. `files` is asked anew at every look, since a reload may name others.
 *
 * Watched are folders, not files: a watch on a file holds on to what was there, and goes blind when a rename or a
 * Kubernetes volume's `..data` link puts another in its place. Events only say when to look; whether something has
 * changed is seen from the files themselves, so neighbours in a busy folder cause no reload. A folder that is gone
 * is looked for again. A file half written is reported too: whether it can be used is for the loader to say, and the
 * rest of it is another change. It is told which have changed since it was last called, as they stand in `files`, and patterns.
 */
export function watchFiles(
  files: () => readonly string[],
  onChange: (changed: ReadonlySet<string>) => void,
  options: WatchOptions = {},
): { close(): void } {
  return new FileWatch(files, onChange, options);
}

class FileWatch {
  readonly #files: () => readonly string[];
  readonly #onChange: (changed: ReadonlySet<string>) => void;
  readonly #options: Required<WatchOptions>;
  readonly #watchers = new Map<string, { readonly watcher: FSWatcher; readonly identity: string }>();
  readonly #poll: NodeJS.Timeout;
  #seen: ReadonlyMap<string, FilePrint> = new Map();
  readonly #burst: Burst;
  /** Looks happen one after the other. */
  #looking: Promise<void>;
  #isLooking = true;
  #closed = false;

  constructor(
    files: () => readonly string[],
    onChange: (changed: ReadonlySet<string>) => void,
    options: WatchOptions,
  ) {
    const began = Date.now();
    this.#files = files;
    this.#onChange = onChange;
    this.#options = {
      readAt: () => began,
      patterns: () => [],
      quietMs: 100,
      longestMs: 1000,
      pollMs: 2000,
      watchFolder: watch,
      ...options,
    };
    const { quietMs, longestMs } = this.#options;
    // Something may have happened: look once it has been quiet, or has gone on for too long.
    this.#burst = new Burst(quietMs, longestMs, () => this.#enqueue(true));
    this.#poll = setInterval(() => {
      // A look that hangs, on a dead network file system, is not piled upon.
      if (!this.#isLooking && !this.#burst.isOn) this.#enqueue(false);
    }, this.#options.pollMs);
    this.#poll.unref();
    this.#looking = this.#look(true);
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#poll);
    this.#burst.close();
    for (const folder of this.#watchers.keys()) this.#unwatch(folder);
  }

  #stir(): void {
    if (!this.#closed) this.#burst.stir();
  }

  #enqueue(settled: boolean): void {
    this.#looking = this.#looking.then(() => this.#look(settled));
  }

  /**
   * Compares the files with how they were. Only a settled look takes a change for seen: straight after a write, another
   * could follow within one tick of the clock and leave no trace.
   */
  async #look(settled: boolean): Promise<void> {
    if (this.#closed) return;
    this.#isLooking = true;
    const state = await survey(this.#files(), this.#options.patterns());
    this.#isLooking = false;
    // Closed while it looked.
    if (this.#isClosed()) return;
    const gained = this.#follow(state.folders);
    const changed = this.#changed(state.files);
    if (changed.size > 0 && !settled) {
      this.#stir();
      return;
    }
    this.#seen = state.files;
    if (changed.size > 0) this.#onChange(changed);
    // What happened in a folder between the look and its watch went unseen.
    if (gained) this.#stir();
  }

  #isClosed(): boolean {
    return this.#closed;
  }

  #changed(files: ReadonlyMap<string, FilePrint>): ReadonlySet<string> {
    const { readAt } = this.#options;
    const changed = new Set<string>();
    for (const [path, { print, changedAt }] of files) {
      const before = this.#seen.get(path);
      // A file that is new to the list was read before it came here: has it changed since?
      if (before === undefined ? changedAt > readAt(path) - clockTickMs : before.print !== print)
        changed.add(path);
    }
    return changed;
  }

  /** Watches these folders and no others; true if one was added. */
  #follow(folders: ReadonlyMap<string, string>): boolean {
    let gained = false;
    for (const [folder, { identity }] of this.#watchers) {
      // A watch stays with a folder that was removed, also when another has taken its name.
      if (folders.get(folder) !== identity) this.#unwatch(folder);
    }
    for (const [folder, identity] of folders) {
      if (this.#watchers.has(folder)) continue;
      try {
        const watcher = this.#options.watchFolder(folder, { persistent: false }, () => this.#stir());
        watcher.on('error', () => this.#unwatch(folder));
        this.#watchers.set(folder, { watcher, identity });
        gained = true;
      } catch {
        // Gone already, or the system has no watches left: the polling sees to it.
      }
    }
    return gained;
  }

  #unwatch(folder: string): void {
    this.#watchers.get(folder)?.watcher.close();
    this.#watchers.delete(folder);
  }
}

interface Survey {
  readonly files: ReadonlyMap<string, FilePrint>;
  /** The folders in which the files' names and the files themselves are, each with what tells it from a later one. */
  readonly folders: ReadonlyMap<string, string>;
}

/** Looked at at once. */
const maxLooks = 64;

async function survey(paths: readonly string[], patterns: readonly string[]): Promise<Survey> {
  const files = new Map<string, FilePrint>();
  const folders = new Map<string, string>();
  const identify = async (folder: string): Promise<void> => {
    if (folders.has(folder)) return;
    const identity = await folderIdentity(folder);
    if (identity !== null) folders.set(folder, identity);
  };
  // The files of one folder, of which there may be thousands, lead to one real folder but for symbolic links.
  const realFolders = new Map<string, string>();
  for (const folder of new Set([...paths, ...patterns].map((path) => dirname(path)))) {
    const real = await realpath(folder).catch(() => folder);
    realFolders.set(folder, real);
    await identify(folder);
    await identify(real);
  }
  let next = 0;
  const look = async (): Promise<void> => {
    while (next < paths.length) {
      const path = paths[next++]!;
      const own = await lookAt(lstat, path);
      const isLink = typeof own !== 'string' && own.isSymbolicLink();
      files.set(path, filePrint(isLink ? await lookAt(statFile, path) : own));
      if (isLink) await identify(dirname(await realpath(path).catch(() => path)));
    }
  };
  await Promise.all(Array.from({ length: maxLooks }, look));
  for (const pattern of patterns) {
    const folder = await lookAt(statFile, dirname(pattern));
    const names = await namesLike(pattern);
    // A name holds no slash.
    files.set(pattern, { ...filePrint(folder), print: names === null ? 'none' : names.join('/') });
  }
  return { files, folders };
}

type Look = (path: string, done: (fault: NodeJS.ErrnoException | null, stats: Stats) => void) => void;

/** What the system says of a path, or the code of why it does not. */
function lookAt(look: Look, path: string): Promise<Stats | string> {
  return new Promise((resolve) => {
    // A path with a NUL is no file name: Node throws.
    if (path.includes('\0')) resolve('EINVAL');
    else look(path, (fault, stats) => resolve(fault === null ? stats : (fault.code ?? 'unknown')));
  });
}

function filePrint(stats: Stats | string): FilePrint {
  return typeof stats === 'string' ? { print: stats, changedAt: 0 } : printOf(stats);
}

async function folderIdentity(path: string): Promise<string | null> {
  try {
    // Inode numbers are given out again soon; hence the birth.
    const { dev, ino, birthtimeNs } = await stat(path, { bigint: true });
    return [dev, ino, birthtimeNs].join(' ');
  } catch {
    return null;
  }
}

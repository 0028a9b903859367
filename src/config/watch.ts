import { type FSWatcher, watch } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

export interface WatchOptions {
  /** When what `files` now names was last read: milliseconds since 1970. Without: when the watch began. */
  readonly readAt?: () => number;
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

/** The clock that files are stamped by moves in ticks of up to 10 ms, so a stamp may lie that far back. */
const clockTickMs = 10;

/**
 * Calls back when one of the files (absolute paths) has changed: was written, replaced, removed or came back, or when
 * a symbolic link leads elsewhere. `files` is asked anew at every look, since a reload may name others.
 *
 * Watched are folders, not files: a watch on a file holds on to what was there, and goes blind when a rename or a
 * Kubernetes volume's `..data` link puts another in its place. Events only say when to look; whether something has
 * changed is seen from the files themselves, so neighbours in a busy folder cause no reload. A folder that is gone
 * is looked for again. A file half written is reported too: whether it can be used is for the loader to say, and the
 * rest of it is another change.
 */
export function watchFiles(
  files: () => readonly string[],
  onChange: () => void,
  options: WatchOptions = {},
): { close(): void } {
  return new FileWatch(files, onChange, options);
}

class FileWatch {
  readonly #files: () => readonly string[];
  readonly #onChange: () => void;
  readonly #options: Required<WatchOptions>;
  readonly #watchers = new Map<string, { readonly watcher: FSWatcher; readonly identity: string }>();
  readonly #poll: NodeJS.Timeout;
  #seen: ReadonlyMap<string, FileState> = new Map();
  #quiet: NodeJS.Timeout | null = null;
  /** When the burst began that is being waited out. */
  #burst: number | null = null;
  /** Looks happen one after the other. */
  #looking: Promise<void>;
  #isLooking = true;
  #closed = false;

  constructor(files: () => readonly string[], onChange: () => void, options: WatchOptions) {
    const began = Date.now();
    this.#files = files;
    this.#onChange = onChange;
    this.#options = {
      readAt: () => began,
      quietMs: 100,
      longestMs: 1000,
      pollMs: 2000,
      watchFolder: watch,
      ...options,
    };
    this.#poll = setInterval(() => {
      // A look that hangs, on a dead network file system, is not piled upon.
      if (!this.#isLooking && this.#quiet === null) this.#enqueue(false);
    }, this.#options.pollMs);
    this.#poll.unref();
    this.#looking = this.#look(true);
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#poll);
    if (this.#quiet !== null) clearTimeout(this.#quiet);
    for (const folder of this.#watchers.keys()) this.#unwatch(folder);
  }

  /** Something may have happened: look once it has been quiet, or has gone on for too long. */
  #stir(): void {
    if (this.#closed) return;
    const { quietMs, longestMs } = this.#options;
    const now = performance.now();
    this.#burst ??= now;
    if (this.#quiet !== null) clearTimeout(this.#quiet);
    const wait = Math.max(0, Math.min(quietMs, this.#burst + longestMs - now));
    this.#quiet = setTimeout(() => {
      this.#quiet = null;
      this.#burst = null;
      this.#enqueue(true);
    }, wait);
    this.#quiet.unref();
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
    const state = await survey(this.#files());
    this.#isLooking = false;
    // Closed while it looked.
    if (this.#isClosed()) return;
    const gained = this.#follow(state.folders);
    const changed = this.#hasChanged(state.files);
    if (changed && !settled) {
      this.#stir();
      return;
    }
    this.#seen = state.files;
    if (changed) this.#onChange();
    // What happened in a folder between the look and its watch went unseen.
    if (gained) this.#stir();
  }

  #isClosed(): boolean {
    return this.#closed;
  }

  #hasChanged(files: ReadonlyMap<string, FileState>): boolean {
    const readAt = this.#options.readAt();
    for (const [path, { print, changedAt }] of files) {
      const before = this.#seen.get(path);
      // A file that is new to the list was read before it came here: has it changed since?
      if (before === undefined ? changedAt > readAt - clockTickMs : before.print !== print) return true;
    }
    return false;
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

interface FileState {
  /** Differs where the contents, the mode or the file behind the name may. */
  readonly print: string;
  /** Milliseconds since 1970; 0 where it is not there. */
  readonly changedAt: number;
}

interface Survey {
  readonly files: ReadonlyMap<string, FileState>;
  /** The folders in which the files' names and the files themselves are, each with what tells it from a later one. */
  readonly folders: ReadonlyMap<string, string>;
}

async function survey(paths: readonly string[]): Promise<Survey> {
  const files = new Map<string, FileState>();
  const folders = new Map<string, string>();
  for (const path of paths) {
    files.set(path, await fileState(path));
    const real = await realpath(path).catch(() => path);
    for (const folder of [dirname(path), dirname(real)]) {
      if (folders.has(folder)) continue;
      const identity = await folderIdentity(folder);
      if (identity !== null) folders.set(folder, identity);
    }
  }
  return { files, folders };
}

async function fileState(path: string): Promise<FileState> {
  try {
    const { dev, ino, size, mode, mtimeNs, ctimeNs, ctimeMs } = await stat(path, { bigint: true });
    return { print: [dev, ino, size, mode, mtimeNs, ctimeNs].join(' '), changedAt: Number(ctimeMs) };
  } catch (error) {
    return { print: (error as NodeJS.ErrnoException).code ?? 'unknown', changedAt: 0 };
  }
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

import { rename } from 'node:fs/promises';
import type { AccessLog } from '../access-log.ts';
import { readInventory, writeInventory } from './file.ts';
import type { Inventory } from './inventory.ts';

/** Milliseconds between two writings. */
const writeEveryMs = 60_000;

/** Keeps an inventory in a file across restarts: read once, written now and then, and at the end. */
export class InventoryKeeper {
  readonly #inventory: Inventory;
  readonly #log: Pick<AccessLog, 'program'>;
  #path: string | null = null;
  #timer: NodeJS.Timeout | null = null;
  #working: Promise<void> = Promise.resolve();
  #lastFault = '';
  /** The file was read, or is not there: what it held may be written over. */
  #mayWrite = false;
  #written = '';
  #evictedBefore = 0;

  constructor(inventory: Inventory, log: Pick<AccessLog, 'program'>) {
    this.#inventory = inventory;
    this.#log = log;
  }

  /** Resolves when the file has been read, and everything asked for so far is done. */
  get settled(): Promise<void> {
    return this.#working;
  }

  /** How many were given up, before the last start too. */
  get evicted(): number {
    return this.#evictedBefore + this.#inventory.evicted;
  }

  /** From now on the inventory lives there; null: in memory alone. */
  set path(path: string | null) {
    if (path === this.#path) return;
    this.#path = path;
    this.#mayWrite = false;
    this.#lastFault = '';
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    if (path === null) return;
    this.#enqueue(() => this.#read(path));
    this.#timer = setInterval(() => this.#enqueue(() => this.#write()), writeEveryMs).unref();
  }

  /** Writes what there is and ends. Never rejects. */
  async close(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#enqueue(() => this.#write());
    await this.#working;
    this.#path = null;
  }

  #enqueue(work: () => Promise<void>): void {
    this.#working = this.#working.then(work);
  }

  async #read(path: string): Promise<void> {
    const read = await readInventory(path);
    if (read !== null && 'fault' in read) {
      await this.#setAside(path, read.fault);
      return;
    }
    this.#mayWrite = true;
    if (read === null) return;
    this.#inventory.since = read.since;
    this.#evictedBefore = read.evicted;
    // As it was written, who was seen last stands first: he is to be given up last.
    for (const entry of read.entries.toReversed()) this.#inventory.absorb(entry);
  }

  /** What cannot be moved away is not written over. */
  async #setAside(path: string, fault: string): Promise<void> {
    const aside = `${path}.broken`;
    try {
      await rename(path, aside);
      this.#mayWrite = true;
      this.#log.program('warn', 'the inventory of identities was set aside, and begins anew', {
        file: path,
        detail: fault,
        aside,
      });
    } catch (error) {
      this.#log.program('warn', 'the inventory of identities is kept in memory alone', {
        file: path,
        detail: `${fault}; ${String((error as NodeJS.ErrnoException).code)}`,
      });
    }
  }

  async #write(): Promise<void> {
    const path = this.#path;
    if (path === null || !this.#mayWrite) return;
    const entries = this.#inventory.list();
    const print = `${entries.length} ${entries[0]?.lastSeen} ${entries[0]?.requests} ${this.evicted}`;
    if (print === this.#written) return;
    try {
      await writeInventory(path, { since: this.#inventory.since, evicted: this.evicted, entries });
      this.#written = print;
      this.#lastFault = '';
    } catch (error) {
      const fault = String((error as NodeJS.ErrnoException).code ?? error);
      if (fault === this.#lastFault) return;
      this.#lastFault = fault;
      this.#log.program('warn', 'the inventory of identities cannot be written', {
        file: path,
        detail: fault,
      });
    }
  }
}

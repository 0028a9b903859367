import type { Identity } from '../../tls/identity.ts';
import { countDenial, type Entry, entryOf, useOf } from './entry.ts';

/** Entries looked at before one of them is given up. */
const chances = 8;

/** The windows that expiries are counted for, in days. */
export const windows = [7, 30, 90] as const;
const dayMs = 86_400_000;

/** Of the identities that are kept. */
export interface Expiring {
  readonly kept: number;
  /** How many certificates run out within so many days, for each of `windows`. */
  readonly within: readonly number[];
}

/**
 * Every identity that was seen, bounded. Who was not seen the longest goes first, as near as can be told without
 * moving an entry at every request: what comes up for it and was seen since it was put there gets another turn.
 */
export class Inventory {
  #limit: number;
  #entries = new Map<string, Entry>();
  /** When an entry was put where it stands. */
  readonly #placed = new WeakMap<Entry, number>();
  #evicted = 0;
  #since: number;

  /**
   * @param limit Entries; 0: none.
   * @param since Milliseconds since 1970 from which on everybody was noted.
   */
  constructor(limit: number, since: number) {
    this.#limit = limit;
    this.#since = since;
  }

  get limit(): number {
    return this.#limit;
  }

  set limit(limit: number) {
    this.#limit = limit;
    while (this.#entries.size > limit) this.#giveUpOne();
  }

  get size(): number {
    return this.#entries.size;
  }

  /** How many were given up since the program started: what is kept is not everybody then. */
  get evicted(): number {
    return this.#evicted;
  }

  /** Milliseconds since 1970 from which on everybody was noted. */
  get since(): number {
    return this.#since;
  }

  set since(since: number) {
    this.#since = Math.min(since, this.#since);
  }

  has(entry: Entry): boolean {
    return this.#entries.get(entry.fingerprint) === entry;
  }

  find(fingerprint: string): Entry | null {
    return this.#entries.get(fingerprint) ?? null;
  }

  /** The entry of an identity, made where there is none. Null where none are kept. @param time Milliseconds since 1970. */
  entry(identity: Identity, time: number): Entry | null {
    const known = this.#entries.get(identity.sha256);
    if (known !== undefined) return known;
    if (this.#limit === 0) return null;
    const entry = entryOf(identity, time);
    this.#place(entry);
    return entry;
  }

  /** Adds what another process saw, or a file holds. */
  absorb(more: Entry): void {
    if (this.#limit === 0) return;
    const known = this.#entries.get(more.fingerprint);
    if (known === undefined) {
      this.#place(more);
      return;
    }
    known.firstSeen = Math.min(known.firstSeen, more.firstSeen);
    known.lastSeen = Math.max(known.lastSeen, more.lastSeen);
    known.requests += more.requests;
    known.moreHosts ||= more.moreHosts;
    for (const [reason, times] of more.denials) countDenial(known, reason, times);
    for (const [host, { requests, lastSeen, anchor }] of more.hosts) {
      const use = useOf(known, host, lastSeen);
      if (use === null) continue;
      use.requests += requests;
      if (lastSeen >= use.lastSeen) {
        use.lastSeen = lastSeen;
        use.anchor = anchor ?? use.anchor;
      }
    }
  }

  /** Those that fit, the one that was seen last first. */
  list(fits: (entry: Entry) => boolean = () => true): Entry[] {
    return [...this.#entries.values()].filter(fits).sort((one, two) => two.lastSeen - one.lastSeen);
  }

  /**
   * Certificates that run out soon and were not followed by another of the same subject and issuer that lasts longer.
   * @param now Milliseconds since 1970.
   */
  expiring(now: number): Expiring {
    const longest = new Map<string, number>();
    const nameOf = ({ subject, issuer }: Entry): string => `${subject}\n${issuer}`;
    for (const entry of this.#entries.values()) {
      const name = nameOf(entry);
      longest.set(name, Math.max(longest.get(name) ?? -Infinity, entry.notAfter));
    }
    const within = windows.map(() => 0);
    for (const entry of this.#entries.values()) {
      if (entry.notAfter <= now || longest.get(nameOf(entry)) !== entry.notAfter) continue;
      for (const [index, days] of windows.entries()) {
        if (entry.notAfter <= now + days * dayMs) within[index]!++;
      }
    }
    return { kept: this.#entries.size, within };
  }

  #place(entry: Entry): void {
    if (this.#entries.size >= this.#limit) this.#giveUpOne();
    this.#entries.set(entry.fingerprint, entry);
    this.#placed.set(entry, entry.lastSeen);
  }

  #giveUpOne(): void {
    let turns = 0;
    for (const [fingerprint, entry] of this.#entries) {
      this.#entries.delete(fingerprint);
      if (++turns > chances || this.#placed.get(entry) === entry.lastSeen) break;
      // Seen since: it goes to the end.
      this.#entries.set(fingerprint, entry);
      this.#placed.set(entry, entry.lastSeen);
    }
    this.#evicted++;
  }
}

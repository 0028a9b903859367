import { isDenial } from '../../snapshot/reason.ts';
import type { Observer, RequestEvent } from '../observer.ts';
import { anchorOf, countDenial, type Entry, type HostUse, provenUnder, useOf } from './entry.ts';
import type { Inventory } from './inventory.ts';

/** What was found for a connection: its requests look nothing up. Changed in place; nothing is decided by it. */
export interface Noted {
  entry: Entry;
  hostId: string | null;
  use: HostUse | null;
}

/**
 * Notes who sends requests. Only a certificate that was proven makes an entry, so that nobody can push the known ones
 * out with certificates of his own making; what is only claimed counts for an entry that is there.
 */
export class IdentityRecorder implements Observer {
  readonly #inventory: Inventory;
  readonly #now: () => number;
  readonly #changed: ((entry: Entry) => void) | null;

  /**
   * @param now Milliseconds since 1970.
   * @param changed Hears of each entry that was counted for, where somebody collects them.
   */
  constructor(
    inventory: Inventory,
    now: () => number = Date.now,
    changed: ((entry: Entry) => void) | null = null,
  ) {
    this.#inventory = inventory;
    this.#now = now;
    this.#changed = changed;
  }

  request(event: RequestEvent): void {
    const { connection, decision, reason } = event;
    if (connection.identity === null) return;
    const time = this.#now();
    const notes = connection.notes;
    let noted = notes?.identity ?? null;
    if (noted === null || !this.#inventory.has(noted.entry)) {
      noted = this.#note(event, time);
      if (noted === null) return;
      if (notes !== undefined) notes.identity = noted;
    }
    const { entry } = noted;
    const host = decision.host;
    if (host !== null && host.id !== noted.hostId) {
      noted.hostId = host.id;
      noted.use = useOf(entry, host.id, time);
      if (noted.use !== null) {
        const proven = provenUnder(connection, host.clientAuth.trust?.key ?? null);
        const anchor = proven === null ? null : anchorOf(proven);
        if (anchor !== null) noted.use.anchor = anchor;
      }
    }
    entry.requests++;
    entry.lastSeen = time;
    if (noted.use !== null) {
      noted.use.requests++;
      noted.use.lastSeen = time;
    }
    if (reason !== 'ok' && isDenial(reason)) countDenial(entry, reason);
    this.#changed?.(entry);
  }

  #note({ connection }: RequestEvent, time: number): Noted | null {
    const identity = connection.identity!;
    const entry =
      provenUnder(connection, null) === null
        ? this.#inventory.find(identity.sha256)
        : this.#inventory.entry(identity, time);
    return entry === null ? null : { entry, hostId: null, use: null };
  }

  handshake(): void {}
  connectionOpened(): void {}
  connectionClosed(): void {}
  connectionRefused(): void {}
  connectionEnded(): void {}
  ocsp(): void {}
  staple(): void {}
  upstream(): void {}
  reload(): void {}
}

import { maxDurationMs } from '../../config/units.ts';
import type { StapleEvent } from '../../observe/observer.ts';
import type { Host, Snapshot } from '../../snapshot/snapshot.ts';
import { demandsStaple, Staple } from './staple.ts';
import type { OcspTransport } from './transport.ts';

/** Responders asked at once: there may be thousands of hosts, of one CA. */
const maxAsking = 16;

interface Entry {
  readonly host: Host;
  readonly staple: Staple;
  timer: NodeJS.Timeout | null;
  /** What was told last: the same is told once. */
  told: string | null;
}

/** What the rest has to be given. */
export interface StaplesDeps {
  readonly transport: Pick<OcspTransport, 'ask'>;
  readonly tell: (event: StapleEvent) => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/**
 * What is stapled to the certificates of the hosts (RFC 6066 §8, RFC 8446 §4.4.2.1). Kept fresh in the background: a
 * handshake takes what is there, and waits for nobody.
 */
export class Staples {
  readonly #deps: StaplesDeps;
  #entries: ReadonlyMap<string, Entry> = new Map();
  readonly #demanded = new WeakSet<Host['certificate']>();
  readonly #waiting: Entry[] = [];
  #asking = 0;

  constructor(deps: StaplesDeps) {
    this.#deps = deps;
  }

  /** What to staple for a host now; null: nothing. */
  of(hostId: string): Buffer | null {
    return this.#entries.get(hostId)?.staple.response(this.#deps.now()) ?? null;
  }

  /** Takes over the hosts of a snapshot that now serves. What is held for those that are unchanged is kept. */
  update({ hosts }: Pick<Snapshot, 'hosts'>): void {
    const entries = new Map<string, Entry>();
    for (const host of hosts.all) {
      const before = this.#entries.get(host.id);
      if (before !== undefined && sameSource(before.host, host)) {
        entries.set(host.id, before);
      } else if (host.stapling !== null) {
        const staple = new Staple(host.certificate, host.stapling);
        const entry: Entry = { host, staple, timer: null, told: null };
        entries.set(host.id, entry);
        this.#enqueue(entry);
      } else this.#warnOfDemand(host);
    }
    const kept = new Set(entries.values());
    for (const entry of this.#entries.values()) if (!kept.has(entry)) stop(entry);
    this.#entries = entries;
    this.#next();
  }

  /** Nothing is renewed any more. */
  close(): void {
    for (const entry of this.#entries.values()) stop(entry);
    this.#entries = new Map();
    this.#waiting.length = 0;
  }

  #enqueue(entry: Entry): void {
    this.#waiting.push(entry);
  }

  #next(): void {
    while (this.#asking < maxAsking) {
      const entry = this.#waiting.shift();
      if (entry === undefined) return;
      // Its host may have left while it waited.
      if (this.#entries.get(entry.host.id) === entry) void this.#renew(entry);
    }
  }

  async #renew(entry: Entry): Promise<void> {
    const { transport, now } = this.#deps;
    this.#asking++;
    const detail = await entry.staple.renew(transport, now);
    this.#asking--;
    if (this.#entries.get(entry.host.id) === entry) {
      this.#report(entry, detail);
      const { wakeAt } = entry.staple;
      if (wakeAt !== Infinity) {
        const ms = Math.min(Math.max(wakeAt - now(), 1), maxDurationMs);
        entry.timer = setTimeout(() => {
          this.#enqueue(entry);
          this.#next();
        }, ms).unref();
      }
    }
    this.#next();
  }

  #report(entry: Entry, detail: string | null): void {
    const { host, staple } = entry;
    const nextUpdate = staple.until;
    const words = nextUpdate === null && staple.isDemanded ? `${detail ?? ''}; ${demand}` : detail;
    const told = `${nextUpdate} ${words}`;
    if (told === entry.told) return;
    entry.told = told;
    this.#deps.tell({ host: host.id, nextUpdate, detail: words });
  }

  #warnOfDemand(host: Host): void {
    if (this.#demanded.has(host.certificate)) return;
    this.#demanded.add(host.certificate);
    if (!demandsStaple(host.certificate.cert)) return;
    this.#deps.tell({ host: host.id, nextUpdate: null, detail: `certificate.stapling is off; ${demand}` });
  }
}

const demand = 'the certificate demands a staple (must-staple), and clients may refuse it without';

function stop({ timer }: Entry): void {
  if (timer !== null) clearTimeout(timer);
}

function sameSource(one: Host, other: Host): boolean {
  if (one === other) return true;
  return (
    one.certificate.cert === other.certificate.cert &&
    JSON.stringify(one.stapling) === JSON.stringify(other.stapling)
  );
}

import { hkdfSync, randomBytes } from 'node:crypto';

/** What all ticket keys of a period come from: plain data, for another process. */
export interface TicketState {
  /** 32 random bytes. */
  readonly secret: Uint8Array;
  /** How often the key of a name was renewed within the period, where it was. */
  readonly renewals: ReadonlyMap<string, number>;
}

/** Renewals remembered; past them all keys are replaced, which forgets them. */
const maxRenewals = 4096;

/** Milliseconds for which a ticket key serves. Node knows one key at a time: its tickets end with it. */
export const ticketKeyPeriod = 3_600_000;

/**
 * The ticket keys of all hosts, derived from one secret (HKDF, RFC 5869), so that processes that have the secret in
 * common have every key in common, and neither a key nor a name says anything of another. Each period has a secret
 * of its own, which is nowhere but in memory.
 */
export class TicketKeys {
  #secret: Uint8Array = randomBytes(32);
  #renewals = new Map<string, number>();
  #version = 0;
  readonly #onRenew: ((name: string, renewals: number) => void) | null;

  /** @param onRenew Hears of each renewal here, to have it everywhere. */
  constructor(onRenew: ((name: string, renewals: number) => void) | null = null) {
    this.#onRenew = onRenew;
  }

  /** Another number whenever a key may have changed. */
  get version(): number {
    return this.#version;
  }

  /** Whether the keys are another process's, which replaces them when their period ends. */
  get common(): boolean {
    return this.#onRenew !== null;
  }

  get state(): TicketState {
    return { secret: this.#secret, renewals: new Map(this.#renewals) };
  }

  /** 48 bytes, as Node's `ticketKeys` are. */
  key(name: string): Buffer {
    const info = `mtls-ingress tickets ${this.#renewals.get(name) ?? 0} ${name}`;
    return Buffer.from(hkdfSync('sha256', this.#secret, '', info, 48));
  }

  /** Replaces every key: a new period. */
  replaceAll(): void {
    this.#secret = randomBytes(32);
    this.#renewals.clear();
    this.#version++;
  }

  /** Makes all tickets worthless that were given out under a name. */
  renew(name: string): void {
    const renewals = (this.#renewals.get(name) ?? 0) + 1;
    this.raise(name, renewals);
    this.#onRenew?.(name, renewals);
  }

  /** Takes over a renewal from elsewhere; of two at once, one is enough. */
  raise(name: string, renewals: number): void {
    if (renewals <= (this.#renewals.get(name) ?? 0)) return;
    if (this.#renewals.size >= maxRenewals && !this.#renewals.has(name)) {
      this.replaceAll();
      return;
    }
    this.#renewals.set(name, renewals);
    this.#version++;
  }

  /** Takes over the keys of another process. Of the same secret, no renewal is taken back. */
  install({ secret, renewals }: TicketState): void {
    const same = Buffer.from(this.#secret).equals(secret);
    const own = same ? this.#renewals : new Map<string, number>();
    this.#secret = Uint8Array.from(secret);
    this.#renewals = new Map(renewals);
    for (const [name, count] of own) {
      if (count > (this.#renewals.get(name) ?? 0)) this.#renewals.set(name, count);
    }
    this.#version++;
  }
}

import type { X509Certificate } from 'node:crypto';
import type { SecureContext } from 'node:tls';
import type { Trust } from '../snapshot/snapshot.ts';
import { judgingContext } from './certificate-judge.ts';
import { TrustStore } from './trust-store.ts';

/** A trust store made ready for verifying against it alone. */
export class LoadedStore {
  readonly trust: Trust;
  readonly certificates: TrustStore;
  #context: SecureContext | null = null;

  /** @throws Error where there is no certificate, or one does not parse. */
  constructor(trust: Trust) {
    this.trust = trust;
    this.certificates = new TrustStore(trust.ca);
  }

  /**
   * Made when it is first asked for: a host with a single trust store needs none.
   * @throws Error where OpenSSL does not take the material.
   */
  get context(): SecureContext {
    // One by one, as the host's own settings have them: Node takes a `ca` that does not parse without a word.
    const ca = this.certificates.certificates.map(String);
    this.#context ??= judgingContext({ ca, crl: null });
    return this.#context;
  }

  /** When the first of its certificates ends that has not ended yet, in milliseconds since 1970; or Infinity. */
  firstEndAfter(now: number): number {
    return firstEndAfter(now, this.certificates.certificates);
  }
}

/** When the first of the certificates ends that has not ended yet, in milliseconds since 1970; or Infinity. */
export function firstEndAfter(now: number, certificates: readonly X509Certificate[]): number {
  const ends = certificates.map(({ validToDate }) => validToDate.getTime());
  return Math.min(Infinity, ...ends.filter((end) => end >= now));
}

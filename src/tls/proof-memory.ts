import { X509Certificate } from 'node:crypto';
import type { CrlIssuer } from './crl-issuer.ts';
import type { RevocableCertificate } from './revocation.ts';
import type { VerdictFailed } from './verdict.ts';

/** Leaves remembered; an entry takes some 400 bytes. */
const defaultLimit = 16_384;

/** Issuers of which there is one object for all proofs; others have one for each. */
const maxIssuers = 1024;

/** What is remembered of a chain that was proven. */
export interface RememberedProof {
  /** Milliseconds since 1970: `ChainProof.validUntil`. */
  readonly validUntil: number;
  /** Of the client's certificate; null where nothing will be asked about it. */
  readonly issuer: X509Certificate | null;
  /** `ChainProof.chain`. */
  readonly chain: readonly RevocableCertificate[];
}

/** A proof as plain data. */
export interface SharedProof {
  /** Milliseconds since 1970. */
  readonly validUntil: number;
  /** DER in base64. */
  readonly issuer: string | null;
  readonly chain: readonly RevocableCertificate[];
}

/** Proofs that several processes have in common. */
export interface ProofShare {
  tell(key: string, proof: SharedProof): void;
  /** What another process proved; null: nothing is known, or not in time. Never rejects. */
  ask(key: string): Promise<SharedProof | null>;
}

/** Milliseconds for which a failure is remembered: as long as a session can be resumed (host-servers.ts). */
const failurePeriod = 600_000;

/** Milliseconds for which a failure spares another look at the same chain: a certificate may become valid. */
const recentPeriod = 60_000;

interface Failure {
  readonly verdict: VerdictFailed;
  /** SHA-256 over all that the client sent. */
  readonly sent: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/**
 * Remembers which certificates were proven under which trust store, and until when: a resumed session shows no
 * chain, and following one costs more than all else that is done with a handshake. Bounded: the entry that was
 * not asked for the longest goes first.
 */
export class ProofMemory {
  readonly #limit: number;
  readonly #failures = new Map<string, Failure>();
  readonly #share: ProofShare | null;
  readonly #entries = new Map<string, RememberedProof>();
  readonly #issuers = new Map<string, X509Certificate>();
  readonly #crlIssuers = new Map<string, CrlIssuer>();

  constructor(limit: number = defaultLimit, share: ProofShare | null = null) {
    this.#limit = limit;
    this.#share = share;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Other processes may know what this one does not. */
  get shared(): boolean {
    return this.#share !== null;
  }

  /**
   * @param trustKey `ClientAuth.key`.
   * @param fingerprint SHA-256 of the certificate.
   * @returns The proof as it is kept: what is the same in many is one object.
   */
  remember(trustKey: string, fingerprint: string, proof: RememberedProof): RememberedProof {
    const key = `${trustKey} ${fingerprint}`;
    const { validUntil, issuer, chain } = proof;
    this.#share?.tell(key, {
      validUntil,
      issuer: issuer === null ? null : issuer.raw.toString('base64'),
      chain,
    });
    return this.#keep(key, proof);
  }

  /**
   * Asks the other processes for a proof that is not here, if there are any; null: there is nothing to ask. Resolves
   * when it is here, or no hope is left. Never rejects.
   */
  fetch(trustKey: string, fingerprint: string): Promise<void> | null {
    const key = `${trustKey} ${fingerprint}`;
    if (this.#share === null || this.#entries.has(key)) return null;
    return this.#share.ask(key).then((proof) => {
      if (proof === null || this.#entries.has(key)) return;
      const issuer = proof.issuer === null ? null : readIssuer(proof.issuer);
      this.#keep(key, {
        validUntil: proof.validUntil,
        issuer,
        chain: proof.chain,
      });
    });
  }

  /** Thousands of clients have one issuer. */
  #common(issuer: X509Certificate): X509Certificate {
    const known = this.#issuers.get(issuer.fingerprint256);
    if (known !== undefined) return known;
    if (this.#issuers.size >= maxIssuers) this.#issuers.clear();
    this.#issuers.set(issuer.fingerprint256, issuer);
    return issuer;
  }

  /** The same CA comes anew with every chain. */
  #commonCrlIssuer(issuer: CrlIssuer): CrlIssuer {
    const { key, name, keyId, signsCrls } = issuer;
    const id = JSON.stringify([key, name, keyId, signsCrls]);
    const known = this.#crlIssuers.get(id);
    if (known !== undefined) return known;
    if (this.#crlIssuers.size >= maxIssuers) this.#crlIssuers.clear();
    this.#crlIssuers.set(id, issuer);
    return issuer;
  }

  #keep(key: string, { validUntil, issuer, chain }: RememberedProof): RememberedProof {
    const proof: RememberedProof = Object.freeze({
      validUntil,
      issuer: issuer === null ? null : this.#common(issuer),
      chain: Object.freeze(
        chain.map((one) => Object.freeze({ ...one, issuer: this.#commonCrlIssuer(one.issuer) })),
      ),
    });
    this.#entries.delete(key);
    if (this.#entries.size >= this.#limit) {
      for (const oldest of this.#entries.keys()) {
        this.#entries.delete(oldest);
        break;
      }
    }
    this.#entries.set(key, proof);
    return proof;
  }

  /** How the certificate was proven under this trust store; null where it was not, or its proof no longer holds. */
  recall(trustKey: string, fingerprint: string, now: number): RememberedProof | null {
    const key = `${trustKey} ${fingerprint}`;
    const proof = this.#entries.get(key);
    if (proof === undefined) return null;
    this.#entries.delete(key);
    if (now > proof.validUntil) return null;
    this.#entries.set(key, proof);
    return proof;
  }

  /** @param sent SHA-256 over all that the client sent. */
  rememberFailure(
    trustKey: string,
    fingerprint: string,
    sent: string,
    verdict: VerdictFailed,
    now: number,
  ): void {
    const key = `${trustKey} ${fingerprint}`;
    this.#failures.delete(key);
    if (this.#failures.size >= this.#limit) {
      for (const oldest of this.#failures.keys()) {
        this.#failures.delete(oldest);
        break;
      }
    }
    this.#failures.set(key, { verdict, sent, at: now });
  }

  /**
   * How a certificate failed under this trust store. With `sent` only where the same certificates came along, a minute
   * ago at most: others might bring the chain that was missing. With null, for a resumed session, however it failed
   * the last time.
   */
  recallFailure(
    trustKey: string,
    fingerprint: string,
    sent: string | null,
    now: number,
  ): VerdictFailed | null {
    const failure = this.#failures.get(`${trustKey} ${fingerprint}`);
    if (failure === undefined || now > failure.at + failurePeriod) return null;
    if (sent !== null && (failure.sent !== sent || now > failure.at + recentPeriod)) return null;
    return failure.verdict;
  }
}

/** Null where it is none; the proof does then for what needs no issuer. */
function readIssuer(base64: string): X509Certificate | null {
  try {
    return new X509Certificate(Buffer.from(base64, 'base64'));
  } catch {
    return null;
  }
}

import type { SharedProof } from '../tls/proof-memory.ts';

/** Proofs kept, as many as a worker process keeps; with the certificate of the issuer some kilobyte each. */
const maxProofs = 16_384;

/** Milliseconds that a question waits for a proof on its way: its client may be quicker at another worker. */
const patience = 100;

/** Questions that wait at once. Past it they are answered at once: no. */
const maxWaiting = 1024;

type Answer = (proof: SharedProof | null) => void;

/**
 * The supervisor's memory of which certificates its workers have proven, and until when. So a session that one of
 * them began can be judged by another, and by the successor of one that fell. Bounded.
 */
export class CommonProofs {
  readonly #proofs = new Map<string, SharedProof>();
  readonly #waiting = new Map<string, Set<Answer>>();
  #waitingCount = 0;

  learn(key: string, proof: SharedProof): void {
    this.#proofs.delete(key);
    if (this.#proofs.size >= maxProofs) {
      for (const oldest of this.#proofs.keys()) {
        this.#proofs.delete(oldest);
        break;
      }
    }
    this.#proofs.set(key, proof);
    for (const answer of this.#waiting.get(key) ?? []) answer(proof);
  }

  /** Answers once: now, when the proof comes, or with null when it has not come in time. */
  ask(key: string, answer: Answer): void {
    const known = this.#proofs.get(key);
    if (known !== undefined) {
      this.#proofs.delete(key);
      this.#proofs.set(key, known);
      answer(known);
      return;
    }
    if (this.#waitingCount >= maxWaiting) {
      answer(null);
      return;
    }
    const waiting = this.#waiting.get(key) ?? new Set();
    this.#waiting.set(key, waiting);
    this.#waitingCount++;
    const settle: Answer = (proof) => {
      clearTimeout(timer);
      if (!waiting.delete(settle)) return;
      this.#waitingCount--;
      if (waiting.size === 0) this.#waiting.delete(key);
      answer(proof);
    };
    const timer = setTimeout(settle, patience, null);
    waiting.add(settle);
  }
}

import type { ProofShare, SharedProof } from '../tls/proof-memory.ts';
import type { FromWorker } from './messages.ts';

/** Milliseconds that a resumed handshake waits for what another process may know of its certificate. */
const patience = 250;

/** A worker's side of the proofs that all processes have in common: its supervisor keeps them. */
export class AskedProofs implements ProofShare {
  readonly #send: (message: FromWorker) => boolean;
  readonly #waiting = new Map<number, (proof: SharedProof | null) => void>();
  #id = 0;

  constructor(send: (message: FromWorker) => boolean) {
    this.#send = send;
  }

  tell(key: string, proof: SharedProof): void {
    this.#send({ type: 'learned', key, proof });
  }

  /** Asks the supervisor. Null: it does not know, or not in time. As many wait as there are handshakes in flight. */
  ask(key: string): Promise<SharedProof | null> {
    const id = ++this.#id;
    if (!this.#send({ type: 'ask', id, key })) return Promise.resolve(null);
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.answer(id, null), patience);
      this.#waiting.set(id, (proof) => {
        clearTimeout(timer);
        this.#waiting.delete(id);
        resolve(proof);
      });
    });
  }

  answer(id: number, proof: SharedProof | null): void {
    this.#waiting.get(id)?.(proof);
  }
}

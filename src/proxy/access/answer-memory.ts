import type { AuthAnswer } from './external-auth.ts';

/** Answers remembered, over all routes; the one that was not asked for the longest is forgotten first. */
const maxAnswers = 8192;

type Answer = Extract<AuthAnswer, { kind: 'answer' }>;

/** Remembers what external services said of requests: auth-cache-key and auth-cache-duration. */
export class AnswerMemory {
  readonly #now: () => number;
  readonly #answers = new Map<string, { readonly answer: Answer; readonly until: number }>();

  /** @param now Milliseconds of a clock that never goes back. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  get size(): number {
    return this.#answers.size;
  }

  find(key: string): Answer | null {
    const found = this.#answers.get(key);
    if (found === undefined) return null;
    this.#answers.delete(key);
    if (this.#now() >= found.until) return null;
    this.#answers.set(key, found);
    return found.answer;
  }

  /** Cookies are one client's own and are not kept. */
  remember(key: string, answer: Answer, forMs: number): void {
    if (this.#answers.size >= maxAnswers) {
      for (const oldest of this.#answers.keys()) {
        this.#answers.delete(oldest);
        break;
      }
    }
    this.#answers.set(key, { answer: { ...answer, cookies: [] }, until: this.#now() + forMs });
  }
}

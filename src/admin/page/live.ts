import { type AnswerStream, eventOf, events, type StreamedAnswer } from '../answer.ts';
import type { PageFacts } from './facts.ts';
import { sections } from './page.ts';

/** Milliseconds between looks, as long as someone does. */
const everyMs = 1000;

/**
 * Keeps the pages that are open up to date: looks once for all of them, and sends each what has changed. While nobody has
 * the page open nothing runs.
 */
export class LivePage {
  readonly #facts: () => Promise<PageFacts>;
  /** What each was sent last, by section. */
  readonly #readers = new Map<AnswerStream, Map<string, string>>();
  #timer: NodeJS.Timeout | null = null;
  #looking = false;

  constructor(facts: () => Promise<PageFacts>) {
    this.#facts = facts;
  }

  /** The events of one open page. */
  follow(): StreamedAnswer {
    return events((stream) => {
      this.#readers.set(stream, new Map());
      stream.ended.addEventListener('abort', () => {
        this.#readers.delete(stream);
        if (this.#readers.size > 0 || this.#timer === null) return;
        clearInterval(this.#timer);
        this.#timer = null;
      });
      this.#timer ??= setInterval(() => void this.#look(), everyMs);
      void this.#look();
    });
  }

  /** One look at a time: where it takes longer than its interval, those between are left out. */
  async #look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      const facts = await this.#facts();
      const rendered = Object.entries(sections).map(([id, render]) => [id, render(facts).text] as const);
      for (const [stream, sent] of this.#readers) {
        let text = '';
        for (const [id, html] of rendered) {
          if (sent.get(id) === html) continue;
          sent.set(id, html);
          text += eventOf('section', { id, html });
        }
        stream.write(text);
      }
    } catch {
      // What cannot be told now is told by the next look.
    } finally {
      this.#looking = false;
    }
  }
}

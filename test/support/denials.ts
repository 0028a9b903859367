import { once } from 'node:events';
import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import type { KeptDenial } from '../../src/observe/denials/ring.ts';

/** Follows the denials of a proxy: those that there are, and those to come. */
export class DenialStream {
  readonly #request: ClientRequest;
  readonly #denials: KeptDenial[] = [];
  #wake: (() => void) | null = null;
  #rest = '';

  private constructor(sent: ClientRequest, response: IncomingMessage) {
    this.#request = sent;
    response.setEncoding('utf8').on('data', (text: string) => this.#take(text));
    response.on('error', () => {});
  }

  static async open(adminPort: number, query = ''): Promise<DenialStream> {
    const path = `/denials?follow${query === '' ? '' : `&${query}`}`;
    const sent = request({ host: '127.0.0.1', port: adminPort, path, agent: false });
    sent.end();
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    return new DenialStream(sent, response);
  }

  /** The next that fits; those before it are passed over. */
  async next(fits: (denial: KeptDenial) => boolean = () => true): Promise<KeptDenial> {
    for (;;) {
      for (let one = this.#denials.shift(); one !== undefined; one = this.#denials.shift()) {
        if (fits(one)) return one;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  close(): void {
    this.#request.destroy();
  }

  #take(text: string): void {
    const events = `${this.#rest}${text}`.split('\n\n');
    this.#rest = events.pop()!;
    for (const event of events) {
      const data = /^event: denial\ndata: (.*)$/m.exec(event)?.[1];
      if (data !== undefined) this.#denials.push(JSON.parse(data) as KeptDenial);
    }
    this.#wake?.();
  }
}

export interface DenialPage {
  readonly recorded: number;
  readonly kept: number;
  readonly denials: readonly KeptDenial[];
}

/** What `GET /denials` answers. */
export async function denialsOf(adminPort: number, query = ''): Promise<DenialPage> {
  const response = await fetch(`http://127.0.0.1:${adminPort}/denials?${query}`);
  return (await response.json()) as DenialPage;
}

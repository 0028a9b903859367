import { BadQuery, type DenialQuery, readDenialQuery } from '../observe/denials/filter.ts';
import type { Denials, KeptDenial } from '../observe/denials/ring.ts';
import { type Answer, eventOf, events, json } from './answer.ts';
import { BadCall, type Call } from './endpoint.ts';

/** Who is turned away: the last of them, and on request each that is still to come. */
export function answerDenials(denials: Denials, { query }: Call, now: number = Date.now()): Answer {
  const asked = queryOf(query, now);
  if (asked.follow) return follow(denials, asked);
  const { recorded, kept } = denials;
  return json(200, { recorded, kept, denials: denials.find(asked.fits, asked.limit) });
}

function queryOf(query: URLSearchParams, now: number): DenialQuery {
  try {
    return readDenialQuery(query, now);
  } catch (error) {
    if (error instanceof BadQuery) throw new BadCall(error.message);
    throw error;
  }
}

/**
 * Server-sent events: `denial` for each, first those that are there, the oldest first. A reader that falls behind is told
 * so by `dropped`, behind what it has yet to read, and let go of; it may come again with `since`.
 */
function follow(denials: Denials, { fits, limit }: DenialQuery): Answer {
  return events((stream) => {
    const write = (denial: KeptDenial): boolean =>
      stream.write(`id: ${denial.seq}\n${eventOf('denial', denial)}`);
    const earlier = denials.find(fits, limit).reverse();
    const keepsUp = earlier.every(write);
    const unsubscribe = denials.subscribe((denial) => {
      if (!fits(denial) || write(denial)) return;
      drop(denial.time);
    });
    const drop = (from: string): void => {
      unsubscribe();
      stream.write(eventOf('dropped', { reason: 'you read too slowly', since: from }));
      stream.end();
    };
    stream.ended.addEventListener('abort', unsubscribe);
    if (!keepsUp) drop(earlier.at(-1)?.time ?? '');
  });
}

import { IncomingMessage } from 'node:http';
import type { Exchange } from './exchange.ts';
import type { Judgement } from './judgement.ts';

/**
 * A request and what the lane knows of it. Kept on the request itself: in weak maps, what is long over lived
 * until the next full collection, and the scavenger had it all to copy.
 */
export class LaneRequest extends IncomingMessage {
  exchange: Exchange | null = null;
  /** Of an upgrade that was decided on while its head was parsed. */
  judgement: Judgement | null = null;
  /** An upgrade that is served as an ordinary request. */
  declined = false;
}

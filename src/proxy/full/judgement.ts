import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Connection } from '../../snapshot/connection.ts';
import { respond } from '../../snapshot/respond.ts';
import type { Decision } from '../../snapshot/decision.ts';
import type { RefusalReason } from '../../snapshot/reason.ts';
import type { RequestHead } from '../../snapshot/request-head.ts';
import type { Snapshot } from '../../snapshot/snapshot.ts';
import { chooseRequestId, clientRequestId } from '../headers/request-id.ts';
import type { Framing } from '../request-head.ts';
import { readWholeHead } from '../whole-head.ts';
import type { Lane } from './lane.ts';

/** Everything that is settled about a request before it is acted on. Made once per request. */
export interface Judgement {
  readonly snapshot: Snapshot;
  readonly requestId: string;
  /** Null where the head itself was refused. */
  readonly head: RequestHead | null;
  readonly framing: Framing;
  readonly decision: Decision;
}

/**
 * Checks a head and decides on it, against the snapshot of this moment. Never throws: whatever goes wrong
 * inside is a refusal with the reason `internal`.
 *
 * @param target As the client sent it: what the router made of the request's url is not to be believed.
 */
export function judge(
  lane: Lane,
  connection: Connection,
  request: IncomingMessage,
  target: string,
): Judgement {
  const snapshot = lane.snapshot();
  const requestId = chooseRequestId(clientRequestId(request.rawHeaders), generateRequestId());
  const refuse = (reason: RefusalReason, detail: string | null): Judgement => ({
    snapshot,
    requestId,
    head: null,
    framing: { kind: 'none' },
    decision: respond(reason, null, null, detail),
  });
  try {
    const read = readWholeHead(snapshot, connection.remoteAddress, {
      method: request.method ?? '',
      target,
      httpVersion: request.httpVersion,
      rawHeaders: request.rawHeaders,
    });
    if (!read.ok) return refuse(read.reason, read.detail);
    const { head, framing } = read;
    const decision = lane.decide(snapshot, connection, head, lane.now());
    return { snapshot, requestId, head, framing, decision };
  } catch (error) {
    return refuse('internal', error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
}

/** Random bytes are drawn for many ids at once: one at a time, a draw was 5 % of a request's CPU. */
const idBytes = 16;
let pool = '';
let used = 0;

/** 32 hexadecimal digits, as nginx's $request_id. */
export function generateRequestId(): string {
  if (used >= pool.length) {
    pool = randomBytes(idBytes * 256).toString('hex');
    used = 0;
  }
  const id = pool.slice(used, used + idBytes * 2);
  used += idBytes * 2;
  return id;
}

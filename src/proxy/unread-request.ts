import type { RequestEvent } from '../observe/observer.ts';
import type { Connection } from '../snapshot/connection.ts';
import type { Respond } from '../snapshot/decision.ts';
import type { Answer } from './answer.ts';

/** The report of an answer to bytes that were never read as a request: there is no method and no target to tell. */
export function unreadRequest(
  id: string,
  connection: Connection,
  decision: Respond,
  answer: Answer,
): RequestEvent {
  return {
    id,
    connection,
    method: '',
    authority: '',
    target: '',
    userAgent: null,
    decision,
    status: answer.status,
    reason: decision.reason,
    detail: decision.detail,
    bytesReceived: 0,
    bytesSent: answer.body.length,
    durationMs: 0,
    upstream: null,
    upgrade: false,
  };
}

import type { Decision } from '../snapshot/decision.ts';
import { explain } from '../snapshot/explain/explain.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { shakeHands } from './handshake.ts';
import type { Question } from './question.ts';
import type { Report } from './report.ts';

/** What becomes of a question, and the Decision itself; null where the handshake is ended. */
export interface Answer {
  readonly report: Report;
  readonly decision: Decision | null;
}

/**
 * Puts a question to a configuration: the handshake, then the request, by what serves them. Opens no socket.
 * @throws BadQuestion
 */
export async function ask(snapshot: Snapshot, question: Question): Promise<Answer> {
  const { connection, ended, explained: handshake } = await shakeHands(snapshot, question);
  if (connection === null) {
    if (ended === null) throw new Error('a handshake without a connection and without an end');
    return { report: { decision: ended, handshake, request: null }, decision: null };
  }
  const input = {
    method: question.method,
    target: question.target,
    httpVersion: '1.1',
    rawHeaders: ['Host', question.host, ...question.headers],
  };
  const { decision, explanation } = explain(snapshot, connection, input, question.time ?? Date.now());
  return { report: { decision: explanation.decision, handshake, request: explanation }, decision };
}

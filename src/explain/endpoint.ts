import { json, text, type WholeAnswer } from '../admin/answer.ts';
import { BadCall, type Endpoint, jsonOf } from '../admin/endpoint.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { ask } from './ask.ts';
import { readQuestion } from './json-question.ts';
import { BadQuestion } from './question.ts';
import { reportText } from './text.ts';

/** Bytes of a question: a chain of OpenSSL's own bound, and the longest head. */
const bodyLimit = 256 * 1024;

/**
 * `POST /explain`: what becomes of a request under the configuration in force, as JSON, or with `?format=text` in words.
 * Changes nothing, and asks nobody.
 */
export function explainEndpoint(snapshot: () => Snapshot): Endpoint {
  return {
    method: 'POST',
    path: '/explain',
    permission: 'reading',
    bodyLimit,
    async handle(call): Promise<WholeAnswer> {
      try {
        const format = call.query.get('format') ?? 'json';
        if (format !== 'json' && format !== 'text') throw new BadCall('format is json or text');
        const { report } = await ask(snapshot(), readQuestion(jsonOf(call)));
        return format === 'json' ? json(200, report) : text(200, reportText(report).join('\n'));
      } catch (error) {
        if (error instanceof BadQuestion) throw new BadCall(error.message);
        throw error;
      }
    },
  };
}

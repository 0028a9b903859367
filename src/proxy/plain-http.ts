import type { Socket } from 'node:net';
import { answers } from '../snapshot/reason.ts';
import { formatHead, renderAnswer } from './answer.ts';
import { generateRequestId } from './full/judgement.ts';

/** How long, and how much, is read of a client that still talks while it is told to go. */
const lingerMs = 2_000;
const lingerBytes = 65_536;

/** Answers plain HTTP on the TLS port as nginx does (its 497): 400, in the language the client speaks. */
export function answerPlainHttp(socket: Socket): void {
  const reason = 'plain_http';
  const answer = renderAnswer({
    reason,
    status: answers[reason].status,
    requestId: generateRequestId(),
    accept: null,
    location: null,
  });
  socket.end(
    Buffer.concat([formatHead(answer.status, [...answer.headers, 'Connection', 'close']), answer.body]),
  );
  // Closing with bytes unread resets the connection, and the answer may be lost with it.
  let read = 0;
  socket.on('data', (chunk: Buffer) => {
    read += chunk.length;
    if (read > lingerBytes) socket.destroy();
  });
  socket.setTimeout(lingerMs, () => socket.destroy());
  socket.resume();
}

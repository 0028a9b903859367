import type { Socket } from 'node:net';
import type { Observer } from '../observe/observer.ts';
import { respond } from '../snapshot/respond.ts';
import type { Peer } from '../tls/proxy-protocol.ts';
import { formatClosingAnswer, renderAnswer } from './answer.ts';
import { generateRequestId } from './full/judgement.ts';
import { plainConnection } from './plain-connection.ts';
import { unreadRequest } from './unread-request.ts';

/** How long, and how much, is read of a client that still talks while it is told to go. */
const lingerMs = 2_000;
const lingerBytes = 65_536;

/** Answers plain HTTP on the TLS port as nginx does (its 497): 400, in the language the client speaks. */
export function answerPlainHttp(socket: Socket, client: Peer, observer: Pick<Observer, 'request'>): void {
  const decision = respond('plain_http', null, null);
  const { reason, status, location } = decision;
  const id = generateRequestId();
  const answer = renderAnswer({ reason, status, requestId: id, accept: null, location });
  socket.end(formatClosingAnswer(answer));
  observer.request(unreadRequest(id, plainConnection('https', socket, client), decision, answer));
  // Closing with bytes unread resets the connection, and the answer may be lost with it.
  let read = 0;
  socket.on('data', (chunk: Buffer) => {
    read += chunk.length;
    if (read > lingerBytes) socket.destroy();
  });
  socket.setTimeout(lingerMs, () => socket.destroy());
  socket.resume();
}

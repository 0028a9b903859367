import { once } from 'node:events';
import type { TLSSocket } from 'node:tls';
import { type ClientOptions, openTls, parseAnswer, type RawAnswer } from './client.ts';

/** What came of one request on a connection of its own. */
export interface Visit extends RawAnswer {
  readonly resumed: boolean;
  /** What may be offered later, newest last; empty where nothing was given. */
  readonly sessions: readonly Buffer[];
}

/** Asks for `/` (or another path) of the server name's host, offering an earlier session where one is given. */
export async function visit(
  options: ClientOptions & { readonly host?: string; readonly path?: string },
  session?: Buffer,
): Promise<Visit> {
  const sessions: Buffer[] = [];
  const socket = await openTls({
    ...options,
    tls: { ...options.tls, ...(session === undefined ? {} : { session }) },
  });
  socket.on('session', (given: Buffer) => sessions.push(given));
  // TLS 1.2 gives its ticket inside the handshake, before anyone could listen.
  if (socket.getProtocol() === 'TLSv1.2') {
    const own = socket.getSession();
    if (own !== undefined) sessions.push(own);
  }
  const resumed = socket.isSessionReused();
  const host = options.host ?? options.serverName ?? 'none';
  const text = await readToEnd(
    socket,
    `GET ${options.path ?? '/'} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
  );
  return { ...parseAnswer(text), resumed, sessions };
}

async function readToEnd(socket: TLSSocket, request: string): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.on('error', () => {});
  socket.write(request);
  if (!socket.closed) await once(socket, 'close').catch(() => {});
  return Buffer.concat(chunks).toString('latin1');
}

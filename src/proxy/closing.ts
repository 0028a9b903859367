import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

/** How long a closing connection is still read, and how much, so that the client gets to see the answer. */
const linger = { idleMs: 5000, totalMs: 30_000, bytes: 64 * 1024 * 1024, politeMs: 1000 };

/**
 * Ends a connection behind what was written, and reads on for a moment: closing a socket that has unread bytes resets
 * it, and a reset takes the answer away from a client that has not read it yet (RFC 9112 §9.6). Nothing that still comes
 * is a request: whoever listened for bytes hears no more.
 *
 * @param patient The client is in the middle of sending a body.
 */
export function closeGently(socket: Socket, patient: boolean): void {
  socket.setTimeout(0);
  socket.removeAllListeners('data');
  socket.removeAllListeners('readable');
  let bytes = 0;
  const idle = setTimeout(() => socket.destroy(), patient ? linger.idleMs : linger.politeMs);
  const total = setTimeout(() => socket.destroy(), linger.totalMs);
  socket.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    idle.refresh();
    if (bytes > linger.bytes) socket.destroy();
  });
  socket.once('close', () => {
    clearTimeout(idle);
    clearTimeout(total);
  });
  socket.end();
  socket.resume();
}

/**
 * Ends a connection so that the client cannot take what it got for the whole: with a reset. The end of a connection
 * is all that ends some bodies, and few clients mind a missing close_notify (RFC 9112 §8, §9.8).
 */
export function breakOff(socket: Socket): void {
  // Node offers no public way from a TLS socket to the connection below; without it there is no close_notify.
  const { _parent: below } = socket as Socket & { readonly _parent?: Socket | null };
  (socket instanceof TLSSocket ? below : socket)?.resetAndDestroy();
  socket.destroy();
}

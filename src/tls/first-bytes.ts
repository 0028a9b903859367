import type { Socket } from 'node:net';

/** What a parser says of the bytes that came so far while it cannot tell yet. */
export interface Incomplete {
  readonly status: 'incomplete';
  /** It cannot be whole before this many bytes are there: with fewer, asking again is wasted work. */
  readonly needs: number;
}

/** Told once, how the reading of first bytes ended; the socket is paused then, or gone. */
export interface FirstBytesHandlers<Result> {
  /** @param bytes All that came; none of them is put back. */
  readonly read: (result: Result, bytes: Buffer) => void;
  /** `limitMs` passed. The socket is still open. */
  readonly late?: () => void;
  /** @param length Bytes that had come. */
  readonly closed?: (length: number) => void;
}

/**
 * Collects what a connection opens with until a parser knows what it is. The parser bounds it: it has to give
 * a result at some length, and is asked with all the bytes each time.
 *
 * @param limitMs Null: whoever calls sees to the time himself, and closes the socket.
 */
export function readFirstBytes<Result extends { readonly status: string }>(
  socket: Socket,
  parse: (bytes: Buffer) => Result | Incomplete,
  limitMs: number | null,
  handlers: FirstBytesHandlers<Result>,
): void {
  const chunks: Buffer[] = [];
  let length = 0;
  let needs = 1;
  const timer =
    limitMs === null
      ? undefined
      : setTimeout(() => {
          stop();
          handlers.late?.();
        }, limitMs);
  const stop = (): void => {
    clearTimeout(timer);
    socket.pause();
    socket.off('data', read);
    socket.off('close', closed);
  };
  const closed = (): void => {
    stop();
    handlers.closed?.(length);
  };
  const read = (chunk: Buffer): void => {
    chunks.push(chunk);
    length += chunk.length;
    // Read a byte at a time, the first bytes would cost the square of their length.
    if (length < needs) return;
    const bytes = chunks.length === 1 ? chunk : Buffer.concat(chunks);
    const result = parse(bytes);
    if (isIncomplete(result)) {
      ({ needs } = result);
      return;
    }
    stop();
    handlers.read(result, bytes);
  };
  socket.on('data', read);
  socket.on('close', closed);
  socket.resume();
}

function isIncomplete(result: { readonly status: string }): result is Incomplete {
  return result.status === 'incomplete';
}

import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';

export interface Target {
  readonly port: number;
  readonly connections: number;
  readonly host: string;
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
  /** Default: GET of a page of the origin's. */
  readonly request?: Buffer;
}

/**
 * Keep-alive requests, one at a time per connection, on raw TLS sockets: cheaper than any HTTP client, and it presents a
 * certificate, which wrk cannot. The connections stay open between rounds, so that no round pays for handshakes.
 */
export class Load {
  readonly #sockets: readonly TLSSocket[];
  readonly #request: Buffer;

  private constructor(sockets: readonly TLSSocket[], request: Buffer) {
    this.#sockets = sockets;
    this.#request = request;
  }

  static async open({ port, connections, host, cert, key, ca, request }: Target): Promise<Load> {
    const open = async (): Promise<TLSSocket> => {
      const socket = connect({ host: '127.0.0.1', port, servername: host, cert, key, ca });
      await once(socket, 'secureConnect');
      return socket.setNoDelay(true);
    };
    const sockets = await Promise.all(Array.from({ length: connections }, open));
    return new Load(sockets, request ?? plainRequest(host, '/bench'));
  }

  /** Sends so many requests over all connections. Rejects unless every answer is a 200 with a Content-Length. */
  async run(requests: number, options: RunOptions = {}): Promise<void> {
    let left = requests;
    await Promise.all(this.#sockets.map((socket) => this.#serve(socket, () => left-- > 0, options)));
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async #serve(socket: TLSSocket, more: () => boolean, options: RunOptions): Promise<void> {
    const { latencies, perSecond } = options;
    const intervalMs = perSecond === undefined ? 0 : (1000 * this.#sockets.length) / perSecond;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let wanted = -1;
    let have = 0;
    let sentAt = performance.now();
    let dueAt = sentAt + Math.random() * intervalMs;
    const send = (): void => {
      sentAt = performance.now();
      socket.write(this.#request);
    };
    const next = (): void => {
      wanted = -1;
      have = 0;
      if (!more()) return resolve();
      if (intervalMs === 0) return send();
      // A client that was late is late once: it does not catch up.
      dueAt = Math.max(dueAt + intervalMs, performance.now());
      setTimeout(send, Math.max(dueAt - performance.now(), 0));
    };
    const closed = (): void => reject(new Error('the proxy closed a connection'));
    const read = (chunk: Buffer): void => {
      have += chunk.length;
      if (wanted < 0) wanted = answerLength(chunk);
      if (wanted < 0) reject(new Error(`unexpected answer: ${chunk.toString('latin1', 0, 200)}`));
      else if (have >= wanted) {
        latencies?.push(performance.now() - sentAt);
        next();
      }
    };
    socket.on('data', read).on('error', reject).on('close', closed);
    next();
    try {
      await promise;
    } finally {
      socket.off('data', read).off('error', reject).off('close', closed);
    }
  }
}

export interface RunOptions {
  /** Takes each request's time from its first byte out to the last of its answer in, in milliseconds. */
  readonly latencies?: number[];
  /** Over all connections; without, each sends as soon as it has its answer. */
  readonly perSecond?: number;
}

/** @param body Bytes of one; null: a GET. */
export function plainRequest(host: string, path: string, body: number | null = null): Buffer {
  const common = `Host: ${host}\r\nUser-Agent: bench\r\nAccept: */*\r\n`;
  return body === null
    ? Buffer.from(`GET ${path} HTTP/1.1\r\n${common}\r\n`)
    : Buffer.concat([
        Buffer.from(`POST ${path} HTTP/1.1\r\n${common}Content-Length: ${body}\r\n\r\n`),
        Buffer.alloc(body, 'x'),
      ]);
}

/** Bytes of the whole answer whose head a chunk begins with; -1 where it is not a 200 of known length. */
function answerLength(chunk: Buffer): number {
  const text = chunk.toString('latin1');
  const end = text.indexOf('\r\n\r\n');
  const length = /\r\ncontent-length: (\d+)/i.exec(text);
  return text.startsWith('HTTP/1.1 200') && end >= 0 && length !== null ? end + 4 + Number(length[1]) : -1;
}

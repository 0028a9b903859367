import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';

export interface Target {
  readonly port: number;
  readonly connections: number;
  readonly host: string;
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

/**
 * Keep-alive requests, one at a time per connection, on raw TLS sockets: cheaper than any HTTP client, and it
 * presents a certificate. The connections stay open between rounds, so that no round pays for handshakes.
 */
export class Load {
  readonly #sockets: readonly TLSSocket[];
  readonly #request: string;

  private constructor(sockets: readonly TLSSocket[], host: string) {
    this.#sockets = sockets;
    this.#request = `GET /bench HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n`;
  }

  static async open({ port, connections, host, cert, key, ca }: Target): Promise<Load> {
    const open = async (): Promise<TLSSocket> => {
      const socket = connect({ host: '127.0.0.1', port, servername: host, cert, key, ca });
      await once(socket, 'secureConnect');
      return socket.setNoDelay(true);
    };
    return new Load(await Promise.all(Array.from({ length: connections }, open)), host);
  }

  /** Sends so many requests over all connections. Rejects unless every answer is a 200 with a Content-Length. */
  async run(requests: number): Promise<void> {
    let left = requests;
    await Promise.all(this.#sockets.map((socket) => this.#serve(socket, () => left-- > 0)));
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async #serve(socket: TLSSocket, more: () => boolean): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let wanted = -1;
    let have = 0;
    const next = (): void => {
      wanted = -1;
      have = 0;
      if (more()) socket.write(this.#request);
      else resolve();
    };
    const closed = (): void => reject(new Error('the proxy closed a connection'));
    const read = (chunk: Buffer): void => {
      have += chunk.length;
      if (wanted < 0) wanted = answerLength(chunk);
      if (wanted < 0) reject(new Error(`unexpected answer: ${chunk.toString('latin1', 0, 200)}`));
      else if (have >= wanted) next();
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

/** Bytes of the whole answer whose head a chunk begins with; -1 where it is not a 200 of known length. */
function answerLength(chunk: Buffer): number {
  const text = chunk.toString('latin1');
  const end = text.indexOf('\r\n\r\n');
  const length = /\r\ncontent-length: (\d+)/i.exec(text);
  return text.startsWith('HTTP/1.1 200') && end >= 0 && length !== null ? end + 4 + Number(length[1]) : -1;
}

import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';

export interface Load {
  readonly port: number;
  readonly connections: number;
  readonly requests: number;
  readonly host: string;
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

/**
 * Keep-alive requests, one at a time per connection, on raw TLS sockets: cheaper than any HTTP client, and it
 * presents a certificate. Every answer must be a 200 with a Content-Length.
 */
export async function run(load: Load): Promise<void> {
  const sockets = await Promise.all(Array.from({ length: load.connections }, () => open(load)));
  const head = `GET /bench HTTP/1.1\r\nHost: ${load.host}\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n`;
  let started = 0;
  await Promise.all(
    sockets.map(
      (socket) =>
        new Promise<void>((resolve, reject) => {
          let wanted = -1;
          let have = 0;
          const next = (): void => {
            if (started >= load.requests) {
              socket.destroy();
              resolve();
              return;
            }
            started++;
            wanted = -1;
            have = 0;
            socket.write(head);
          };
          socket.on('error', reject);
          socket.on('data', (chunk: Buffer) => {
            have += chunk.length;
            if (wanted < 0) {
              const text = chunk.toString('latin1');
              const end = text.indexOf('\r\n\r\n');
              const length = /\r\ncontent-length: (\d+)/i.exec(text);
              if (!text.startsWith('HTTP/1.1 200') || end < 0 || length === null) {
                reject(new Error(`unexpected answer: ${text.slice(0, 200)}`));
                return;
              }
              wanted = end + 4 + Number(length[1]);
            }
            if (have >= wanted) next();
          });
          next();
        }),
    ),
  );
}

async function open({ port, host, cert, key, ca }: Load): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, servername: host, cert, key, ca });
  await once(socket, 'secureConnect');
  socket.setNoDelay(true);
  return socket;
}

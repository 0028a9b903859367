import { once } from 'node:events';
import { connect as connectTcp, type Socket, type TcpNetConnectOpts } from 'node:net';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';

/** A client certificate as the PKI of the tests issues it. */
export interface ClientCertificate {
  /** Leaf and intermediates, PEM. */
  readonly bundle: string;
  readonly key: string;
}

export interface ClientOptions {
  readonly port: number;
  readonly certificate?: ClientCertificate | null;
  /** SNI; none by default. */
  readonly serverName?: string;
  readonly version?: 'TLSv1.2' | 'TLSv1.3';
  readonly tls?: ConnectionOptions & Pick<TcpNetConnectOpts, 'localAddress'>;
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly raw: string;
}

/** A TLS connection past its handshake. Rejects when the handshake fails. */
export async function openTls(options: ClientOptions): Promise<TLSSocket> {
  const { port, certificate, serverName, version } = options;
  const socket = connectTls({
    host: '127.0.0.1',
    port,
    rejectUnauthorized: false,
    ...(certificate === null || certificate === undefined
      ? {}
      : { cert: certificate.bundle, key: certificate.key }),
    ...(serverName === undefined ? {} : { servername: serverName }),
    ...(version === undefined ? {} : { minVersion: version, maxVersion: version }),
    ...options.tls,
  });
  await once(socket, 'secureConnect');
  return socket;
}

/** Sends bytes on a new connection and reads until it closes; what came before a reset counts. */
export async function sendRaw(options: ClientOptions, bytes: string | Buffer): Promise<string> {
  const socket = await openTls(options);
  return exchange(socket, bytes);
}

export function openTcp(port: number): Socket {
  return connectTcp({ host: '127.0.0.1', port });
}

/** Writes bytes, reads until the connection closes. */
export async function exchange(socket: Socket, bytes: string | Buffer): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.on('error', () => {});
  if (bytes.length > 0) socket.write(bytes);
  if (!socket.closed) await once(socket, 'close').catch(() => {});
  return Buffer.concat(chunks).toString('latin1');
}

export interface RequestOptions extends ClientOptions {
  readonly host: string;
  readonly method?: string;
  readonly path?: string;
  /** Lines as they go on the wire. */
  readonly headers?: readonly string[];
  readonly body?: string;
}

/** One request on a connection of its own. A connection that ends without an answer gives status 0. */
export async function request(options: RequestOptions): Promise<RawAnswer> {
  const { method = 'GET', path = '/', host, headers = [], body = '' } = options;
  const lines = [`${method} ${path} HTTP/1.1`, `Host: ${host}`, 'Connection: close', ...headers];
  if (body !== '') lines.push(`Content-Length: ${Buffer.byteLength(body)}`);
  return parseAnswer(await sendRaw(options, `${lines.join('\r\n')}\r\n\r\n${body}`));
}

/** Splits one answer with a plain or a chunked body into its parts. */
export function parseAnswer(raw: string): RawAnswer {
  const end = raw.indexOf('\r\n\r\n');
  const [statusLine = '', ...lines] = raw.slice(0, Math.max(end, 0)).split('\r\n');
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  const rest = end < 0 ? '' : raw.slice(end + 4);
  return {
    status: Number(statusLine.split(' ')[1] ?? 0),
    headers,
    body: headers['transfer-encoding'] === 'chunked' ? unchunk(rest) : rest,
    raw,
  };
}

function unchunk(text: string): string {
  let [out, rest] = ['', text];
  for (;;) {
    const end = rest.indexOf('\r\n');
    const size = Number.parseInt(rest.slice(0, end), 16);
    if (!(size > 0)) return out;
    out += rest.slice(end + 2, end + 2 + size);
    rest = rest.slice(end + 4 + size);
  }
}

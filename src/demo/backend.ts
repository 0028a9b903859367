import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { listenOn } from '../listen.ts';

/** Most bytes of a request body that are shown back. */
const maxShown = 1024 * 1024;

/**
 * A backend in the manner of httpbin.org, to see what a proxy makes of a request: it shows requests back.
 * Only for the demo and for trying things out.
 */
export class DemoBackend {
  readonly #server: Server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });

  /** Rejects with the system's error. */
  listen(port: number): Promise<AddressInfo> {
    return listenOn(this.#server, { address: '127.0.0.1', port });
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise((resolve) => {
      this.#server.close(resolve);
    });
    this.#server.closeAllConnections();
    await closed;
  }
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', `http://${request.headers.host ?? 'backend'}`);
  const [, name = '', argument = ''] = url.pathname.split('/');
  switch (name) {
    case '':
      return sendText(
        response,
        'text/html',
        '<!doctype html><title>backend</title><p>Try /headers, /anything, /status/418.\n',
      );
    case 'headers':
      return sendJson(response, { headers: headersOf(request) });
    case 'ip':
      return sendJson(response, {
        origin: request.headers['x-forwarded-for'] ?? request.socket.remoteAddress,
      });
    case 'status':
      return sendStatus(request, response, Number(argument));
    case 'bytes':
      return sendBytes(response, Number(argument));
    case 'get':
    case 'post':
    case 'put':
    case 'patch':
    case 'delete':
    case 'anything':
      return sendJson(response, {
        method: request.method,
        url: url.href,
        args: Object.fromEntries(url.searchParams),
        headers: headersOf(request),
        data: await readBody(request),
      });
    default:
      response.statusCode = 404;
      return sendJson(response, { error: 'not found', path: url.pathname });
  }
}

/** Every header as it came, repeated ones joined as httpbin joins them. */
function headersOf(request: IncomingMessage): Record<string, string> {
  const headers = new Map<string, string>();
  for (let index = 0; index < request.rawHeaders.length; index += 2) {
    const [name, value] = [request.rawHeaders[index]!, request.rawHeaders[index + 1]!];
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before},${value}`);
  }
  return Object.fromEntries(headers);
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length <= maxShown) chunks.push(chunk);
  }
  return length <= maxShown ? Buffer.concat(chunks).toString() : `(${length} bytes)`;
}

function sendJson(response: ServerResponse, value: unknown): void {
  sendText(response, 'application/json', `${JSON.stringify(value, null, 2)}\n`);
}

function sendText(response: ServerResponse, type: string, text: string): void {
  response.setHeader('content-type', type);
  response.setHeader('content-length', Buffer.byteLength(text));
  response.end(text);
}

function sendStatus(request: IncomingMessage, response: ServerResponse, status: number): void {
  response.statusCode = Number.isInteger(status) && status >= 200 && status <= 599 ? status : 400;
  if (response.statusCode === 204 || response.statusCode === 304 || request.method === 'HEAD') response.end();
  else sendText(response, 'text/plain', `${response.statusCode}\n`);
}

function sendBytes(response: ServerResponse, count: number): void {
  const length = Number.isInteger(count) ? Math.min(Math.max(count, 0), maxShown) : 0;
  response.setHeader('content-type', 'application/octet-stream');
  response.setHeader('content-length', length);
  response.end(Buffer.alloc(length, 'mtls'));
}

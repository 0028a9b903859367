import { createServer, type IncomingMessage, type Server } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import { once } from 'node:events';
import type { LaneUnderTest } from '../full/harness.ts';
import { startLane } from '../full/harness.ts';

interface Teardown {
  teardown(handler: () => unknown): void;
}

/** What came of one case in one lane, without what has to differ: dates and generated ids. */
export interface Outcome {
  /** Whole requests in the order in which the upstream had them. */
  readonly upstream: readonly string[];
  /** Answers as the client reads them, and how the connection ended. */
  readonly client: readonly string[];
}

/** The same origin behind both lanes, each on a port of its own. */
export interface Pair {
  readonly express: LaneUnderTest;
  readonly full: LaneUnderTest;
  /** Sends the same pieces to both. */
  run(pieces: readonly Buffer[]): Promise<{ express: Outcome; full: Outcome }>;
  /** What a raw origin answers next, to each request, in pieces. */
  answer: readonly Buffer[];
}

/** Ends whatever the bytes before it have left open: each state of a parser meets a NUL soon. */
const terminal = Buffer.concat([
  Buffer.from('GET /last HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n'),
  Buffer.alloc(6 * 1024),
]);

const bodyLimit = 4096;

/** @param kind `echo` answers with what it was sent; `raw` with `Pair.answer`. */
export async function startPair(t: Teardown, kind: 'echo' | 'raw'): Promise<Pair> {
  const pair: { answer: readonly Buffer[] } = { answer: [] };
  const seen: Record<'express' | 'full', string[]> = { express: [], full: [] };
  const lane = async (name: 'express' | 'full'): Promise<LaneUnderTest> => {
    const server = kind === 'echo' ? echo(seen[name]) : raw(seen[name], () => pair.answer);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.teardown(() => server.close());
    return startLane(t, {
      origin: (server.address() as AddressInfo).port,
      expressLane: name === 'express',
      // A tunnel is opened only for the first of several requests, which the full lane has when it is handed the second.
      route: { bodyLimit, upgrade: [], timeouts: { connectMs: 5000, sendMs: 5000, readMs: 5000 } },
      limits: { headSize: 4096, headerCount: 20 },
    });
  };
  const lanes = { express: await lane('express'), full: await lane('full') };
  const run = async (name: 'express' | 'full', pieces: readonly Buffer[]): Promise<Outcome> => {
    seen[name].length = 0;
    lanes[name].events.length = 0;
    const client = lanes[name].connect();
    await once(client.socket, 'connect');
    client.socket.setNoDelay(true);
    for (const piece of [...pieces, terminal]) {
      if (client.socket.destroyed) break;
      client.write(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const end = await client.closed;
    return {
      upstream: seen[name].map(normal),
      client: [
        ...withoutHints(
          readAnswers(
            client.bytes,
            lanes[name].events.map(({ method }) => method),
          ),
        ),
        ...(kind === 'raw' ? [] : [end]),
      ],
    };
  };
  return Object.assign(pair, {
    ...lanes,
    run: async (pieces: readonly Buffer[]) => {
      const [express, full] = await Promise.all([run('express', pieces), run('full', pieces)]);
      return { express, full };
    },
  });
}

/** Answers with what came, in a way that the path chooses. */
function echo(seen: string[]): Server {
  return createServer({ requireHostHeader: false, keepAliveTimeout: 60_000 }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const text = describe(request, Buffer.concat(chunks));
      seen.push(text);
      const path = request.url ?? '';
      if (path.startsWith('/hint')) response.writeEarlyHints({ link: '</a.css>; rel=preload' });
      if (path.startsWith('/none')) response.writeHead(204).end();
      else if (path.startsWith('/chunked'))
        response.write(text.slice(0, 3), () => response.end(text.slice(3)));
      else if (path.startsWith('/close')) response.writeHead(200, { Connection: 'close' }).end(text);
      else
        response.writeHead(200, { 'Content-Length': Buffer.byteLength(text), 'X-Two': ['a', 'b'] }).end(text);
    });
  });
}

function describe({ method, url, rawHeaders }: IncomingMessage, body: Buffer): string {
  const headers: string[] = [];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    // undici frames a body by its length where it has all of it already; the body is what has to be the same.
    if (/^(?:content-length|transfer-encoding)$/i.test(rawHeaders[index] ?? '')) continue;
    headers.push(`${rawHeaders[index]?.toLowerCase()}: ${rawHeaders[index + 1]}`);
  }
  return JSON.stringify([method, url, headers.toSorted(), body.toString('latin1')]);
}

/** Writes what it is told to for every request head, and never looks further. */
function raw(seen: string[], answer: () => readonly Buffer[]): ReturnType<typeof createTcpServer> {
  return createTcpServer((socket: Socket) => {
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      seen.push(chunk.toString('latin1').split('\r\n')[0] ?? '');
      void say(socket, answer());
    });
  });
}

async function say(socket: Socket, pieces: readonly Buffer[]): Promise<void> {
  for (const piece of pieces) {
    if (socket.destroyed) return;
    socket.write(piece);
    await new Promise((resolve) => setImmediate(resolve));
  }
  socket.end();
}

/** Whether somebody whose body turns out to be none was asked for it before is a matter of what came first. */
function withoutHints(answers: readonly string[]): string[] {
  return answers.filter(
    (answer, index) => !(answer.startsWith('HTTP/1.1 100 ') && answers[index + 1] === 'refused'),
  );
}

function normal(text: string): string {
  return text.replaceAll(/[0-9a-f]{32}/g, 'ID');
}

/** Reads what a client received as it would: head by head, each body by its own framing and its request's method. */
export function readAnswers(bytes: Buffer, methods: readonly string[]): string[] {
  const answers: string[] = [];
  let finals = 0;
  let at = 0;
  while (at < bytes.length) {
    const end = bytes.indexOf('\r\n\r\n', at);
    if (end === -1) return [...answers, `cut: ${normal(bytes.toString('latin1', at))}`];
    const [line = '', ...fields] = bytes.toString('latin1', at, end).split('\r\n');
    at = end + 4;
    const status = Number(line.split(' ')[1]);
    const field = (name: string): string | undefined =>
      fields
        .find((one) => one.toLowerCase().startsWith(`${name}:`))
        ?.slice(name.length + 1)
        .trim();
    let body = '';
    const method = status >= 200 ? methods[finals++] : undefined;
    if (status >= 200 && status !== 204 && status !== 304 && method !== 'HEAD') {
      const length = field('content-length');
      if (field('transfer-encoding') === 'chunked') [body, at] = readChunks(bytes, at);
      else if (length !== undefined) {
        body = bytes.toString('latin1', at, at + Number(length));
        if (body.length < Number(length)) body += ' (cut)';
        at += Number(length);
      }
    }
    const kept = fields.filter((one) => !/^date:/i.test(one)).toSorted();
    // Which of several things wrong with it is told depends on how much of it one read brought.
    const refused =
      status >= 400 && kept.includes('Connection: close') && kept.includes('Cache-Control: no-store');
    answers.push(refused ? 'refused' : normal([line, ...kept, body].join('\n')));
  }
  return answers;
}

function readChunks(bytes: Buffer, from: number): [string, number] {
  let body = '';
  let at = from;
  for (;;) {
    const end = bytes.indexOf('\r\n', at);
    const size = end === -1 ? Number.NaN : Number.parseInt(bytes.toString('latin1', at, end), 16);
    if (Number.isNaN(size)) return [`${body} (cut)`, bytes.length];
    at = end + 2;
    if (size === 0) return [body, at + 2];
    body += bytes.toString('latin1', at, at + size);
    if (at + size + 2 > bytes.length) return [`${body} (cut)`, bytes.length];
    at += size + 2;
  }
}

import { once } from 'node:events';
import type { Socket } from 'node:net';
import { openTcp, openTls, parseAnswer, type ClientCertificate } from '../support/client.ts';
import type { Upstream } from './sides.ts';

/** What one client does, to both sides alike. */
export interface Case {
  /** Names everything that makes the case; differences are listed by it. */
  readonly title: string;
  readonly serverName?: string;
  readonly certificate?: ClientCertificate | null;
  readonly version?: 'TLSv1.2' | 'TLSv1.3';
  /** Speaks plain HTTP to the TLS port. */
  readonly plain?: true;
  readonly bytes: string;
}

/** What became of it, as named facts; two sides agree if they are the same. */
export type Observation = Readonly<Record<string, string>>;

const patienceMs = 10_000;

/** Plays the case against the proxy on a port. */
export async function observe(port: number, client: Case): Promise<Observation> {
  const { serverName, certificate = null, version } = client;
  try {
    const socket = client.plain
      ? openTcp(port)
      : await openTls({
          port,
          certificate,
          ...(serverName === undefined ? {} : { serverName }),
          ...(version === undefined ? {} : { version }),
        });
    return facts(await readAnswer(socket, client.bytes));
  } catch (error) {
    return { outcome: `handshake failed: ${(error as NodeJS.ErrnoException).code}` };
  }
}

/** Reads up to the end of the first final response, or of the connection. */
async function readAnswer(socket: Socket, bytes: string): Promise<string> {
  const isHead = bytes.startsWith('HEAD ');
  let text = '';
  socket.on('error', () => {});
  socket.write(bytes, 'latin1');
  const closed = once(socket, 'close').catch(() => {});
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => {
      text = 'HTTP/1.1 0 no answer\r\n\r\n';
      resolve();
    }, patienceMs);
    socket.on('data', (chunk: Buffer) => {
      text = (text + chunk.toString('latin1')).replace(/^(?:HTTP\/1\.1 1\d\d[\s\S]*?\r\n\r\n)+/, '');
      if (isComplete(text, isHead)) resolve();
    });
    void closed.then(() => resolve());
    void closed.then(() => clearTimeout(timer));
  });
  socket.destroy();
  await closed;
  return text;
}

function isComplete(text: string, isHead: boolean): boolean {
  const end = text.indexOf('\r\n\r\n');
  if (end === -1) return false;
  if (isHead || /^HTTP\/1\.1 (?:204|304)/.test(text)) return true;
  const length = /\r\ncontent-length: (\d+)\r\n/i.exec(text.slice(0, end + 2))?.[1];
  if (length !== undefined) return text.length >= end + 4 + Number(length);
  return /\r\ntransfer-encoding: chunked\r\n/i.test(text.slice(0, end + 2)) && text.endsWith('\r\n0\r\n\r\n');
}

function facts(raw: string): Observation {
  if (raw === '') return { outcome: 'closed' };
  const { status, headers, body } = parseAnswer(raw);
  const connection = headers['connection'] === 'close' ? 'close' : 'open';
  const seen = headers['x-upstream'];
  const answer = answerFacts(headers);
  if (seen === undefined) return { outcome: `${status} ${wordsOf(body)}`.trim(), connection, ...answer };
  const upstream = JSON.parse(seen === '' ? body : Buffer.from(seen, 'base64').toString()) as Upstream;
  return {
    outcome: `forwarded ${status}`,
    connection,
    request: upstream.request,
    body: upstream.body,
    ...answer,
    ...headerFacts(upstream.rawHeaders),
  };
}

/** The words of an error page, nginx's or ours: what stands below the heading, or the heading itself. */
function wordsOf(body: string): string {
  const centers = [...body.matchAll(/(?<!<hr>)<center>(?:<h1>\d* ?)?([^<]*)(?:<\/h1>)?<\/center>/g)];
  return (centers.at(-1)?.[1] ?? body).trim();
}

/** Headers of an answer that say something to the client; the others are each side's own, or of one hop. */
const told =
  /^(?:location|refresh|www-authenticate|set-cookie|strict-transport-security|access-control-.*|x-told-.*)$/;

function answerFacts(headers: Readonly<Record<string, string>>): Record<string, string> {
  const names = Object.keys(headers).filter((name) => told.test(name));
  return Object.fromEntries(names.map((name) => [`answer ${name}`, headers[name]!]));
}

/** Of one hop and each side's own affair. */
const ofTheHop = new Set(['connection']);

function headerFacts(rawHeaders: readonly string[]): Record<string, string> {
  const found: Record<string, string> = {};
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!.toLowerCase();
    if (ofTheHop.has(name)) continue;
    const value = rawHeaders[index + 1]!;
    const shown = name === 'x-request-id' && /^[0-9a-f]{32}$/.test(value) ? 'generated' : value;
    const key = `header ${name}`;
    found[key] = key in found ? `${found[key]} | ${shown}` : shown;
  }
  return found;
}

/** One fact that differs; null where a side has none. */
export interface Divergence {
  readonly fact: string;
  readonly nginx: string | null;
  readonly ours: string | null;
}

/** Where the outcome differs, the rest follows from it and is not told. */
export function compare(nginx: Observation, ours: Observation): Divergence[] {
  const divergence = (fact: string): Divergence => ({
    fact,
    nginx: nginx[fact] ?? null,
    ours: ours[fact] ?? null,
  });
  if (nginx['outcome'] !== ours['outcome']) return [divergence('outcome')];
  return [...new Set([...Object.keys(nginx), ...Object.keys(ours)])]
    .map(divergence)
    .filter((found) => found.nginx !== found.ours);
}

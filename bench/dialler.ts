import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { connect, createSecureContext, type SecureContext, type TLSSocket } from 'node:tls';

// The client of the handshake bench, a process of its own: opens connections, one request each, and is told what
// kind by messages. Its CPU time does not count, and it checks that every handshake was of the kind asked for.

export interface Dial {
  readonly port: number;
  readonly host: string;
  readonly version: 'TLSv1.2' | 'TLSv1.3';
  /** Groups offered; without, the runtime's own. */
  readonly groups: string | null;
  readonly resume: boolean;
  readonly count: number;
  readonly atOnce: number;
  /** Connections stay open, until `close`. */
  readonly keep: boolean;
}

export interface Credentials {
  readonly cert: string;
  readonly key: string;
}

export type Order =
  | { readonly do: 'use'; readonly credentials: Credentials }
  | { readonly do: 'dial'; readonly dial: Dial }
  | { readonly do: 'close' };

/** An error in words, or null once the order is done. */
export type Reply = string | null;

let credentials: Credentials = { cert: '', key: '' };
const contexts = new Map<string, SecureContext>();
const kept: TLSSocket[] = [];

function contextOf({ version, groups }: Dial): SecureContext {
  const name = `${version} ${groups}`;
  let context = contexts.get(name);
  if (context === undefined) {
    context = createSecureContext({
      ...credentials,
      minVersion: version,
      maxVersion: version,
      ...(groups === null ? {} : { ecdhCurve: groups }),
    });
    contexts.set(name, context);
  }
  return context;
}

/** One connection, one request, its answer. Leaves the socket open. */
async function visit(dial: Dial, session: Buffer | null): Promise<TLSSocket> {
  const raw = connectTcp({ host: '127.0.0.1', port: dial.port, noDelay: true });
  const socket = connect({
    socket: raw,
    servername: dial.host,
    rejectUnauthorized: false,
    secureContext: contextOf(dial),
    ...(session === null ? {} : { session }),
  });
  socket.write(`GET /bench HTTP/1.1\r\nHost: ${dial.host}\r\n\r\n`);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  const head = answer.toString('latin1', 0, 64);
  if (!head.startsWith('HTTP/1.1 404')) throw new Error(`unexpected answer: ${head}`);
  if (socket.getProtocol() !== dial.version) throw new Error(`${socket.getProtocol()} was spoken`);
  if (socket.isSessionReused() !== (session !== null)) {
    throw new Error(session === null ? 'a session was resumed' : 'the session was not resumed');
  }
  return socket;
}

/** A session of the proxy, from a full handshake. */
async function sessionOf(dial: Dial): Promise<Buffer> {
  const { promise, resolve } = Promise.withResolvers<Buffer>();
  const first = await new Promise<TLSSocket>((done, failed) => {
    const raw = connectTcp({ host: '127.0.0.1', port: dial.port });
    const socket = connect({
      socket: raw,
      servername: dial.host,
      rejectUnauthorized: false,
      secureContext: contextOf(dial),
    });
    socket
      .once('session', resolve)
      .once('secureConnect', () => done(socket))
      .once('error', failed);
    socket.write(`GET /bench HTTP/1.1\r\nHost: ${dial.host}\r\n\r\n`);
    socket.resume();
  });
  const session = await promise;
  first.destroy();
  return session;
}

async function run(dial: Dial): Promise<void> {
  const session = dial.resume ? await sessionOf(dial) : null;
  let left = dial.count;
  const lane = async (): Promise<void> => {
    while (left-- > 0) {
      const socket = await visit(dial, session);
      if (dial.keep) {
        socket.on('error', () => {}).resume();
        kept.push(socket);
        continue;
      }
      socket.on('error', () => {});
      const closed = once(socket, 'close');
      socket.end().resume();
      await closed;
    }
  };
  await Promise.all(Array.from({ length: dial.atOnce }, lane));
}

async function obey(order: Order): Promise<void> {
  if (order.do === 'use') ({ credentials } = order);
  else if (order.do === 'dial') await run(order.dial);
  else {
    const closed = kept.map((socket) => once(socket, 'close'));
    for (const socket of kept.splice(0)) socket.destroy();
    await Promise.all(closed);
  }
}

process.on('message', (order: Order) => {
  obey(order).then(
    () => process.send!(null),
    (error: unknown) => process.send!(String(error)),
  );
});

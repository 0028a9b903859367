import type { Socket } from 'node:net';
import { array, assert, asyncProperty, boolean, constantFrom, integer, oneof, string } from 'fast-check';
import t from 'tap';
import { eachRequest, rawServer, response, rig, send } from './support.ts';

const fragment = constantFrom(
  'HTTP/1.1 200 OK\r\n',
  'HTTP/1.0 200 OK\r\n',
  'HTTP/1.1 100 Continue\r\n',
  'HTTP/1.1 103 Early Hints\r\n',
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n',
  'HTTP/1.1 204 No Content\r\n',
  'HTTP/1.1 304 Not Modified\r\n',
  'Content-Length: 0\r\n',
  'Content-Length: 5\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding: gzip, chunked\r\n',
  'Connection: close\r\n',
  'Connection: keep-alive\r\n',
  'Keep-Alive: timeout=5\r\n',
  'X: y\r\n',
  ' folded\r\n',
  '\r\n',
  '\r\n\r\n',
  '\n',
  '5\r\nhello\r\n',
  '0\r\n\r\n',
  'ffffffffffffffff\r\n',
  'hello',
  response('fine'),
  response('fine', 'Connection: close'),
);
const bytes = array(oneof({ weight: 9, arbitrary: fragment }, string({ maxLength: 20 })), { maxLength: 8 });

/** Writes text in as many pieces as there are cuts, each in a turn of its own; then closes, or not. */
async function say(socket: Socket, text: string, cuts: readonly number[], close: boolean): Promise<void> {
  const edges = [0, ...cuts.map((cut) => cut % (text.length + 1)).sort((a, b) => a - b), text.length];
  for (let n = 1; n < edges.length; n++) {
    const piece = text.slice(edges[n - 1], edges[n]);
    if (piece !== '' && !socket.destroyed) socket.write(piece, 'latin1');
    await new Promise((resolve) => setImmediate(resolve));
  }
  if (close) socket.end();
}

void t.test(
  'whatever an upstream says, each call ends once and the next client gets its own answer',
  async (t) => {
    const input = [
      bytes,
      array(integer({ min: 0, max: 400 }), { maxLength: 5 }),
      boolean(),
      constantFrom('GET', 'HEAD'),
    ] as const;
    await assert(
      asyncProperty(...input, async (parts, cuts, close, method) => {
        let said: Promise<void> = Promise.resolve();
        const teardowns: (() => unknown)[] = [];
        const test = { teardown: (done: () => unknown) => void teardowns.push(done) };
        try {
          const server = await rawServer(
            test,
            eachRequest((socket, head, index) => {
              if (index === 0) said = say(socket, parts.join(''), cuts, close);
              else socket.write(response(head.split(' ')[1]!));
            }),
          );
          const { upstreams } = rig(test, [server.endpoint], { tries: 1 });
          const timeouts = { connectMs: 1000, sendMs: 1000, readMs: 40 };
          // `send` itself throws where the handler is called out of order.
          await send(upstreams, { method, target: '/first', timeouts }).done;
          await said;
          if (upstreams.status()[0]?.active !== 0) return false;
          const second = await send(upstreams, { target: '/second' }).done;
          return second.body === '/second' && upstreams.status()[0]?.active === 0;
        } finally {
          for (const done of teardowns.reverse()) await done();
        }
      }),
      { numRuns: 400 },
    );
    t.pass('400 upstreams');
  },
);

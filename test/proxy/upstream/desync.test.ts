import type { Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import t, { type Test } from 'tap';
import { eachRequest, type RawServer, rawServer, response, rig, send } from './support.ts';

/**
 * A hostile upstream: it answers the first request with `poison`, every later one, on whatever connection, with the
 * path asked for. Whoever asks second must never hear anything but the answer to what they asked.
 */
async function poisoned(t: Test, poison: (socket: Socket) => void): Promise<RawServer> {
  return rawServer(
    t,
    eachRequest((socket, head, index) => {
      if (index === 0) poison(socket);
      else socket.write(response(head.split(' ')[1]!));
    }),
  );
}

const stolen = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen';
const later = (socket: Socket, first: string, second: string): void => {
  socket.write(first, () => setImmediate(() => socket.write(second)));
};

const poisons: Record<string, (socket: Socket) => void> = {
  'a second response in the same packet': (socket) => socket.write(response('mine') + stolen),
  'a second response right after': (socket) => later(socket, response('mine'), stolen),
  'the beginning of a second response': (socket) => socket.write(`${response('mine')}HTTP/1.1 200 OK\r\nX: `),
  'a single byte more': (socket) => socket.write(`${response('mine')}H`),
  'blank lines more': (socket) => socket.write(`${response('mine')}\r\n\r\n`),
  'a 100 more': (socket) => socket.write(`${response('mine')}HTTP/1.1 100 Continue\r\n\r\n`),
  'a 100 and a response more': (socket) =>
    socket.write(`${response('mine')}HTTP/1.1 100 Continue\r\n\r\n${stolen}`),
  'more body than its length': (socket) => socket.write(`${response('mine')}${'x'.repeat(100)}`),
  'a response behind the last chunk': (socket) =>
    socket.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nmine\r\n0\r\n\r\n${stolen}`),
  'a 204 with a response for a body': (socket) =>
    socket.write(`HTTP/1.1 204 No Content\r\nContent-Length: ${stolen.length}\r\n\r\n${stolen}`),
  'a 304 with a response behind it': (socket) => socket.write(`HTTP/1.1 304 Not Modified\r\n\r\n${stolen}`),
};

void t.test('no client ever gets a response that another client\u2019s request brought', async (t) => {
  for (const [name, poison] of Object.entries(poisons)) {
    for (const pause of ['at once', 'a turn later', 'later']) {
      const server = await poisoned(t, poison);
      const { upstreams } = rig(t, [server.endpoint]);
      const first = await send(upstreams, { target: '/first' }).done;
      t.notMatch(first.body, 'stolen', name);
      if (pause === 'a turn later') await new Promise((resolve) => setImmediate(resolve));
      if (pause === 'later') await new Promise((resolve) => setTimeout(resolve, 20));
      const second = await send(upstreams, { target: '/second' }).done;
      t.equal(second.body, '/second', `${name}, ${pause}`);
      await upstreams.destroy();
    }
  }
});

void t.test('a response to HEAD that brings a body spoils no other request', async (t) => {
  for (const body of [stolen, `HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n${stolen}`]) {
    const poison = `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    for (const split of [poison.length, poison.length - body.length]) {
      const server = await poisoned(t, (socket) =>
        later(socket, poison.slice(0, split), poison.slice(split)),
      );
      const { upstreams } = rig(t, [server.endpoint]);
      t.equal((await send(upstreams, { method: 'HEAD', target: '/first' }).done).body, '');
      t.equal((await send(upstreams, { target: '/second' }).done).body, '/second');
    }
  }
});

void t.test('a connection on which a request body is still owed carries no other request', async (t) => {
  // The upstream answers at once and would take the next request for the rest of the body.
  let second = '';
  const server = await rawServer(t, (socket, index) => {
    socket.on('data', (chunk) => {
      if (index === 0) socket.write(response('early'));
      else second += chunk.toString('latin1');
      if (second.endsWith('\r\n\r\n')) socket.write(response('ok'));
    });
  });
  const { upstreams } = rig(t, [server.endpoint]);
  const open = new PassThrough();
  open.write('part');
  t.equal(
    (await send(upstreams, { method: 'POST', body: { stream: open, length: 100 } }).done).body,
    'early',
  );
  t.equal((await send(upstreams, { target: '/next' }).done).body, 'ok');
  t.match(second, /^GET \/next /);
  t.equal(server.sockets.length, 2);
});

void t.test('a body whose bytes look like a response stays a body', async (t) => {
  for (const answer of [
    response(stolen),
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${stolen.length.toString(16)}\r\n${stolen}\r\n0\r\n\r\n`,
    `HTTP/1.1 100 Continue\r\n\r\n${response(stolen)}`,
  ]) {
    const server = await poisoned(t, (socket) => socket.write(answer));
    const { upstreams } = rig(t, [server.endpoint]);
    t.equal((await send(upstreams).done).body, stolen);
  }
});

void t.test('a gzip transfer coding is no framing to trust: the connection is not kept', async (t) => {
  const server = await poisoned(t, (socket) => {
    socket.end(`HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nmine${stolen}`);
  });
  const { upstreams } = rig(t, [server.endpoint]);
  await send(upstreams, { target: '/first' }).done;
  t.equal((await send(upstreams, { target: '/second' }).done).body, '/second');
});

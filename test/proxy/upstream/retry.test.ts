import type { Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import t, { type Test } from 'tap';
import {
  bodyOf,
  deadEndpoint,
  eachRequest,
  type RawServer,
  rawServer,
  response,
  rig,
  send,
  until,
} from './support.ts';

const ok = (t: Test): Promise<RawServer> =>
  rawServer(
    t,
    eachRequest((socket) => socket.write(response('ok'))),
  );
const closing = (t: Test): Promise<RawServer> =>
  rawServer(t, (socket) => socket.once('data', () => socket.destroy()));

void t.test(
  'a refused connection is tried at the next endpoint, with any method and its whole body',
  async (t) => {
    for (const method of ['GET', 'POST', 'PATCH', 'FROB']) {
      const dead = await deadEndpoint();
      let body = '';
      const good = await rawServer(t, (socket) => {
        socket.on('data', (chunk) => {
          body += chunk.toString('latin1');
          if (body.endsWith('hello')) socket.write(response('ok'));
        });
      });
      const { upstreams, events } = rig(t, [dead, good.endpoint]);
      const { call, done } = send(upstreams, { method, body: { stream: bodyOf('hello'), length: 5 } });
      t.equal((await done).body, 'ok', method);
      t.equal(call.record.tries, 2);
      t.equal(call.record.endpoint, good.endpoint.name);
      t.match(events, [{ kind: 'retry', upstream: 'app', endpoint: good.endpoint.name, detail: /refused/ }]);
      t.same(
        upstreams.status().map(({ failures, active }) => [failures, active]),
        [
          [1, 0],
          [0, 0],
        ],
      );
    }
  },
);

void t.test(
  'a connection that breaks before a response is tried elsewhere for idempotent methods only',
  async (t) => {
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'POST', 'PATCH', 'FROB']) {
      const [bad, good] = [await closing(t), await ok(t)];
      const { upstreams, events } = rig(t, [bad.endpoint, good.endpoint]);
      const outcome = await send(upstreams, { method }).done;
      const idempotent = ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'].includes(method);
      t.equal(outcome.failure?.reason ?? 'ok', idempotent ? 'ok' : 'upstream_reset', method);
      t.equal(good.sockets.length, idempotent ? 1 : 0, method);
      t.equal(events.length, idempotent ? 1 : 0, method);
    }
  },
);

void t.test('a request whose body has begun is never sent twice', async (t) => {
  const [bad, good] = [await closing(t), await ok(t)];
  const { upstreams } = rig(t, [bad.endpoint, good.endpoint]);
  const stream = new PassThrough();
  const { done } = send(upstreams, { method: 'PUT', body: { stream, length: 100 } });
  stream.write('begun');
  t.equal((await done).failure?.reason, 'upstream_reset');
  t.equal(good.sockets.length, 0);
});

void t.test('a status is an answer, never a reason to try again', async (t) => {
  for (const status of [429, 500, 502, 503, 504]) {
    const answer = `HTTP/1.1 ${status} Odd\r\nContent-Length: 0\r\n\r\n`;
    const bad = await rawServer(
      t,
      eachRequest((socket) => socket.write(answer)),
    );
    const good = await ok(t);
    const { upstreams } = rig(t, [bad.endpoint, good.endpoint]);
    t.equal((await send(upstreams).done).status, status);
    t.equal(good.sockets.length, 0);
    t.equal(upstreams.status()[0]?.failures, 0);
  }
});

void t.test('once a byte of a response has come nothing is tried again', async (t) => {
  for (const bytes of ['H', 'HTTP/1.1 200 OK\r\n', 'HTTP/1.1 103 Early Hints\r\n\r\n', 'junk\r\n\r\n']) {
    const bad = await rawServer(t, (socket) => socket.once('data', () => socket.end(bytes)));
    const good = await ok(t);
    const { upstreams } = rig(t, [bad.endpoint, good.endpoint]);
    t.ok((await send(upstreams).done).failure, bytes);
    t.equal(good.sockets.length, 0, bytes);
  }
});

void t.test('a read time-out is not tried again: the request may well be at work', async (t) => {
  const silent = await rawServer(t, (socket) => socket.resume());
  const good = await ok(t);
  const { upstreams } = rig(t, [silent.endpoint, good.endpoint]);
  const outcome = await send(upstreams, { timeouts: { connectMs: 1000, sendMs: 1000, readMs: 50 } }).done;
  t.equal(outcome.failure?.reason, 'upstream_read_timeout');
  t.equal(good.sockets.length, 0);
});

void t.test('no more endpoints are tried than configured, none of them twice', async (t) => {
  const servers = await Promise.all([1, 2, 3, 4].map(() => closing(t)));
  for (const tries of [1, 2, 3, 10]) {
    const before = servers.map(({ sockets }) => sockets.length);
    const { upstreams, events } = rig(
      t,
      servers.map(({ endpoint }) => endpoint),
      { tries },
    );
    const { call, done } = send(upstreams);
    t.equal((await done).failure?.reason, 'upstream_reset');
    const expected = Math.min(tries, 4);
    t.equal(call.record.tries, expected);
    t.same(
      servers.map(({ sockets }, index) => sockets.length - before[index]!),
      [1, 2, 3, 4].map((n) => (n <= expected ? 1 : 0)),
    );
    t.equal(events.filter(({ kind }) => kind === 'retry').length, expected - 1);
  }
});

/** A server that answers the first request of its first connection, then closes it in a way of its own. */
async function closesKept(
  t: Test,
  close: (socket: Socket) => void,
): Promise<{ server: RawServer; heads: string[] }> {
  const heads: string[] = [];
  const server = await rawServer(t, (socket, index) => {
    let n = 0;
    eachRequest((socket, head) => {
      heads.push(head.slice(0, head.indexOf(' ')));
      if (index === 0 && n++ === 1) close(socket);
      else socket.write(response(`answer ${index}`));
    })(socket);
  });
  return { server, heads };
}

void t.test('a kept connection closed by the upstream is replaced, and held against nobody', async (t) => {
  for (const tries of [1, 3]) {
    const { server, heads } = await closesKept(t, (socket) => socket.destroy());
    const { upstreams, events } = rig(t, [server.endpoint], { tries });
    t.equal((await send(upstreams).done).body, 'answer 0');
    const { call, done } = send(upstreams);
    t.equal((await done).body, 'answer 1');
    t.equal(call.record.tries, 2);
    t.same(heads, ['GET', 'GET', 'GET']);
    t.match(events, [{ kind: 'retry', endpoint: server.endpoint.name }]);
    t.equal(upstreams.status()[0]?.failures, 0);
    t.equal(upstreams.status()[0]?.active, 0);
  }
});

void t.test('a POST on a kept connection that breaks is not sent twice', async (t) => {
  const { server, heads } = await closesKept(t, (socket) => socket.resetAndDestroy());
  const { upstreams } = rig(t, [server.endpoint]);
  await send(upstreams).done;
  t.equal((await send(upstreams, { method: 'POST' }).done).failure?.reason, 'upstream_reset');
  t.same(heads, ['GET', 'POST']);
  t.equal(upstreams.status()[0]?.failures, 0);
});

void t.test(
  'a request that meets a kept connection just as the upstream closes it is not lost',
  async (t) => {
    // The close is on its way, or already there and unread, when the request is sent.
    for (const [name, close] of Object.entries<(socket: Socket) => void>({
      end: (socket) => socket.end(),
      reset: (socket) => socket.resetAndDestroy(),
    })) {
      const server = await rawServer(
        t,
        eachRequest((socket) => socket.write(response('ok'))),
      );
      const { upstreams } = rig(t, [server.endpoint], { tries: 1 });
      for (let n = 0; n < 100; n++) {
        await send(upstreams).done;
        close(server.sockets.at(-1)!);
        if (n % 2 === 0) await new Promise((resolve) => setImmediate(resolve));
        const method = n % 3 === 0 ? 'PUT' : 'GET';
        const outcome = await send(upstreams, { method }).done;
        t.equal(outcome.failure, null, `${name} ${n}: ${outcome.failure?.detail}`);
      }
    }
  },
);

void t.test('a body not yet read goes with the request to a new connection', async (t) => {
  let received = '';
  const server = await rawServer(t, (socket, index) => {
    socket.on('data', (chunk) => {
      if (index === 0) socket.write(response('ok'));
      received += chunk.toString('latin1');
      if (received.endsWith('late')) socket.write(response('done'));
    });
  });
  const { upstreams } = rig(t, [server.endpoint]);
  await send(upstreams).done;
  const stream = new PassThrough();
  const { done } = send(upstreams, { method: 'POST', body: { stream, length: 4 } });
  server.sockets[0]!.destroy();
  await until(() => server.sockets.length === 2);
  stream.end('late');
  t.equal((await done).body, 'done');
});

void t.test('a kept connection that breaks leads to the next endpoint when its own is gone', async (t) => {
  const good = await ok(t);
  const gone = await rawServer(t, (socket, index) => {
    let n = 0;
    eachRequest((socket) => {
      if (n++ === 0 && index === 0) socket.write(response('gone'));
      else void gone.stop();
    })(socket);
  });
  const { upstreams } = rig(t, [gone.endpoint, good.endpoint]);
  await send(upstreams).done;
  await send(upstreams).done;
  const { call, done } = send(upstreams);
  t.equal((await done).body, 'ok');
  t.equal(call.record.endpoint, good.endpoint.name);
  t.same(
    upstreams.status().map(({ failures }) => failures),
    [1, 0],
  );
});

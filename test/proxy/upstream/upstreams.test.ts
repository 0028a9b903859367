import type { UpstreamTls } from '../../../src/snapshot/snapshot.ts';
import t, { type Test } from 'tap';
import {
  deadEndpoint,
  eachRequest,
  endpointOf,
  type RawServer,
  rawServer,
  requestOf,
  response,
  rig,
  send,
  until,
  upstreamOf,
  usualTls,
} from './support.ts';

/** A server that answers each request with its own name. */
const named = (t: Test, name: string): Promise<RawServer> =>
  rawServer(
    t,
    eachRequest((socket) => socket.write(response(name))),
  );

const endpoints = (servers: readonly RawServer[]): RawServer['endpoint'][] =>
  servers.map(({ endpoint }) => endpoint);
const bodies = async (count: number, ask: () => ReturnType<typeof send>): Promise<string> => {
  let text = '';
  for (let n = 0; n < count; n++) text += (await ask().done).body;
  return text;
};

void t.test('round robin goes over all endpoints', async (t) => {
  const servers = [await named(t, 'a'), await named(t, 'b'), await named(t, 'c')];
  const { upstreams } = rig(t, endpoints(servers));
  t.equal(await bodies(7, () => send(upstreams)), 'abcabca');
});

void t.test('proxies start with different endpoints', async (t) => {
  const servers = [await named(t, 'a'), await named(t, 'b'), await named(t, 'c')];
  const { upstreams } = rig(t, endpoints(servers), {}, { random: () => 0.5 });
  t.equal(await bodies(3, () => send(upstreams)), 'bca');
});

void t.test('least connections avoids the endpoint that is busy', async (t) => {
  const slow = await rawServer(t, (socket) => socket.resume());
  const servers = [slow, await named(t, 'b')];
  const { upstreams } = rig(t, endpoints(servers), { balance: 'least_connections' });
  const { call } = send(upstreams);
  await until(() => slow.sockets.length === 1);
  t.equal(await bodies(4, () => send(upstreams)), 'bbbb');
  t.same(
    upstreams.status().map(({ active }) => active),
    [1, 0],
  );
  call.abort();
});

void t.test('an endpoint named twice is one endpoint', async (t) => {
  const dead = await deadEndpoint();
  const { upstreams } = rig(t, [dead, dead, { ...dead }]);
  const { call, done } = send(upstreams);
  await done;
  t.equal(call.record.tries, 1);
  t.equal(upstreams.status().length, 1);
});

void t.test('an endpoint that fails again and again is left out, then let back in', async (t) => {
  let now = 1000;
  const bad = await rawServer(t, (socket) => socket.once('data', () => socket.destroy()));
  const good = await named(t, 'g');
  const { upstreams, events } = rig(
    t,
    [bad.endpoint, good.endpoint],
    { ejection: { failures: 2, durationMs: 1000, maxDurationMs: 3000 }, tries: 1 },
    { now: () => now },
  );
  const ask = async (): Promise<string> => (await send(upstreams).done).failure?.reason ?? 'ok';
  t.same([await ask(), await ask(), await ask()], ['upstream_reset', 'ok', 'upstream_reset']);
  const event = { upstream: 'app', endpoint: bad.endpoint.name };
  t.same(events, [{ ...event, kind: 'ejected', forMs: 1000 }]);
  t.same([await ask(), await ask(), await ask()], ['ok', 'ok', 'ok']);
  t.equal(bad.sockets.length, 2);
  t.match(upstreams.status()[0], { ejectedForMs: 1000, failures: 2, healthy: true });
  now += 1000;
  t.match(upstreams.status()[0], { ejectedForMs: 0 });
  t.same(events.slice(1), [{ ...event, kind: 'readmitted' }]);
  const answers = [await ask(), await ask()].sort();
  t.same(answers, ['ok', 'upstream_reset'], 'one more failure is enough');
  t.same(events.slice(2), [{ ...event, kind: 'ejected', forMs: 2000 }]);
});

void t.test('the last endpoint is never ejected', async (t) => {
  const bad = await rawServer(t, (socket) => socket.once('data', () => socket.destroy()));
  const { upstreams, events } = rig(t, [bad.endpoint]);
  for (let n = 0; n < 10; n++) t.equal((await send(upstreams).done).failure?.reason, 'upstream_reset');
  t.same(events, []);
  t.equal(upstreams.status()[0]?.failures, 10);
});

void t.test('clients that leave are held against no endpoint', async (t) => {
  const slow = await rawServer(t, (socket) => socket.resume());
  const { upstreams, events } = rig(t, [slow.endpoint, slow.endpoint]);
  for (let n = 0; n < 10; n++) {
    const { call } = send(upstreams);
    await until(() => slow.sockets.length === n + 1);
    call.abort();
  }
  t.same(events, []);
  t.equal(upstreams.status()[0]?.failures, 0);
});

void t.test('an upstream whose key is unchanged keeps its connections over a reload', async (t) => {
  const server = await named(t, 'a');
  const { upstreams } = rig(t, []);
  const upstream = upstreamOf([server.endpoint]);
  upstreams.update(new Map([['app', upstream]]));
  await send(upstreams).done;
  upstreams.update(new Map([['app', { ...upstream }]]));
  await send(upstreams).done;
  t.equal(server.sockets.length, 1);
});

void t.test('endpoints that stay keep connections, failures and turn when others come and go', async (t) => {
  const [a, b, c] = [await named(t, 'a'), await named(t, 'b'), await named(t, 'c')] as const;
  const { upstreams } = rig(t, endpoints([a, b]));
  t.equal(await bodies(3, () => send(upstreams)), 'aba');
  upstreams.update(new Map([['app', upstreamOf(endpoints([a, b, c]))]]));
  t.equal(await bodies(3, () => send(upstreams)), 'bca', 'goes on with the endpoint whose turn it was');
  t.same([a.sockets.length, b.sockets.length], [1, 1]);
  upstreams.update(new Map([['app', upstreamOf(endpoints([b, c]))]]));
  await until(() => a.sockets[0]!.destroyed);
  t.equal(await bodies(2, () => send(upstreams)), 'bc');
  t.equal(b.sockets.length, 1);
});

void t.test('a change of identity or trust uses no older connection', async (t) => {
  const server = await named(t, 'a');
  const { upstreams } = rig(t, [server.endpoint]);
  await send(upstreams).done;
  const keepAlive = { connections: 3, timeoutMs: 1000 };
  upstreams.update(new Map([['app', upstreamOf([server.endpoint], { keepAlive })]]));
  await until(() => server.sockets[0]!.destroyed);
  await send(upstreams).done;
  t.equal(server.sockets.length, 2);
  const tls: UpstreamTls = { verify: true, ca: null, ...usualTls };
  upstreams.update(new Map([['app', upstreamOf([server.endpoint], { keepAlive, tls })]]));
  await until(() => server.sockets[1]!.destroyed);
  const timeouts = { connectMs: 50, sendMs: 50, readMs: 50 };
  t.ok((await send(upstreams, { timeouts }).done).failure);
});

void t.test('a request under way when its upstream goes finishes, then its connection closes', async (t) => {
  const server = await rawServer(t, (socket) =>
    socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\n')),
  );
  const { upstreams } = rig(t, [server.endpoint]);
  const { done } = send(upstreams);
  await until(() => server.sockets.length === 1 && server.sockets[0]!.bytesWritten > 0);
  upstreams.update(new Map());
  t.same(upstreams.status(), []);
  t.equal((await send(upstreams).done).failure?.reason, 'upstream_none');
  server.sockets[0]!.write('Content-Length: 4\r\n\r\nlate');
  t.equal((await done).body, 'late');
  await until(() => server.sockets[0]!.destroyed);
});

void t.test('closing takes no new requests and waits for those under way', async (t) => {
  const server = await rawServer(t, (socket) => socket.resume());
  const { upstreams } = rig(t, [server.endpoint]);
  const { done } = send(upstreams);
  await until(() => server.sockets.length === 1);
  let closed = false;
  const closing = upstreams.close().then(() => {
    closed = true;
  });
  t.equal((await send(upstreams).done).failure?.reason, 'upstream_none');
  upstreams.update(new Map([['app', upstreamOf([server.endpoint])]]));
  t.equal((await send(upstreams).done).failure?.reason, 'upstream_none', 'a late reload opens nothing');
  t.equal(closed, false);
  server.sockets[0]!.write(response('late'));
  t.equal((await done).body, 'late');
  await closing;
  await until(() => server.sockets[0]!.destroyed);
  await upstreams.close();
});

void t.test('destroying cuts off what is under way', async (t) => {
  const server = await rawServer(t, (socket, index) => {
    socket.resume();
    if (index === 0) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf');
  });
  const { upstreams } = rig(t, [server.endpoint]);
  const first = send(upstreams);
  await first.head;
  const second = send(upstreams);
  await until(() => server.sockets.length === 2);
  const tunnel = await upstreams.connect('app', { connectMs: 1000 });
  let released = false;
  tunnel.socket.on('close', () => {
    released = true;
    tunnel.release();
  });
  await upstreams.destroy();
  t.equal((await first.done).failure?.reason, 'upstream_truncated');
  t.equal((await second.done).failure?.reason, 'upstream_reset');
  t.equal(released, true);
  await until(() => server.sockets.every(({ destroyed }) => destroyed));
});

void t.test('a thousand requests at once leave nothing behind', async (t) => {
  const servers = [await named(t, 'a'), await named(t, 'b')];
  const { upstreams } = rig(t, [...endpoints(servers), await deadEndpoint()], {
    ejection: { failures: 5, durationMs: 10, maxDurationMs: 20 },
  });
  const all = await Promise.all(
    Array.from({ length: 1000 }, async (_, n) => {
      const sent = send(upstreams);
      if (n % 7 === 0) {
        setImmediate(() => sent.call.abort());
        return null;
      }
      return sent.done;
    }),
  );
  t.same([...new Set(all.map((outcome) => outcome?.failure ?? null))], [null]);
  t.same(
    upstreams.status().map(({ active }) => active),
    [0, 0, 0],
  );
  await until(() => upstreams.status().every(({ idle }) => idle <= 16));
  await upstreams.close();
});

void t.test('the handler hears nothing before send returns', async (t) => {
  const { upstreams } = rig(t, []);
  let returned = false;
  const heard = Promise.withResolvers<boolean>();
  upstreams.send(requestOf(), {
    onInformation: () => {},
    onResponse: () => {},
    onData: () => true,
    onEnd: () => {},
    onError: () => heard.resolve(returned),
  });
  returned = true;
  t.equal(await heard.promise, true);
});

void t.test('an address that cannot be connected to is an error, not a crash', async (t) => {
  for (const endpoint of [
    endpointOf('256.256.256.256', 80),
    endpointOf('', 1),
    endpointOf('127.0.0.1', 99_999),
  ]) {
    const { upstreams } = rig(t, [endpoint]);
    t.ok((await send(upstreams, { timeouts: { connectMs: 500, sendMs: 500, readMs: 500 } }).done).failure);
  }
});

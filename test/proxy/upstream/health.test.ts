import type { UpstreamTls } from '../../../src/snapshot/snapshot.ts';
import t, { type Test } from 'tap';
import type { UpstreamEvent } from '../../../src/observe/observer.ts';
import type { Health } from '../../../src/snapshot/snapshot.ts';
import { createAuthority } from '../../support/pki.ts';
import {
  deadEndpoint,
  eachRequest,
  type RawServer,
  rawServer,
  response,
  rig,
  send,
  until,
  upstreamOf,
  usualTls,
} from './support.ts';

const health: Health = {
  path: '/ready?x=1',
  host: null,
  intervalMs: 10,
  timeoutMs: 500,
  healthyAfter: 2,
  unhealthyAfter: 2,
};

/** A server whose health can be changed; everything else it answers with 200. */
async function patient(
  t: Test,
): Promise<{ server: RawServer; say: (answer: string) => void; heads: string[] }> {
  let answer = response('fine');
  const heads: string[] = [];
  const server = await rawServer(
    t,
    eachRequest((socket, head) => {
      const check = head.startsWith('GET /ready');
      if (check) heads.push(head);
      const text = check ? answer : response('served');
      if (text !== '') socket.write(text);
    }),
  );
  return { server, heads, say: (next) => (answer = next) };
}

const kinds = (events: readonly UpstreamEvent[]): string => events.map(({ kind }) => kind).join(' ');
const status = (code: number): string => `HTTP/1.1 ${code} Odd\r\nContent-Length: 0\r\n\r\n`;

void t.test('a check is a GET of the path, over a connection of its own, with a Host', async (t) => {
  const { server, heads } = await patient(t);
  const { upstreams } = rig(t, [server.endpoint], { health });
  await until(() => heads.length >= 2);
  t.match(heads[0], /^GET \/ready\?x=1 HTTP\/1\.1\r\n/);
  t.match(heads[0], `host: ${server.endpoint.name}\r\n`);
  t.match(heads[0], /connection: close\r\n/);
  t.equal(upstreams.status()[0]?.active, 0);
  await until(() => server.sockets[0]!.destroyed);
  upstreams.update(
    new Map([['app', upstreamOf([server.endpoint], { health: { ...health, host: 'h.test' } })]]),
  );
  const seen = heads.length;
  await until(() => heads.length > seen + 1);
  t.match(heads.at(-1), 'host: h.test\r\n');
});

void t.test('endpoints serve until checks say otherwise, and again when they are well', async (t) => {
  const { server, say } = await patient(t);
  const { upstreams, events } = rig(t, [server.endpoint], { health });
  t.equal((await send(upstreams).done).body, 'served');
  say(status(503));
  await until(() => events.length === 1);
  t.match(events[0], { kind: 'unhealthy', endpoint: server.endpoint.name, detail: 'status 503' });
  t.equal(upstreams.status()[0]?.healthy, false);
  const { call, done } = send(upstreams);
  t.equal((await done).failure?.reason, 'upstream_none', 'even the last one');
  t.equal(call.record.endpoint, null);
  say(status(204));
  await until(() => events.length === 2);
  t.equal(kinds(events), 'unhealthy healthy');
  t.equal((await send(upstreams).done).body, 'served');
});

void t.test('2xx and 3xx are well; 1xx alone, 4xx, 5xx, junk, silence and refusal are not', async (t) => {
  for (const code of [200, 204, 301, 399]) {
    const { server, heads, say } = await patient(t);
    say(status(code));
    const { events } = rig(t, [server.endpoint], { health });
    await until(() => heads.length > 3);
    t.same(events, [], String(code));
  }
  const bad = {
    '400': status(400),
    '404': status(404),
    '500': status(500),
    '600': status(600),
    junk: 'junk\r\n\r\n',
    '101': 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n',
    '103': 'HTTP/1.1 103 Early Hints\r\n\r\n',
    silence: '',
  };
  for (const [name, answer] of Object.entries(bad)) {
    const { server, say } = await patient(t);
    say(answer);
    const { events } = rig(t, [server.endpoint], { health: { ...health, timeoutMs: 50 } });
    await until(() => events.length > 0);
    t.match(events, [{ kind: 'unhealthy', detail: /./ }], name);
  }
  const { events } = rig(t, [await deadEndpoint()], { health });
  await until(() => events.length > 0);
  t.match(events, [{ kind: 'unhealthy', detail: /upstream_refused/ }]);
});

void t.test('an endless or slow answer is cut off: the status is enough', async (t) => {
  const server = await rawServer(
    t,
    eachRequest((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
    }),
  );
  const { events } = rig(t, [server.endpoint], { health });
  await until(() => server.sockets.length > 3 && server.sockets[0]!.destroyed);
  t.same(events, []);
});

void t.test('checks verify TLS as requests do', async (t) => {
  const root = await createAuthority({ cn: 'Root' });
  const leaf = await root.issue({ hosts: ['127.0.0.1'], usage: 'server' });
  const server = await rawServer(
    t,
    eachRequest((socket) => socket.write(response('fine'))),
    { tls: { cert: leaf.bundle, key: leaf.key } },
  );
  const tls: UpstreamTls = { verify: true, ca: root.cert, ...usualTls };
  const good = rig(t, [server.endpoint], { health, tls });
  await until(() => server.sockets.length > 3);
  t.same(good.events, []);
  const bad = rig(t, [server.endpoint], { health, tls: { ...tls, serverName: 'other.test' } });
  await until(() => bad.events.length > 0);
  t.match(bad.events, [{ kind: 'unhealthy', detail: /upstream_tls/ }]);
});

void t.test(
  'an unhealthy endpoint stays so over a reload that keeps its checks, not over one without',
  async (t) => {
    const { server, say } = await patient(t);
    say(status(500));
    const { upstreams, events } = rig(t, [server.endpoint], { health });
    await until(() => events.length === 1);
    const slower = { ...health, intervalMs: 60_000 };
    upstreams.update(new Map([['app', upstreamOf([server.endpoint], { health: slower })]]));
    t.equal(upstreams.status()[0]?.healthy, false);
    upstreams.update(new Map([['app', upstreamOf([server.endpoint])]]));
    t.equal(upstreams.status()[0]?.healthy, true, 'nothing would ever find it well again');
  },
);

void t.test('checks stop with their upstream, those under way included', async (t) => {
  const { server, heads, say } = await patient(t);
  say('');
  const { upstreams, events } = rig(t, [server.endpoint], { health: { ...health, timeoutMs: 60_000 } });
  await until(() => heads.length === 1);
  upstreams.update(new Map());
  await until(() => server.sockets[0]!.destroyed);
  const seen = server.sockets.length;
  await new Promise((resolve) => setTimeout(resolve, 100));
  t.equal(server.sockets.length, seen);
  t.same(events, []);
});

void t.test('checks stray around their interval, the first within a second', async (t) => {
  const { server, heads } = await patient(t);
  let random = 0;
  const { upstreams } = rig(t, [], {}, { random: () => (random = (random + 0.37) % 1) });
  upstreams.update(
    new Map([['app', upstreamOf([server.endpoint], { health: { ...health, intervalMs: 30 } })]]),
  );
  const times: number[] = [];
  let seen = 0;
  await until(() => {
    if (heads.length > seen) times.push(performance.now());
    seen = heads.length;
    return seen > 8;
  });
  const gaps = times.slice(1).map((time, index) => time - times[index]!);
  t.ok(
    gaps.every((gap) => gap >= 26),
    gaps.join(' '),
  );
});

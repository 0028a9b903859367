import { once } from 'node:events';
import type { UpstreamTls } from '../../../src/snapshot/snapshot.ts';
import t from 'tap';
import { UpstreamError } from '../../../src/proxy/upstream/upstreams.ts';
import { createAuthority } from '../../support/pki.ts';
import { deadEndpoint, rawServer, rig, until, usualTls } from './support.ts';

const time = { connectMs: 2000 };
const echo = (t: Parameters<typeof rawServer>[0], more = {}): ReturnType<typeof rawServer> =>
  rawServer(t, (socket) => socket.pipe(socket), more);

const reasonOf = async (promise: Promise<unknown>): Promise<string> => {
  try {
    await promise;
    return 'connected';
  } catch (error) {
    if (error instanceof UpstreamError) return error.failure.reason;
    throw error;
  }
};

void t.test('a tunnel is a raw socket, counted until it is released', async (t) => {
  const server = await echo(t);
  const { upstreams } = rig(t, [server.endpoint]);
  const { socket, endpoint, release } = await upstreams.connect('app', time);
  t.equal(endpoint, server.endpoint.name);
  t.equal(upstreams.status()[0]?.active, 1);
  socket.write('not HTTP at all');
  const [echoed] = (await once(socket, 'data')) as [Buffer];
  t.equal(echoed.toString(), 'not HTTP at all');
  release();
  release();
  t.equal(upstreams.status()[0]?.active, 0);
  t.equal(socket.destroyed, true);
  await upstreams.close();
});

void t.test('a tunnel over TLS is verified as requests are', async (t) => {
  const root = await createAuthority({ cn: 'Root' });
  const leaf = await root.issue({ hosts: ['127.0.0.1'], usage: 'server' });
  const server = await echo(t, { tls: { cert: leaf.bundle, key: leaf.key } });
  const tls: UpstreamTls = { verify: true, ca: root.cert, ...usualTls };
  const good = await rig(t, [server.endpoint], { tls }).upstreams.connect('app', time);
  good.socket.write('hello');
  t.equal(String((await once(good.socket, 'data'))[0]), 'hello');
  good.release();
  const bad = rig(t, [server.endpoint], { tls: { ...tls, serverName: 'other.test' } });
  t.equal(await reasonOf(bad.upstreams.connect('app', time)), 'upstream_tls');
  t.match(bad.upstreams.status(), [{ active: 0, failures: 1 }]);
});

void t.test('a tunnel goes to the next endpoint when one refuses', async (t) => {
  const server = await echo(t);
  const { upstreams, events } = rig(t, [await deadEndpoint(), server.endpoint]);
  const { endpoint, release } = await upstreams.connect('app', time);
  t.equal(endpoint, server.endpoint.name);
  t.match(events, [{ kind: 'retry', endpoint }]);
  release();
  t.match(upstreams.status(), [
    { active: 0, failures: 1 },
    { active: 0, failures: 0 },
  ]);
});

void t.test('a tunnel that cannot be made says why', async (t) => {
  const { upstreams } = rig(t, [await deadEndpoint()]);
  t.equal(await reasonOf(upstreams.connect('app', time)), 'upstream_refused');
  t.equal(await reasonOf(upstreams.connect('other', time)), 'upstream_none');
  t.equal(await reasonOf(rig(t, []).upstreams.connect('app', time)), 'upstream_none');
  await upstreams.close();
});

void t.test('a failure given with the release counts against the endpoint', async (t) => {
  const server = await echo(t);
  const { upstreams } = rig(t, [server.endpoint]);
  const { release } = await upstreams.connect('app', time);
  release({ reason: 'upstream_protocol', detail: 'not what was asked for' });
  t.match(upstreams.status(), [{ active: 0, failures: 1 }]);
});

void t.test('an aborted signal gives the connection up', async (t) => {
  const silent = await rawServer(t, (socket) => socket.resume());
  const tls: UpstreamTls = { verify: true, ca: null, ...usualTls };
  const { upstreams } = rig(t, [silent.endpoint], { tls });
  const controller = new AbortController();
  const opening = upstreams.connect('app', time, controller.signal);
  const gone = t.rejects(opening, { message: 'client gone' });
  await until(() => silent.sockets.length === 1);
  controller.abort(new Error('client gone'));
  await gone;
  await until(() => silent.sockets[0]!.destroyed);
  t.match(upstreams.status(), [{ active: 0, failures: 0 }]);
  await t.rejects(upstreams.connect('app', time, controller.signal), { message: 'client gone' });
  t.match(upstreams.status(), [{ active: 0 }]);
  await upstreams.close();
});

void t.test('closing waits for tunnels, destroying cuts them', async (t) => {
  const server = await echo(t);
  const { upstreams } = rig(t, [server.endpoint]);
  const { socket, release } = await upstreams.connect('app', time);
  let closed = false;
  const closing = upstreams.close().then(() => {
    closed = true;
  });
  socket.write('still here');
  t.equal(String((await once(socket, 'data'))[0]), 'still here');
  t.equal(closed, false);
  socket.on('close', () => release());
  await upstreams.destroy();
  await closing;
  t.equal(socket.destroyed, true);
});

import { once } from 'node:events';
import { Agent, request as httpsRequest } from 'node:https';
import t from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import { createAuthority } from '../support/pki.ts';
import { completeConfig, startBackend, startProxy, type PartialConfig } from '../support/proxy.ts';

const reloads = 50;
/** A request every so many milliseconds, 200 a second: by turns on a kept and on a new connection. */
const pace = 5;

const root = await createAuthority({ cn: 'Root A' });
const added = await createAuthority({ cn: 'Root B' });
const client = await root.issue({ ou: 'ITOps', cn: 'roshankhatri' });
const hosts = { hosts: ['a.test', 'b.test'], usage: 'server' } as const;
const servers = [await root.issue({ cn: 'one', ...hosts }), await root.issue({ cn: 'two', ...hosts })];

await t.test('50 reloads under load lose no request and reset no connection', async (t) => {
  const backends = [await startBackend(t), await startBackend(t)];
  for (const { server } of backends) {
    const sockets = new WebSocketServer({ server });
    t.teardown(() => sockets.close());
    sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(data)));
  }
  const config = (step: number): PartialConfig => {
    const routes = [
      { path: '/', upstream: 'backend', policy: { ou: step % 4 < 2 ? 'ITOps' : ['ITOps', 'Sales'] } },
      ...(step % 3 === 0 ? [{ path: '/more', upstream: 'backend' }] : []),
    ];
    const certificate = { cert: 'server.pem', key: 'server.key' };
    return {
      hosts: [
        { names: ['a.test'], certificate, clientAuth: { mode: 'require', ca: 'ca.pem' }, routes },
        { names: ['b.test'], certificate, clientAuth: { mode: 'require', ca: 'growing.pem' }, routes },
      ],
      upstreams: { backend: { endpoints: [backends[(step >> 1) % 2]!.endpoint] } },
    };
  };
  const files = (step: number): Record<string, string> => {
    const server = servers[step % 2]!;
    const growing = step % 5 < 2 ? root.cert : root.cert + added.cert;
    return {
      'server.pem': server.bundle,
      'server.key': server.key,
      'ca.pem': root.cert,
      'growing.pem': growing,
    };
  };
  const broken = (step: number): Record<string, string> =>
    [{ 'growing.pem': '\n' }, { 'server.key': client.key }, { 'ca.pem': 'nonsense' }][step % 3] as Record<
      string,
      string
    >;

  const proxy = await startProxy(t, config(0), files(0));
  const credentials = { cert: client.bundle, key: client.key, rejectUnauthorized: false };
  const kept = new Agent({ ...credentials, keepAlive: true, maxSockets: 8 });
  const fresh = new Agent({ ...credentials, keepAlive: false, maxCachedSessions: 0 });
  t.teardown(() => [kept, fresh].forEach((agent) => agent.destroy()));

  const answers = new Map<string, number>();
  const count = (answer: string): void => void answers.set(answer, (answers.get(answer) ?? 0) + 1);
  // RFC 9110 §15.5.20: a 421 may be asked again on another connection. It comes where the trust store changed
  // between handshake and request, so only of the host whose CAs change.
  const ask = (agent: Agent, host: string, again = host === 'b.test'): Promise<void> =>
    new Promise((resolve) => {
      const options = { host: '127.0.0.1', port: proxy.port, servername: host, headers: { host }, agent };
      httpsRequest(options, (response) => {
        response.resume().on('close', () => {
          if (again && response.statusCode === 421) {
            resolve(ask(fresh, host, false));
            return;
          }
          count(response.complete ? String(response.statusCode) : 'cut off');
          resolve();
        });
      })
        .on('error', (error) => {
          count(error.message);
          resolve();
        })
        .end();
    });

  const tunnels = await Promise.all(
    Array.from({ length: 10 }, async () => {
      const options = { ...credentials, servername: 'a.test', headers: { host: 'a.test' } };
      const socket = new WebSocket(`wss://127.0.0.1:${proxy.port}/`, options);
      t.teardown(() => socket.terminate());
      let echoes = 0;
      socket.on('message', () => {
        echoes++;
        socket.send('ping');
      });
      await once(socket, 'open');
      // One message at a time goes round and round.
      socket.send('ping');
      return { socket, echoes: () => echoes };
    }),
  );

  const pending: Promise<void>[] = [];
  let number = 0;
  const load = setInterval(() => {
    number++;
    pending.push(number % 2 === 0 ? ask(kept, 'a.test') : ask(fresh, number % 4 === 1 ? 'a.test' : 'b.test'));
  }, pace);
  t.teardown(() => clearInterval(load));
  const refused: number[] = [];
  for (let step = 1; step <= reloads; step++) {
    const before = pending.length;
    const isBroken = step % 7 === 0;
    proxy.source.set(completeConfig(config(step)), { ...files(step), ...(isBroken ? broken(step) : {}) });
    const { version } = proxy.app.snapshot;
    await proxy.app.reload();
    t.equal(
      proxy.app.snapshot.version === version,
      isBroken,
      `reload ${step} ${isBroken ? 'is refused' : 'counts'}`,
    );
    if (isBroken) refused.push(step);
    // So many more requests are sent under each configuration.
    while (pending.length < before + 20) await new Promise((resolve) => setImmediate(resolve));
  }
  clearInterval(load);
  const echoed = tunnels.map(({ echoes }) => echoes());
  await Promise.all(pending);
  await Promise.all(tunnels.map(({ socket }) => once(socket, 'message')));
  t.equal(refused.length, 7);
  t.ok(pending.length >= reloads * 20);
  t.same([...answers], [['200', pending.length]], 'every request is answered 200');
  t.ok(
    tunnels.every(
      ({ socket, echoes }, index) => socket.readyState === WebSocket.OPEN && echoes() > echoed[index]!,
    ),
  );
});

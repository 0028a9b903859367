import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import t from 'tap';
import { openTls } from '../support/client.ts';
import { createAuthority } from '../support/pki.ts';
import { completeConfig, startBackend, startProxy, type PartialConfig } from '../support/proxy.ts';

// What a reload does with open connections whose client is no longer trusted.

const caA = await createAuthority({ cn: 'CA A' });
const caB = await createAuthority({ cn: 'CA B' });
const clientA = await caA.issue({ cn: 'a' });
const server = await caA.issue({ cn: 'server', hosts: ['a.test'], usage: 'server' });

type Setting = Awaited<ReturnType<typeof start>>;

async function start(t: Parameters<typeof startBackend>[0], onTrustEnd: 'close' | 'next_request') {
  const held: ServerResponse[] = [];
  const backend = await startBackend(t, (request, response) => {
    if (request.url === '/held') held.push(response);
    else response.end('ok');
  });
  const config: PartialConfig = {
    onTrustEnd,
    hosts: [
      {
        names: ['a.test'],
        certificate: { cert: 'server.pem', key: 'server.key' },
        clientAuth: { mode: 'require', ca: 'ca.pem' },
        routes: [{ path: '/', upstream: 'backend' }],
      },
    ],
    upstreams: { backend: { endpoints: [backend.endpoint] } },
  };
  const material = (ca: string) => ({
    'server.pem': server.bundle,
    'server.key': server.key,
    'ca.pem': ca,
  });
  const proxy = await startProxy(t, config, material(caA.cert));
  const socket = await openTls({ port: proxy.port, serverName: 'a.test', certificate: clientA });
  t.teardown(() => void socket.destroy());
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
  });
  socket.on('error', () => {});
  const ask = (path: string) => socket.write(`GET ${path} HTTP/1.1\r\nHost: a.test\r\n\r\n`);
  const until = async (wanted: RegExp): Promise<void> => {
    while (!wanted.test(text)) await once(socket, 'data');
    text = '';
  };
  const trust = async (ca: string): Promise<void> => {
    proxy.source.set(completeConfig(config), material(ca));
    await proxy.app.reload();
  };
  return { socket, ask, until, trust, held, backend };
}

const answered = /\r\n\r\nok$/;

async function servesOnce({ ask, until }: Setting): Promise<void> {
  ask('/');
  await until(answered);
}

await t.test(
  'with `close` a reload closes an idle connection of a client that is no longer trusted',
  async (t) => {
    const setting = await start(t, 'close');
    await servesOnce(setting);
    const closed = once(setting.socket, 'close');
    await setting.trust(caB.cert);
    await closed;
    t.pass();
  },
);

await t.test('with `close` the answer that is under way is finished first', async (t) => {
  const setting = await start(t, 'close');
  await servesOnce(setting);
  setting.ask('/held');
  while (setting.held.length === 0) await new Promise(setImmediate);
  await setting.trust(caB.cert);
  const closed = once(setting.socket, 'close');
  const whole = setting.until(/whole$/);
  setting.held[0]!.end('whole');
  await whole;
  await closed;
  t.pass();
});

await t.test('a reload that leaves the trust as it is closes nothing', async (t) => {
  const setting = await start(t, 'close');
  await servesOnce(setting);
  await setting.trust(caA.cert);
  await servesOnce(setting);
  t.equal(setting.backend.seen.length, 2);
});

await t.test('without it the next request is refused', async (t) => {
  const setting = await start(t, 'next_request');
  await servesOnce(setting);
  await setting.trust(caB.cert);
  t.equal(setting.socket.destroyed, false);
  const refused = setting.until(/ 421 /);
  setting.ask('/');
  await refused;
  t.equal(setting.backend.seen.length, 1);
});

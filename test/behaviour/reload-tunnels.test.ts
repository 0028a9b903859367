import { once } from 'node:events';
import t, { type Test } from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import { createAuthority } from '../support/pki.ts';
import {
  completeConfig,
  startBackend,
  startProxy,
  type PartialConfig,
  type Proxy,
} from '../support/proxy.ts';

const root = await createAuthority({ cn: 'Root A' });
const other = await createAuthority({ cn: 'Root B' });
const client = await root.issue({ ou: 'ITOps', cn: 'roshankhatri' });
const sales = await root.issue({ ou: 'Sales', cn: 'sales' });
const server = await root.issue({ cn: 'server', hosts: ['localhost'], usage: 'server' });
const files = { 'server.pem': server.bundle, 'server.key': server.key, 'ca.pem': root.cert };

type Certificate = Readonly<Pick<typeof client, 'bundle' | 'key'>>;

class Rig {
  readonly proxy: Proxy;
  readonly endpoint: string;
  readonly #t: Test;

  private constructor(t: Test, proxy: Proxy, endpoint: string) {
    this.#t = t;
    this.proxy = proxy;
    this.endpoint = endpoint;
  }

  static async start(t: Test): Promise<Rig> {
    const backend = await startBackend(t);
    const sockets = new WebSocketServer({ server: backend.server });
    t.teardown(() => sockets.close());
    sockets.on('connection', (socket) => {
      socket.on('message', (data, binary) => socket.send(data, { binary }));
    });
    return new Rig(t, await startProxy(t, config(backend.endpoint), files), backend.endpoint);
  }

  /** An open tunnel that echoes. */
  async open(certificate: Certificate): Promise<WebSocket> {
    const socket = new WebSocket(`wss://localhost:${this.proxy.port}/chat`, {
      ca: root.cert,
      cert: certificate.bundle,
      key: certificate.key,
    });
    this.#t.teardown(() => socket.terminate());
    await once(socket, 'open');
    return socket;
  }

  async reload(changed: PartialConfig, changedFiles: Partial<typeof files> = {}): Promise<void> {
    this.proxy.source.set(completeConfig(changed), { ...files, ...changedFiles });
    await this.proxy.app.reload();
  }
}

function config(endpoint: string, route: object = {}, upstream = 'backend'): PartialConfig {
  return {
    hosts: [
      {
        names: ['localhost'],
        certificate: { cert: 'server.pem', key: 'server.key' },
        clientAuth: { mode: 'require', ca: 'ca.pem' },
        routes: [{ path: '/', upstream, ...route }],
      },
    ],
    upstreams: { [upstream]: { endpoints: [endpoint] } },
  };
}

async function echoes(socket: WebSocket): Promise<boolean> {
  socket.send('ping');
  const [message] = (await once(socket, 'message')) as [Buffer];
  return String(message) === 'ping';
}

await t.test('reload-ends-tunnels-of-the-old-trust-store', async (t) => {
  const rig = await Rig.start(t);
  const socket = await rig.open(client);
  const closed = once(socket, 'close');
  await rig.reload(config(rig.endpoint), { 'ca.pem': other.cert });
  await closed;
  t.match(JSON.stringify(rig.proxy.log), 'would now be refused: misdirected', 'the log says why');
});

await t.test('reload-ends-tunnels-that-the-policy-no-longer-lets-in, and no others', async (t) => {
  const rig = await Rig.start(t);
  const [allowed, denied] = [await rig.open(client), await rig.open(sales)];
  const closed = once(denied, 'close');
  await rig.reload(config(rig.endpoint, { policy: { ou: 'ITOps' } }));
  await closed;
  t.ok(await echoes(allowed));
});

await t.test('a tunnel lives on when its certificate, route settings or upstream change', async (t) => {
  const rig = await Rig.start(t);
  const socket = await rig.open(client);
  const renewed = await root.issue({ cn: 'renewed', hosts: ['localhost'], usage: 'server' });
  await rig.reload(config(rig.endpoint, { bodyLimit: '2m' }), {
    'server.pem': renewed.bundle,
    'server.key': renewed.key,
  });
  t.ok(await echoes(socket));
  await rig.reload(config(rig.endpoint, {}, 'another'));
  t.ok(await echoes(socket));
  await rig.reload(config(rig.endpoint), { 'ca.pem': '\n' });
  t.ok(await echoes(socket), 'a broken set changes nothing');
});

await t.test('a tunnel does not outlive its certificate', async (t) => {
  const rig = await Rig.start(t);
  const short = await root.issue({ cn: 'short', notAfter: Date.now() + 2000 });
  const [passing, lasting] = [await rig.open(short), await rig.open(client)];
  await once(passing, 'close');
  t.ok(await echoes(lasting));
});

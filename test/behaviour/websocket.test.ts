import { once } from 'node:events';
import t from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import { createAuthority } from '../support/pki.ts';
import { startBackend, startProxy } from '../support/proxy.ts';

await t.test(
  'a WebSocket needs the certificate that its route needs, and carries the identity',
  async (t) => {
    const root = await createAuthority({ cn: 'Root A' });
    const client = await root.issue({ ou: 'ITOps', cn: 'roshankhatri' });
    const sales = await root.issue({ ou: 'Sales', cn: 'sales' });
    const server = await root.issue({ cn: 'server', hosts: ['localhost'], usage: 'server' });
    const backend = await startBackend(t);
    const sockets = new WebSocketServer({ server: backend.server });
    t.teardown(() => sockets.close());
    sockets.on('connection', (socket, request) => {
      socket.send(String(request.headers['ssl-client-subject-dn']));
      socket.on('message', (data, binary) => socket.send(data, { binary }));
    });
    const proxy = await startProxy(
      t,
      {
        hosts: [
          {
            names: ['localhost'],
            certificate: { cert: 'server.pem', key: 'server.key' },
            clientAuth: { mode: 'optional', ca: 'ca.pem' },
            routes: [{ path: '/', upstream: 'backend', policy: { ou: 'ITOps' } }],
          },
        ],
        upstreams: { backend: { endpoints: [backend.endpoint] } },
      },
      { 'server.pem': server.bundle, 'server.key': server.key, 'ca.pem': root.cert },
    );
    const open = (certificate: typeof client | null): WebSocket =>
      new WebSocket(`wss://localhost:${proxy.port}/chat`, {
        ca: root.cert,
        headers: { 'ssl-client-subject-dn': 'CN=forged' },
        ...(certificate === null ? {} : { cert: certificate.bundle, key: certificate.key }),
      });
    const socket = open(client);
    t.equal(String((await once(socket, 'message'))[0]), 'CN=roshankhatri,OU=ITOps');
    for (const size of [0, 1, 125, 126, 65_536, 1_000_000]) {
      const data = Buffer.alloc(size, 'x');
      socket.send(data);
      const [echo] = (await once(socket, 'message')) as [Buffer];
      t.ok(data.equals(echo), `${size} bytes come back`);
    }
    socket.close(1000);
    t.equal((await once(socket, 'close'))[0], 1000, 'and it closes cleanly');
    for (const refused of [sales, null]) {
      const [error] = (await once(open(refused), 'error')) as [Error];
      t.match(error.message, '403');
    }
  },
);

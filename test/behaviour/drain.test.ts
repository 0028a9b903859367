import { once } from 'node:events';
import { Agent, request } from 'node:https';
import t from 'tap';
import { openTls } from '../support/client.ts';
import { createAuthority } from '../support/pki.ts';
import { startBackend } from '../support/proxy.ts';
import { serve } from '../support/serve.ts';

const root = await createAuthority({ cn: 'Root A' });
const client = await root.issue({ ou: 'ITOps', cn: 'roshankhatri' });
const server = await root.issue({ cn: 'server', hosts: ['localhost'], usage: 'server' });

const files = { 'root.pem': root.cert, 'server.pem': server.bundle, 'server.key': server.key };
const config = (endpoint: string, shutdown: string): string => `
hosts:
  - names: [localhost]
    certificate: { cert: server.pem, key: server.key }
    clientAuth: { mode: require, ca: root.pem }
    routes: [{ path: /, upstream: backend }]
upstreams: { backend: { endpoints: ['${endpoint}'] } }
shutdown: ${shutdown}
`;

await t.test('drain-under-load: SIGTERM loses no request and exits 0', async (t) => {
  const backend = await startBackend(t, (_, response) => setTimeout(() => response.end('done'), 20));
  const program = await serve(t, config(backend.endpoint, '{ grace: 20s }'), files);
  const agent = new Agent({
    keepAlive: true,
    maxSockets: 20,
    cert: client.bundle,
    key: client.key,
    ca: root.cert,
    servername: 'localhost',
  });
  t.teardown(() => agent.destroy());
  let [answered, refused, stop] = [0, 0, false];
  const lost: string[] = [];
  const headers = { host: 'localhost' };
  const one = (): Promise<void> =>
    new Promise((resolve) => {
      const outgoing = request({ host: '127.0.0.1', port: program.httpsPort, agent, headers }, (response) => {
        let body = '';
        response.on('data', (chunk: Buffer) => (body += chunk.toString()));
        response.on('close', () => {
          if (response.complete && response.statusCode === 200 && body === 'done') answered++;
          else lost.push(`status ${response.statusCode}, complete ${response.complete}`);
          resolve();
        });
      });
      outgoing.on('error', (error: NodeJS.ErrnoException) => {
        // The listener is gone: nothing was sent, so nothing is lost. This client is done.
        if (error.code === 'ECONNREFUSED') [refused, stop] = [refused + 1, true];
        else lost.push(`${error.code} ${error.message}`);
        resolve();
      });
      outgoing.end();
    });
  const worker = async (): Promise<void> => {
    while (!stop && lost.length === 0) await one();
  };
  const workers = Array.from({ length: 20 }, worker);
  while (answered < 200 && lost.length === 0) await one();
  const exited = once(program.child, 'exit');
  const before = answered;
  program.child.kill('SIGTERM');
  const [code] = await exited;
  await Promise.all(workers);
  t.equal(code, 0, 'exits 0');
  t.same(lost, [], 'no request was lost');
  t.ok(answered > before, `requests in flight were answered: ${answered - before}`);
  t.ok(refused > 0, 'and new connections were refused');
});

await t.test('/readyz says no while draining, and a second signal exits at once', async (t) => {
  const backend = await startBackend(t, () => {});
  const program = await serve(t, config(backend.endpoint, '{ delay: 60s, grace: 60s }'), files);
  const ready = async (): Promise<number> =>
    (await fetch(`http://127.0.0.1:${program.adminPort}/readyz`)).status;
  t.equal(await ready(), 200);
  const socket = await openTls({ port: program.httpsPort, certificate: client, serverName: 'localhost' });
  socket.on('error', () => {});
  socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await once(backend.server, 'request');
  program.child.kill('SIGTERM');
  while ((await ready()) === 200);
  const exited = once(program.child, 'exit');
  program.child.kill('SIGTERM');
  const [code] = await exited;
  t.equal(code, 143);
});

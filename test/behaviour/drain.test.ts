import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import t, { type Test } from 'tap';
import { openTls } from '../support/client.ts';
import { createAuthority } from '../support/pki.ts';
import { startBackend } from '../support/proxy.ts';

const bin = join(import.meta.dirname, '..', '..', 'bin', 'mtls-ingress');
const root = await createAuthority({ cn: 'Root A' });
const client = await root.issue({ ou: 'ITOps', cn: 'roshankhatri' });
const server = await root.issue({ cn: 'server', hosts: ['localhost'], usage: 'server' });

interface Program {
  readonly child: ChildProcess;
  readonly httpsPort: number;
  readonly adminPort: number;
}

/** `mtls-ingress serve` as a process of its own, ready. */
async function serve(t: Test, endpoint: string, more = ''): Promise<Program> {
  const dir = t.testdir({});
  const files = { 'root.pem': root.cert, 'server.pem': server.bundle, 'server.key': server.key };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text, { mode: 0o600 });
  writeFileSync(
    join(dir, 'config.yaml'),
    `listeners:
  https: { address: 127.0.0.1, port: 0 }
  admin: { address: 127.0.0.1, port: 0 }
hosts:
  - names: [localhost]
    certificate: { cert: server.pem, key: server.key }
    clientAuth: { mode: require, ca: root.pem }
    routes: [{ path: /, upstream: backend }]
upstreams: { backend: { endpoints: ['${endpoint}'] } }
${more}`,
  );
  const child = spawn(process.execPath, [bin, 'serve', '--config', join(dir, 'config.yaml')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  });
  const ports = new Map<string, number>();
  for await (const line of createInterface({ input: child.stdout! })) {
    const { listener, port } = JSON.parse(line) as { listener?: string; port?: number };
    if (listener !== undefined && port !== undefined) ports.set(listener, port);
    if (ports.has('https') && ports.has('admin')) break;
  }
  child.stdout!.resume();
  return { child, httpsPort: ports.get('https')!, adminPort: ports.get('admin')! };
}

await t.test('drain-under-load: SIGTERM loses no request and exits 0', async (t) => {
  const backend = await startBackend(t, (_, response) => setTimeout(() => response.end('done'), 20));
  const program = await serve(t, backend.endpoint, 'shutdown: { grace: 20s }');
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
  const program = await serve(t, backend.endpoint, 'shutdown: { delay: 60s, grace: 60s }');
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

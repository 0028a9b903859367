import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, connect } from 'node:net';

/** Debian's gunicorn: another Python on the PATH would not find Debian's httpbin. */
const gunicorn = '/usr/bin/gunicorn';

/** Whether the real httpbin is here, running (HTTPBIN_URL, as `.ci/run` starts it) or to be started. */
export function hasHttpbin(): boolean {
  if (process.env['HTTPBIN_URL'] !== undefined) return true;
  return spawnSync('/usr/bin/python3', ['-c', 'import httpbin, gunicorn']).status === 0;
}

/** `address:port` of the real httpbin (Debian's python3-httpbin under gunicorn), stopped with the test. */
export async function startHttpbin(t: { teardown(handler: () => unknown): void }): Promise<string> {
  const running = process.env['HTTPBIN_URL'];
  if (running !== undefined) return new URL(running).host;
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, 'close');
  const child = spawn(gunicorn, ['--bind', `127.0.0.1:${port}`, '--threads', '8', 'httpbin:app'], {
    stdio: 'pipe',
  });
  t.teardown(async () => {
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  });
  // It says so on standard error once it listens.
  for await (const chunk of child.stderr) if (String(chunk).includes('Listening at')) break;
  child.stderr.resume();
  for (;;) {
    const socket = connect({ host: '127.0.0.1', port });
    const up = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'error').then(() => false),
    ]);
    socket.destroy();
    if (up) return `127.0.0.1:${port}`;
  }
}

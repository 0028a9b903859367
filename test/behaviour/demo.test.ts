import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { demoSteps } from '../../src/demo/steps.ts';
import { cleanNode, needs } from '../support/program.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..', '..');
const bin = join(root, 'bin', 'mtls-ingress');

await t.test('each command that the demo prints gives the answer it prints', needs('curl'), async (t) => {
  const env = { ...process.env, PORT: '0', ADMIN_PORT: '0', BACKEND_PORT: '0' };
  const child = spawn(...cleanNode(bin, 'demo'), {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  });
  let printed = '';
  await new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      printed += chunk.toString();
      if (printed.includes('Ctrl-C stops it')) resolve();
    });
    child.once('exit', (code) => reject(new Error(`the demo ended with ${code}`)));
  });
  const [httpsPort, adminPort] = [/https:\/\/localhost:(\d+)/, /http:\/\/127.0.0.1:(\d+)\/metrics/].map(
    (pattern) => Number(pattern.exec(printed)?.[1]),
  ) as [number, number];
  const steps = demoSteps({ certificates: join('certs', 'demo'), httpsPort, adminPort });
  t.ok(steps.length >= 8);
  for (const { title, command, answer, prints, never = [] } of steps) {
    t.match(printed, command, `printed: ${title}`);
    t.match(printed, `→ ${answer}`, `with its answer: ${title}`);
    const { stdout } = await run('sh', ['-c', command], { cwd: root });
    for (const text of prints) t.match(stdout, text, `${title}: prints ${text}`);
    for (const text of never) t.notOk(stdout.includes(text), `${title}: never ${text}`);
  }
  t.ok(existsSync(join(root, 'certs', 'demo', 'roshankhatri-key.pem')));
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  t.same(await exited, [0, null], 'and it stops cleanly');
});

await t.test('a port in use is said plainly, with the setting that moves it', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  t.teardown(() => taken.close());
  const { port } = taken.address() as { port: number };
  const free = { PORT: '0', ADMIN_PORT: '0', BACKEND_PORT: '0' };
  for (const name of Object.keys(free)) {
    const env = { ...process.env, ...free, [name]: String(port) };
    const failure = await run(...cleanNode(bin, 'demo'), { cwd: root, env }).catch(
      (error: { code: number; stderr: string }) => error,
    );
    t.match(failure, { code: 1, stderr: `127.0.0.1:${port}` }, name);
    t.match(failure.stderr, name, 'names the setting');
    t.equal(failure.stderr.trim().split('\n').length, 2, 'in two lines, no stack');
  }
});

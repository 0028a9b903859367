import { once } from 'node:events';
import t from 'tap';
import { request } from '../support/client.ts';
import { startBackend } from '../support/proxy.ts';
import { serve } from '../support/serve.ts';
import { at, config, files, get, status } from '../support/workers.ts';

await t.test('under load, killing workers loses no connection that none of them held', async (t) => {
  const backend = await startBackend(t);
  const program = await serve(t, `accessLog: false\n${config(backend.endpoint)}`, files);
  let [stop, answered, lost] = [false, 0, 0];
  const one = async (): Promise<void> => {
    while (!stop) {
      const { status: code } = await get(program).catch(() => ({ status: 0 }));
      if (code === 200) answered++;
      else lost++;
    }
  };
  const clients = Array.from({ length: 8 }, one);
  for (let kills = 0; kills < 4; kills++) {
    const { workers } = await status(program);
    process.kill(workers[kills % 2]!.pid!, 'SIGKILL');
    await program.line((line) => line['message'] === 'worker started');
  }
  stop = true;
  await Promise.all(clients);
  t.ok(answered > 50, `${answered} answered`);
  t.ok(lost <= 4 * 8, `${lost} lost, at most the 8 in flight at each kill`);
  t.equal((await get(program)).status, 200);
});

await t.test('a worker that falls again and again is started later each time', async (t) => {
  const backend = await startBackend(t);
  const program = await serve(t, config(backend.endpoint), files);
  const waits: unknown[] = [];
  for (let falls = 0; falls < 4; falls++) {
    const { workers } = await status(program);
    process.kill(workers[1]!.pid!, 'SIGKILL');
    waits.push((await program.line((line) => line['message'] === 'worker ended'))['restartMs']);
    await program.line((line) => line['message'] === 'worker started');
  }
  t.same(waits, [100, 200, 400, 800]);
});

await t.test(
  'the next instance starts beside the old one, and when that drains, no request is lost',
  async (t) => {
    const backend = await startBackend(t, (_, response) => setTimeout(() => response.end('done'), 5));
    const free = await startBackend(t);
    const ports = [free.endpoint.split(':')[1], (await startBackend(t)).endpoint.split(':')[1]];
    const where = `listeners:
  https: { address: 127.0.0.2, port: ${ports[0]} }
  http: { address: 127.0.0.2, port: 0 }
  admin: { address: 127.0.0.2, port: ${ports[1]} }
  reusePort: true
`;
    const text = `accessLog: false\n${config(backend.endpoint)}`;
    const first = await serve(t, text, files, [], where);
    let [stop, answered] = [false, 0];
    const lost: string[] = [];
    const one = async (): Promise<void> => {
      while (!stop) {
        const answer = await request({ ...at(first), tls: { host: '127.0.0.2' }, host: 'a.test' }).catch(
          (error: Error) => ({ status: 0, body: error.message }),
        );
        if (answer.status === 200 && answer.body === 'done') answered++;
        else lost.push(`${answer.status} ${answer.body}`);
      }
    };
    const clients = Array.from({ length: 4 }, one);
    let old = first;
    for (let upgrades = 0; upgrades < 3; upgrades++) {
      const next = await serve(t, text, files, [], where);
      const exited = once(old.child, 'exit');
      old.child.kill('SIGTERM');
      t.same(await exited, [0, null]);
      old = next;
      const before = answered;
      while (answered < before + 50) await once(backend.server, 'request');
    }
    stop = true;
    await Promise.all(clients);
    t.ok(answered > 150, `${answered} answered`);
    t.same(lost, []);
  },
);

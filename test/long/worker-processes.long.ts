import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startBackend } from '../support/proxy.ts';
import { needs } from '../support/program.ts';
import { listeners, serve } from '../support/serve.ts';
import { visit } from '../support/session.ts';
import { admin, ask, at, config, files, get, goneBy, keepBoth, metric, status } from '../support/workers.ts';

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  await t.test(
    `${version}: a session begun at one worker resumes at the other, with its identity`,
    async (t) => {
      const backend = await startBackend(t);
      const program = await serve(t, config(backend.endpoint), files);
      const seen = new Set<string>();
      let rounds = 0;
      // Until every worker has resumed what every worker began.
      while (seen.size < 4) {
        t.ok(++rounds < 100, 'workers share the work');
        if (rounds >= 100) break;
        const first = await visit({ ...at(program), version });
        t.match(first, { status: 200, resumed: false });
        const began = await program.line((line) => line['kind'] === 'request');
        const second = await visit(
          { port: program.httpsPort, serverName: 'a.test', version },
          first.sessions.at(-1),
        );
        t.match(second, { status: 200, resumed: true });
        const resumed = await program.line((line) => line['kind'] === 'request');
        t.match(backend.seen.at(-1)?.headers['ssl-client-subject-dn'], 'CN=a,OU=ITOps');
        seen.add(JSON.stringify([began['worker'], resumed['worker']]));
      }
      t.equal(await metric(program, 'mtls_sessions_resumed_total'), rounds);
    },
  );
}

await t.test('a worker that is killed takes its own connections along, and no other', async (t) => {
  const backend = await startBackend(t);
  const program = await serve(t, config(backend.endpoint), files);
  const kept = await keepBoth(program);
  const before = await status(program);
  const victim = before.workers[0]!;
  const sessions = await visit(at(program));
  const gone = kept
    .filter(({ worker }) => worker === victim.worker)
    .map(({ socket }) => once(socket, 'close'));
  process.kill(victim.pid!, 'SIGKILL');
  await Promise.all(gone);
  for (const { socket, worker } of kept) {
    t.equal(socket.destroyed, worker === victim.worker);
    if (worker !== victim.worker) await ask(socket);
  }
  t.equal((await get(program)).status, 200, 'new connections are taken meanwhile');
  await program.line((line) => line['message'] === 'worker started');
  t.not((await status(program)).workers[0]!.pid, victim.pid);
  await keepBoth(program);
  t.match(
    await visit({ port: program.httpsPort, serverName: 'a.test' }, sessions.sessions.at(-1)),
    { status: 200, resumed: true },
    'sessions outlive the worker that began them',
  );
  t.match(await admin(program, '/metrics'), 'mtls_worker_restarts_total{reason="signal"} 1');
});

await t.test('a reload reaches every worker, a bad one none', async (t) => {
  const backend = await startBackend(t);
  const program = await serve(t, config(backend.endpoint), files);
  const kept = await keepBoth(program);
  const file = join(program.dir, 'config.yaml');
  const reload = async (text: string, result: string): Promise<void> => {
    writeFileSync(`${file}.new`, listeners + text);
    renameSync(`${file}.new`, file);
    program.child.kill('SIGHUP');
    await program.line((line) => (line['reload'] as { result?: string } | undefined)?.result === result);
  };
  const { configuration } = await status(program);
  await reload('hosts: [', 'failure');
  t.equal((await status(program)).configuration, configuration);
  for (const { socket } of kept) await ask(socket);
  t.equal(await metric(program, 'mtls_config_last_reload_successful'), 0);
  t.equal(await metric(program, 'mtls_worker_configurations'), 1);
  // A worker that starts while the file is bad has the configuration that the others have.
  process.kill((await status(program)).workers[0]!.pid!, 'SIGKILL');
  await program.line((line) => line['message'] === 'worker started');
  await keepBoth(program);
  await reload(config(backend.endpoint, '', 'other.pem'), 'success');
  t.not((await status(program)).configuration, configuration);
  for (let index = 0; index < 12; index++) t.equal((await get(program)).status, 400, 'the CA is another now');
  t.equal(await metric(program, 'mtls_worker_configurations'), 1);
  t.equal(await metric(program, 'mtls_config_last_reload_successful'), 1);
});

await t.test('the page is the sum of all workers, and no counter goes back when one falls', async (t) => {
  const backend = await startBackend(t);
  const program = await serve(t, config(backend.endpoint), files);
  const kept = await keepBoth(program);
  const total = kept.length;
  t.equal(await metric(program, 'mtls_requests_total'), total);
  t.equal(await metric(program, 'mtls_open_connections'), total);
  t.equal((await status(program)).connections, total);
  t.equal(await metric(program, 'mtls_workers_ready'), 2);
  process.kill((await status(program)).workers[0]!.pid!, 'SIGKILL');
  await program.line((line) => line['message'] === 'worker ended');
  t.equal(await metric(program, 'mtls_requests_total'), total);
  t.ok((await metric(program, 'mtls_open_connections')) < total);
  await program.line((line) => line['message'] === 'worker started');
  t.equal(await metric(program, 'mtls_requests_total'), total);
  t.equal(await admin(program, '/healthz'), 'ok\n');
  t.equal(await admin(program, '/readyz'), 'ready\n');
});

await t.test('promtool accepts the page', needs('promtool'), async (t) => {
  const backend = await startBackend(t);
  const program = await serve(t, config(backend.endpoint), files);
  await get(program);
  const input = await admin(program, '/metrics');
  const {
    status: code,
    stdout,
    stderr,
  } = spawnSync('promtool', ['check', 'metrics'], { input, encoding: 'utf8' });
  t.equal(`${stdout}${stderr}`, '');
  t.equal(code, 0);
});

await t.test('SIGTERM drains every worker and exits 0, a second one exits at once', async (t) => {
  const backend = await startBackend(t, (_, response) => setTimeout(() => response.end('done'), 200));
  const program = await serve(t, config(backend.endpoint, 'shutdown: { grace: 20s }'), files);
  const under = Promise.all(Array.from({ length: 6 }, () => get(program)));
  while (backend.seen.length < 6) await once(backend.server, 'request');
  const exited = once(program.child, 'exit');
  program.child.kill('SIGTERM');
  for (const { status: code, body } of await under) t.match({ code, body }, { code: 200, body: 'done' });
  t.same(await exited, [0, null]);

  const stuck = await startBackend(t, () => {});
  const second = await serve(t, config(stuck.endpoint, 'shutdown: { grace: 60s }'), files);
  void get(second).catch(() => {});
  await once(stuck.server, 'request');
  const { workers } = await status(second);
  second.child.kill('SIGTERM');
  await second.line((line) => line['message'] === 'draining');
  const ended = once(second.child, 'exit');
  second.child.kill('SIGTERM');
  t.same(await ended, [143, null]);
  for (const { pid } of workers) await goneBy(pid!);
});

await t.test('workers whose supervisor is killed drain and end', async (t) => {
  const backend = await startBackend(t);
  const program = await serve(t, config(backend.endpoint), files);
  const { workers } = await status(program);
  program.child.kill('SIGKILL');
  await once(program.child, 'exit');
  for (const { pid } of workers) await goneBy(pid!);
  t.pass('none is left');
});

await t.test('a configuration that cannot be served, or a port that is taken, exits 1', async (t) => {
  const backend = await startBackend(t);
  await t.rejects(serve(t, config(backend.endpoint, '', 'missing.pem'), files), /the program ended/);
  const taken = await startBackend(t);
  const port = taken.endpoint.split(':')[1];
  const text = config(backend.endpoint);
  await t.rejects(
    serve(t, text, files, [], listeners.replace('port: 0', `port: ${port}`)),
    /the program ended/,
  );
});

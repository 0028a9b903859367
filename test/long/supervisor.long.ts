import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t, { type Test } from 'tap';
import { createObservability } from '../../src/observe/observe.ts';
import { Supervisor, type SupervisorOptions } from '../../src/supervise/supervisor.ts';
import { request } from '../support/client.ts';
import { createAuthority } from '../support/pki.ts';
import { completeConfig, linesTo, MemorySource, startBackend } from '../support/proxy.ts';
import { visit } from '../support/session.ts';
import { goneBy } from '../support/workers.ts';

// A supervisor in this process, with real workers, and time in the test's hand.

const root = await createAuthority({ cn: 'Root' });
const client = await root.issue({ ou: 'ITOps', cn: 'a' });
const issue = () => root.issue({ cn: 'server', hosts: ['a.test'], usage: 'server' });
const [server, renewed] = [await issue(), await issue()];
const material = { 'server.pem': server.bundle, 'server.key': server.key, 'ca.pem': root.cert };
const renewedMaterial = { ...material, 'server.pem': renewed.bundle, 'server.key': renewed.key };

type Line = Readonly<Record<string, unknown>>;

async function supervise(t: Test, options: SupervisorOptions = {}) {
  const backend = await startBackend(t);
  const config = (ou: string) =>
    completeConfig({
      hosts: [
        {
          names: ['a.test'],
          certificate: { cert: 'server.pem', key: 'server.key' },
          clientAuth: { mode: 'require', ca: 'ca.pem' },
          routes: [{ path: '/', upstream: 'backend', policy: { ou } }],
        },
      ],
      upstreams: { backend: { endpoints: [backend.endpoint] } },
    });
  const source = new MemorySource(config('ITOps'), material);
  const log: Line[] = [];
  const wanted = new Set<() => void>();
  const write = (line: string): void => {
    log.push(JSON.parse(line) as Line);
    for (const look of wanted) look();
  };
  const supervisor = new Supervisor(source, 2, createObservability({ destination: { write } }), {
    output: linesTo(write),
    ...options,
  });
  const { https, admin } = await supervisor.start();
  t.teardown(() => supervisor.stop());
  let taken = log.length;
  const ask = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${admin.port}${path}`);
    return { status: response.status, body: await response.text() };
  };
  const at = { port: https.port, serverName: 'a.test' };
  return {
    supervisor,
    source,
    config,
    at,
    ask,
    metric: async (line: RegExp) => Number(line.exec((await ask('/metrics')).body)?.[1]),
    get: () => request({ ...at, host: 'a.test', certificate: client }),
    /** The next line of the log, the supervisor's or a worker's, that fits. */
    line: (fits: (line: Line) => boolean): Promise<Line> =>
      new Promise((resolve) => {
        const look = (): void => {
          while (taken < log.length) {
            const line = log[taken++]!;
            if (!fits(line)) continue;
            wanted.delete(look);
            resolve(line);
            return;
          }
        };
        wanted.add(look);
        look();
      }),
  };
}

type Rig = Awaited<ReturnType<typeof supervise>>;

const says = (message: string) => (line: Line) => line['message'] === message;
const isReload = (line: Line): boolean => line['reload'] !== undefined;

/** Offers the session until each worker has been asked; whether it was resumed, by worker. */
async function offer(rig: Rig, session: Buffer): Promise<Record<string, boolean>> {
  const resumed: Record<string, boolean> = {};
  while (Object.keys(resumed).length < 2) {
    const answer = await visit({ ...rig.at, certificate: client }, session);
    const line = await rig.line(({ kind }) => kind === 'request');
    resumed[String(line['worker'])] = answer.resumed;
  }
  return resumed;
}

async function begin(rig: Rig): Promise<Buffer> {
  const { sessions } = await visit({ ...rig.at, certificate: client });
  await rig.line(({ kind }) => kind === 'request');
  return sessions.at(-1)!;
}

const configurations = /^mtls_worker_configurations (\d+)$/m;

await t.test(
  'new ticket keys hold at every worker: old sessions resume at none, new ones at each',
  async (t) => {
    const rig = await supervise(t);
    for (let periods = 0; periods < 2; periods++) {
      const session = await begin(rig);
      t.same(await offer(rig, session), { 1: true, 2: true });
      rig.supervisor.replaceTickets();
      // Every worker's answer comes behind its new keys.
      await rig.ask('/metrics');
      t.same(await offer(rig, session), { 1: false, 2: false });
    }
  },
);

await t.test('ticket keys end with their period', async (t) => {
  const rig = await supervise(t, { ticketPeriodMs: 1000 });
  const session = await begin(rig);
  let visits = 0;
  while ((await visit({ ...rig.at, certificate: client }, session)).resumed) visits++;
  t.pass(`resumed ${visits} times`);
});

await t.test(
  'a worker that no longer answers is killed and replaced, and /readyz counts on the other',
  async (t) => {
    const rig = await supervise(t, { reportEveryMs: 50, reportWithinMs: 200 });
    const [stuck, well] = rig.supervisor.pids;
    process.kill(stuck!, 'SIGSTOP');
    t.match(await rig.line(says('worker ended')), { pid: stuck, signal: 'SIGKILL', worker: 1 });
    await goneBy(stuck!);
    t.match(await rig.ask('/readyz'), { status: 200, body: 'ready\n' });
    await rig.line(says('worker started'));
    t.not(rig.supervisor.pids[0], stuck);
    t.equal(rig.supervisor.pids[1], well, 'the other stays');
    t.equal(await rig.metric(/^mtls_worker_restarts_total\{reason="unresponsive"\} (\d+)$/m), 1);
    t.equal((await rig.get()).status, 200);
  },
);

await t.test('/readyz tells of workers that differ while a reload goes from one to the next', async (t) => {
  const rig = await supervise(t);
  const [, second] = rig.supervisor.pids;
  process.kill(second!, 'SIGSTOP');
  t.teardown(() => process.kill(second!, 'SIGCONT'));
  rig.source.set(rig.config('Sales'), material);
  const reloaded = rig.supervisor.reload();
  let ready = await rig.ask('/readyz');
  while (ready.body === 'ready\n') ready = await rig.ask('/readyz');
  t.match(ready, { status: 200, body: /^ready: workers serve 2 configurations while a reload/ });
  process.kill(second!, 'SIGCONT');
  await reloaded;
  t.same(await rig.ask('/readyz'), { status: 200, body: 'ready\n' });
  t.equal(await rig.metric(configurations), 1);
  t.equal((await rig.get()).status, 403);
});

await t.test('when a later worker refuses a reload, those before it go back to what they had', async (t) => {
  const rig = await supervise(t);
  const { version } = rig.supervisor.snapshot;
  // The second worker's successor has a TLS library that does not take the new certificate, known by its signature:
  // issuer and dates may be those of the old one.
  const signature = renewed.bundle.slice(0, renewed.bundle.indexOf('-----END')).slice(-50).trim();
  const refusing = join(t.testdir({}), 'refusing.mjs');
  writeFileSync(
    refusing,
    `import tls from 'node:tls';
import { syncBuiltinESMExports } from 'node:module';
tls.Server = class extends tls.Server {
  constructor(options, ...rest) {
    if (String(options?.cert).includes(${JSON.stringify(signature)})) throw new Error('not this one');
    super(options, ...rest);
  }
};
syncBuiltinESMExports();
`,
  );
  const before = process.env['NODE_OPTIONS'];
  const restore = (): void => {
    if (before === undefined) delete process.env['NODE_OPTIONS'];
    else process.env['NODE_OPTIONS'] = before;
  };
  t.teardown(restore);
  process.env['NODE_OPTIONS'] = `--import=${pathToFileURL(refusing).href}`;
  process.kill(rig.supervisor.pids[1]!, 'SIGKILL');
  await rig.line(says('worker started'));
  restore();
  rig.source.set(rig.config('Sales'), renewedMaterial);
  await rig.supervisor.reload();
  t.match(await rig.line(isReload), { reload: { result: 'failure' } });
  t.equal(rig.supervisor.snapshot.version, version);
  t.equal(await rig.metric(configurations), 1);
  t.same(await rig.ask('/readyz'), { status: 200, body: 'ready\n' });
  const answered = new Set<unknown>();
  while (answered.size < 2) {
    t.equal((await rig.get()).status, 200, 'the old policy holds at each');
    answered.add((await rig.line(({ kind }) => kind === 'request'))['worker']);
  }
});

await t.test('a reload while a worker starts again reaches it too', { timeout: 60_000 }, async (t) => {
  const rig = await supervise(t);
  const [, second] = rig.supervisor.pids;
  process.kill(second!, 'SIGKILL');
  await rig.line(says('worker ended'));
  // Its successor is a process, and has not begun to serve.
  while (rig.supervisor.pids.length < 2) await new Promise(setImmediate);
  rig.source.set(rig.config('Sales'), material);
  await rig.supervisor.reload();
  t.match(await rig.line(isReload), { reload: { result: 'success' } });
  t.equal(await rig.metric(configurations), 1);
  const answered = new Set<unknown>();
  while (answered.size < 2) {
    t.equal((await rig.get()).status, 403, 'the new policy holds at each');
    answered.add((await rig.line(({ kind }) => kind === 'request'))['worker']);
  }
});

await t.test('other workers or addresses wait for the next start, and a reload says so', async (t) => {
  const rig = await supervise(t);
  const { listeners, ...rest } = rig.config('ITOps');
  const moved = { ...listeners, http: { address: '127.0.0.1', port: 0 } };
  rig.source.set({ ...rest, listeners: moved, workers: 3 }, material);
  await rig.supervisor.reload();
  t.match(await rig.line(isReload), { reload: { result: 'success' } });
  t.match(await rig.line(({ level }) => level === 'warn'), {
    message: 'workers is 1 until the next start, and then 3',
  });
  t.match(await rig.line(({ level }) => level === 'warn'), {
    message: 'listeners.http is off until the next start, and then 127.0.0.1:0',
  });
});

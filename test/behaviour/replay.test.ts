import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import { stringify } from 'yaml';
import { runReplay } from '../../src/replay/command.ts';
import type { ReplayReport } from '../../src/replay/replay.ts';
import { request } from '../support/client.ts';
import { createAuthority } from '../support/pki.ts';
import {
  completeConfig,
  type PartialConfig,
  type Proxy,
  startBackend,
  startProxy,
} from '../support/proxy.ts';

const oldCa = await createAuthority({ cn: 'Old CA' });
const newCa = await createAuthority({ cn: 'New CA' });
const inter = await createAuthority({ cn: 'Intermediate', parent: newCa });
const server = await oldCa.issue({ cn: 'server', hosts: ['a.test', 'b.test'], usage: 'server' });
const clients = {
  eve: await newCa.issue({ cn: 'eve', ou: 'Sales' }),
  bob: await inter.issue({ cn: 'bob', ou: 'ITOps', hosts: ['bob.example'] }),
  old: await oldCa.issue({ cn: 'old', ou: 'ITOps' }),
  stranger: await (await createAuthority({ cn: 'Other' })).issue({ cn: 'x', ou: 'ITOps' }),
  nobody: null,
};
const files = {
  'server.pem': server.bundle,
  'server.key': server.key,
  'both.pem': oldCa.cert + newCa.cert,
  'new.pem': newCa.cert,
};

function configOf(endpoint: string, changes: Partial<PartialConfig['hosts'][number]> = {}): PartialConfig {
  return {
    hosts: [
      {
        names: ['a.test'],
        certificate: { cert: 'server.pem', key: 'server.key' },
        clientAuth: { mode: 'require', ca: 'both.pem' },
        routes: [
          { path: '/', upstream: 'app' },
          { path: '/admin', upstream: 'app', policy: { ou: 'ITOps' } },
        ],
        ...changes,
      },
    ],
    upstreams: { app: { endpoints: [endpoint] } },
  };
}

/** Every client asks for both paths; gives what came of each: `200 ok`, `403 policy_ou`. */
async function askAll(proxy: Proxy): Promise<Record<string, string>> {
  const asked: string[] = [];
  for (const [name, certificate] of Object.entries(clients)) {
    for (const path of ['/', '/admin']) {
      const at = { port: proxy.port, serverName: 'a.test', host: 'a.test' };
      const id = `${name}${path}`;
      await request({ ...at, path, certificate, headers: [`X-Request-ID: ${id}`] });
      asked.push(id);
    }
  }
  await proxy.settled();
  return Object.fromEntries(
    asked.map((key) => {
      const line = proxy.log.find((line) => (line['request'] as { id?: string } | undefined)?.id === key);
      const { status, decision } = line!['request'] as { status: number; decision: string };
      return [key, `${status} ${decision}`];
    }),
  );
}

class Replayed {
  readonly #dir: string;
  readonly #log: string;

  constructor(t: Test, proxy: Proxy) {
    this.#dir = t.testdir({});
    for (const [name, text] of Object.entries(files))
      writeFileSync(join(this.#dir, name), text, { mode: 0o600 });
    this.#log = join(this.#dir, 'access.jsonl');
    writeFileSync(this.#log, proxy.log.map((line) => `${JSON.stringify(line)}\n`).join(''));
  }

  write(name: string, config: PartialConfig): string {
    const file = join(this.#dir, name);
    const complete = completeConfig(config);
    writeFileSync(file, stringify({ ...complete, listeners: { https: { port: 8443 } } }));
    return file;
  }

  async run(...args: string[]): Promise<{ code: number; out: string; error: string }> {
    const written = { out: '', error: '' };
    const code = await runReplay(['--log', this.#log, ...args], {
      stdin: process.stdin,
      stdout: { write: (text: string) => void (written.out += text) } as never,
      stderr: { write: (text: string) => void (written.error += text) } as never,
      env: {},
    });
    return { code, ...written };
  }
}

await t.test('a replay says of each request what the new configuration then does', async (t) => {
  const backend = await startBackend(t);
  const before = configOf(backend.endpoint);
  const proxy = await startProxy(t, before, files);
  const then = await askAll(proxy);
  const replayed = new Replayed(t, proxy);
  const same = await replayed.run('--config', replayed.write('old.yaml', before));
  t.match(same, { code: 0, error: '' });
  t.match(same.out, /^10 requests of \d+ lines replayed: 10 as before, 0 different\n/);
  const tightened: Record<string, Partial<PartialConfig['hosts'][number]>> = {
    'a policy on the host': { policy: { ou: 'ITOps' } },
    'the old CA dropped': { clientAuth: { mode: 'require', ca: 'new.pem' } },
    'a policy by SAN': { policy: { dns: 'bob.example' } },
    'certificates optional': { clientAuth: { mode: 'optional', ca: 'both.pem' } },
    'no intermediates': { clientAuth: { mode: 'require', ca: 'new.pem', verifyDepth: 1 } },
    'another name': { names: ['b.test'] },
  };
  for (const [what, changes] of Object.entries(tightened)) {
    const after = configOf(backend.endpoint, changes);
    const file = replayed.write('new.yaml', after);
    const { code, out } = await replayed.run('--config', file, '--json');
    const report = JSON.parse(out) as ReplayReport;
    const real = await askAll(await startProxy(t, after, files));
    const differing = Object.keys(then).filter((request) => then[request] !== real[request]);
    t.equal(report.different, differing.length, `${what}: as many as there then are`);
    t.equal(code, differing.length === 0 ? 0 : 1, `${what}: exit code`);
    const told = report.changes.flatMap(({ now, requests }) =>
      Array.from({ length: requests }, () => (now.startsWith('forwarded') ? '200 ok' : now)),
    );
    t.same(told.sort(), differing.map((request) => real[request]!).sort(), `${what}: and what they get`);
    const examples = new Set(report.changes.flatMap(({ examples }) => examples));
    t.same([...examples].sort(), differing.sort(), `${what}: and which they are`);
    const against = await replayed.run('--config', file, '--old', join(file, '..', 'old.yaml'), '--json');
    t.equal((JSON.parse(against.out) as ReplayReport).different, differing.length, `${what}: with --old`);
  }
});

await t.test('the text names who it is, the requests to look at, and what is not told', async (t) => {
  const backend = await startBackend(t);
  const proxy = await startProxy(t, configOf(backend.endpoint), files);
  await askAll(proxy);
  const replayed = new Replayed(t, proxy);
  const dropped = configOf(backend.endpoint, { clientAuth: { mode: 'require', ca: 'new.pem' } });
  const { out } = await replayed.run('--config', replayed.write('new.yaml', dropped));
  t.match(out, /\na\.test: was forwarded to app, would be 400 untrusted: 2 requests\n/);
  t.match(out, /\n {2}CN=old,OU=ITOps \(2 requests\)\n {2}such as old\/, old\/admin\n/);
  t.match(out, /\nsupposed:\n {2}2 requests: clients send the intermediates/);
  t.match(await replayed.run(), { code: 2, error: /which configuration/ });
  t.match(await replayed.run('--config', '/nowhere.yaml'), { code: 2 });
  t.match(await replayed.run('--config', replayed.write('new.yaml', dropped), '--log', '/nowhere'), {
    code: 2,
    error: /cannot be read/,
  });
});

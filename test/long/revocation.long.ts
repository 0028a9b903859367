import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { createWriteStream, statSync } from 'node:fs';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import t from 'tap';
import { runPki } from '../../src/pki/command.ts';
import { createAuthority, writeFiles } from '../support/pki.ts';
import { cleanNode } from '../support/program.ts';

const source = join(import.meta.dirname, '../../src');
const entries = 100_000;

/** What serving does with the file at each load, in a process of its own with a small heap. */
const script = (folder: string): string => `
  import { createFileSource } from ${JSON.stringify(join(source, 'config/file-source.ts'))};
  import { compile, CompileMemory } from ${JSON.stringify(join(source, 'snapshot/compile.ts'))};
  import { readFileSync } from 'node:fs';
  import { readLists } from ${JSON.stringify(join(source, 'tls/crl-file.ts'))};
  const folder = ${JSON.stringify(folder)};
  const timed = async (work) => {
    const before = performance.now();
    const result = await work();
    return [result, performance.now() - before];
  };
  let pem = readFileSync(folder + '/large.crl', 'latin1');
  let [lists, readMs] = await timed(() => readLists(pem));
  if (lists[0].has('01')) throw new Error('it lists whom it does not');
  lists = null;
  pem = null;
  const source = createFileSource(folder + '/config.yaml');
  const memory = new CompileMemory();
  let snapshot = null;
  const load = async () => {
    const loaded = await source.load();
    if (!loaded.ok) throw new Error(loaded.problems.join());
    const compiled = compile(loaded.config, loaded.material, memory);
    if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
    snapshot = compiled.snapshot;
  };
  const [, firstMs] = await timed(load);
  const [, againMs] = await timed(load);
  const { lists: held } = snapshot.hosts.all[0].clientAuth.trust.revocation;
  const found = [...held.values()].flat().reduce((sum, list) => sum + list.entries, 0);
  console.log(JSON.stringify({ readMs, firstMs, againMs, found, peak: process.resourceUsage().maxRSS / 1024 }));`;

void t.test('a CRL of 100,000 entries is served with in bounded time and memory', async (t) => {
  const dir = t.testdir({});
  const ca = await createAuthority({ cn: 'CA' });
  const server = await ca.issue({ cn: 'a.test', hosts: ['a.test'], usage: 'server' });
  const files = writeFiles(dir, {
    'ca.pem': ca.cert,
    'ca-key.pem': ca.key,
    'server.pem': server.bundle,
    'server-key.pem': server.key,
    'config.yaml': `listeners: { https: { port: 8443 } }
hosts:
  - names: [a.test]
    certificate: { cert: server.pem, key: server-key.pem }
    clientAuth: { mode: require, ca: ca.pem, crl: large.crl }
    routes: [{ path: /, upstream: app }]
upstreams: { app: { endpoints: ['127.0.0.1:8000'] } }
`,
  });
  const database = createWriteStream(join(dir, 'ca-db.jsonl'));
  for (let index = 0; index < entries; index++) {
    const serial = `01${randomBytes(15).toString('hex').toUpperCase()}`;
    const at = new Date(Date.UTC(2026, 0, 1) + index * 1000).toISOString();
    const record = { event: 'revoked', at, serial, reason: 'keyCompromise', subject: `CN=client ${index}` };
    if (!database.write(`${JSON.stringify(record)}\n`)) await once(database, 'drain');
  }
  database.end();
  await finished(database);
  const crl = join(dir, 'large.crl');
  const quiet = {
    ...process,
    stdout: { write: () => true },
    stderr: process.stderr,
  } as unknown as Parameters<typeof runPki>[1];
  t.equal(await runPki(['crl', '--ca', files['ca.pem'], '--out', crl], quiet), 0);

  const [command, args] = cleanNode('--max-old-space-size=48', '--input-type=module', '-e', script(dir));
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += String(chunk)));
  const [code] = (await once(child, 'close')) as [number];
  t.equal(code, 0);
  const figures = JSON.parse(text) as Record<'readMs' | 'firstMs' | 'againMs' | 'found' | 'peak', number>;
  t.equal(figures.found, entries);
  t.comment(`${entries} entries, ${(statSync(crl).size / 1024 / 1024).toFixed(1)} MiB in PEM`);
  t.comment(
    `read in ${figures.readMs.toFixed(0)} ms; loaded with a configuration in ${figures.firstMs.toFixed(0)} ms, and again, unchanged, in ${figures.againMs.toFixed(0)} ms; peak ${figures.peak.toFixed(0)} MiB resident`,
  );
  t.ok(figures.readMs < 1500, 'read');
  t.ok(figures.againMs < figures.firstMs, 'unchanged, it is not read again');
});

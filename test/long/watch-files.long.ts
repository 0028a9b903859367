import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { request } from '../support/client.ts';
import { createAuthority } from '../support/pki.ts';
import { startBackend } from '../support/proxy.ts';
import { serve, type LogLine, type Program } from '../support/serve.ts';

// What happens to files on disk, and what becomes of the program that serves with them.

const root = await createAuthority({ cn: 'Root A' });
const other = await createAuthority({ cn: 'Root B' });
const client = await root.issue({ cn: 'client' });
const names = ['localhost', 'a.example.com'];
const server = await root.issue({ cn: 'server', hosts: names, usage: 'server' });
const files = { 'root.pem': root.cert, 'server.pem': server.bundle, 'server.key': server.key };

const host = (name: string, clientAuth: string): string => `hosts:
  - names: [${name}]
    certificate: { cert: server.pem, key: server.key }
    clientAuth: ${clientAuth}
    routes: [{ path: /, upstream: backend }]
`;
const upstreams = (endpoint: string): string => `upstreams: { backend: { endpoints: ['${endpoint}'] } }\n`;

const reload =
  (result: string) =>
  (line: LogLine): boolean =>
    line['kind'] === 'reload' && JSON.stringify(line).includes(`"result":"${result}"`);

const ask = async (program: Program, name = 'localhost'): Promise<number> =>
  (await request({ port: program.httpsPort, serverName: name, host: name, certificate: client })).status;

function put(program: Program, name: string, text: string): void {
  const file = join(program.dir, name);
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

await t.test('a host comes with its file in an included folder, and goes with it', async (t) => {
  const backend = await startBackend(t);
  const main = `include: ['./*.hosts']\n${host('localhost', '{ mode: require, ca: root.pem }')}`;
  const program = await serve(t, main + upstreams(backend.endpoint), files);
  t.equal(await ask(program), 200);
  t.not(await ask(program, 'a.example.com').catch(() => 0), 200);

  put(program, 'a.hosts', host('a.example.com', '{ mode: require, ca: root.pem }'));
  await program.line(reload('success'));
  t.equal(await ask(program, 'a.example.com'), 200);

  put(program, 'b.hosts', host('A.example.com', '{ mode: require, ca: root.pem }'));
  const refused = await program.line(reload('failure'));
  t.match(JSON.stringify(refused), /b\.hosts:2:13 .*stands at .*a\.hosts:2:13 already/);
  t.equal(await ask(program, 'a.example.com'), 200, 'and nothing has changed');

  rmSync(join(program.dir, 'b.hosts'));
  await program.line(reload('success'));
  rmSync(join(program.dir, 'a.hosts'));
  await program.line(reload('success'));
  t.not(await ask(program, 'a.example.com').catch(() => 0), 200);
  t.equal(await ask(program), 200);
});

await t.test('a volume of Kubernetes whose ..data link is swapped brings another CA', async (t) => {
  const backend = await startBackend(t);
  const dir = mkdtempSync(join(tmpdir(), 'mtls-ingress-volume-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  for (const folder of ['one', 'two', 'volume']) mkdirSync(join(dir, folder));
  writeFileSync(join(dir, 'one/ca.pem'), root.cert);
  writeFileSync(join(dir, 'two/ca.pem'), other.cert);
  const volume = join(dir, 'volume');
  symlinkSync('../one', join(volume, '..data'));
  symlinkSync('..data/ca.pem', join(volume, 'ca.pem'));
  const text = host('localhost', `{ mode: require, ca: ${volume}/ca.pem }`);
  const program = await serve(t, text + upstreams(backend.endpoint), files);
  t.equal(await ask(program), 200);
  symlinkSync('../two', join(volume, '..data_tmp'));
  renameSync(join(volume, '..data_tmp'), join(volume, '..data'));
  await program.line(reload('success'));
  t.equal(await ask(program), 400);
});

await t.test('reload-broken-ca-keeps-old: one emptied, cut off or taken away changes nothing', async (t) => {
  const backend = await startBackend(t);
  const text = host('localhost', '{ mode: require, ca: root.pem }');
  const program = await serve(t, text + upstreams(backend.endpoint), files);
  for (const spoil of [
    () => writeFileSync(join(program.dir, 'root.pem'), ''),
    () => writeFileSync(join(program.dir, 'root.pem'), root.cert.slice(0, 200)),
    () => put(program, 'root.pem', `${other.cert}${root.cert.slice(0, 200)}`),
    () => rmSync(join(program.dir, 'root.pem')),
    () => mkdirSync(join(program.dir, 'root.pem')),
  ]) {
    spoil();
    t.match(JSON.stringify(await program.line(reload('failure'))), 'root.pem');
    t.equal(await ask(program), 200);
  }
  rmSync(join(program.dir, 'root.pem'), { recursive: true });
  put(program, 'root.pem', other.cert);
  await program.line(reload('success'));
  t.equal(await ask(program), 400);
});

await t.test('a CRL that is replaced refuses whom it lists', async (t) => {
  const backend = await startBackend(t);
  const text = host('localhost', '{ mode: require, ca: root.pem, crl: root.crl }');
  const program = await serve(t, text + upstreams(backend.endpoint), { ...files, 'root.crl': root.crl() });
  t.equal(await ask(program), 200);
  put(program, 'root.crl', root.crl({ revoked: [client] }));
  await program.line(reload('success'));
  t.equal(await ask(program), 400);
});

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { generateKeyPairSync } from 'node:crypto';
import t from 'tap';
import { request } from '../support/client.ts';
import { createAuthority } from '../support/pki.ts';
import { needs } from '../support/program.ts';
import { startBackend, startProxy } from '../support/proxy.ts';

const root = await createAuthority({ cn: 'Root A' });
const client = await root.issue({ ou: 'ITOps', cn: 'roshankhatri' });
const server = await root.issue({ cn: 'server', hosts: ['a.test'], usage: 'server' });
const material = {
  'server.pem': server.bundle,
  'server.key': server.key,
  'ca.pem': root.cert,
  'crl.pem': root.crl(),
};

const config = (endpoint: string) => ({
  hosts: [
    {
      names: ['a.test'],
      certificate: { cert: 'server.pem', key: 'server.key' },
      clientAuth: { mode: 'require' as const, ca: 'ca.pem', crl: 'crl.pem' },
      routes: [{ path: '/', upstream: 'backend', policy: { ou: 'ITOps' } }],
    },
  ],
  upstreams: { backend: { endpoints: [endpoint] } },
});

await t.test('promtool accepts the page of a running program', needs('promtool'), async (t) => {
  const backend = await startBackend(t);
  const proxy = await startProxy(t, config(backend.endpoint), material);
  const ask = (certificate: typeof client | null, host = 'a.test') =>
    request({ port: proxy.port, serverName: 'a.test', host, certificate });
  t.equal((await ask(client)).status, 200);
  t.equal((await ask(null)).status, 400);
  t.equal((await ask(client, 'nobody.test')).status, 404);
  const promtool = spawn('promtool', ['check', 'metrics'], { stdio: 'pipe' });
  const chunks: Buffer[] = [];
  promtool.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  promtool.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
  promtool.stdin.end(await proxy.metrics());
  const [code] = await once(promtool, 'close');
  t.equal(code, 0, Buffer.concat(chunks).toString());
  t.equal(Buffer.concat(chunks).toString(), '', 'without a complaint');
});

await t.test('a key that OpenSSL finds too weak is counted as that', async (t) => {
  const backend = await startBackend(t);
  const proxy = await startProxy(t, config(backend.endpoint), material);
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
  const weak = await root.issue({ ou: 'ITOps', cn: 'weak', key: privateKey });
  const answer = await request({
    port: proxy.port,
    serverName: 'a.test',
    host: 'a.test',
    certificate: weak,
    // Our client would not use such a key either.
    tls: { ciphers: 'DEFAULT@SECLEVEL=0' },
  });
  t.equal(answer.status, 400);
  t.match(await proxy.metrics(), /mtls_handshakes_total\{[^}]*reason="weak_key"[^}]*\} 1/);
});

import { once } from 'node:events';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { App } from '../../src/app.ts';
import { createManifestSource } from '../../src/ingress/manifest-source.ts';
import { readManifestFlags } from '../../src/ingress/serve-options.ts';
import { createObservability } from '../../src/observe/observe.ts';
import { openTls, request } from '../support/client.ts';
import { hasHttpbin, startHttpbin } from '../support/httpbin.ts';
import { createAuthority } from '../support/pki.ts';
import { startBackend } from '../support/proxy.ts';

const manifest = join(import.meta.dirname, '..', '..', 'config', 'ingress', 'httpbin.yaml');
const host = 'in.logpoint.com.np';

const root = await createAuthority({ cn: 'Root A' });
const intermediate = await createAuthority({ cn: 'Intermediate A', parent: root });
const stranger = await createAuthority({ cn: 'Root B' });
const server = await root.issue({ cn: host, hosts: [host], usage: 'server' });
const good = await intermediate.issue({ cn: 'roshankhatri', ou: 'ITOps' });
const foreign = await stranger.issue({ cn: 'roshankhatri', ou: 'ITOps' });

function secret(files: Readonly<Record<string, string>>): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'logpoint-ingress', namespace: 'ingress-nginx' },
    stringData: files,
  });
}

const whole = { 'tls.crt': server.cert, 'tls.key': server.key, 'ca.crt': root.cert };

interface Setup {
  readonly port: number;
  readonly admin: number;
  readonly app: App;
  readonly dir: string;
  readonly log: readonly string[];
}

/** The program over a folder with the manifest as it is, and its Secret. */
async function start(t: Test, flags: object, endpoint: string, files: object = whole): Promise<Setup> {
  const dir = t.testdir({ 'secret.json': secret(files as Record<string, string>) });
  copyFileSync(manifest, join(dir, 'httpbin.yaml'));
  const options = readManifestFlags({
    resolve: [`default/httpbin=${endpoint}`],
    address: '127.0.0.1',
    'https-port': '0',
    'http-port': '0',
    'admin-port': '0',
    ...flags,
  });
  if ('fault' in options) throw new Error(options.fault);
  const log: string[] = [];
  const app = new App(
    createManifestSource(dir, options),
    createObservability({ destination: { write: (line: string) => void log.push(line) } }),
  );
  const { https, admin } = await app.start();
  t.teardown(() => app.stop());
  return { port: https.port, admin: admin.port, app, dir, log };
}

const crossing = { 'allow-cross-namespace-secrets': true };

void t.test(
  'the manifest runs as it is: httpbin answers with the four headers',
  { skip: !hasHttpbin() && process.env['CI'] !== 'true' && 'needs httpbin' },
  async (t) => {
    const { port } = await start(t, crossing, await startHttpbin(t));
    const answer = await request({ port, serverName: host, host, certificate: good, path: '/headers' });
    t.equal(answer.status, 200);
    const { headers } = JSON.parse(answer.body) as { headers: Record<string, string> };
    t.match(headers, {
      'Ssl-Client-Verify': 'SUCCESS',
      'Ssl-Client-Subject-Dn': 'CN=roshankhatri,OU=ITOps',
      'Ssl-Client-Issuer-Dn': 'CN=Intermediate A',
    });
  },
);

void t.test('no certificate and a foreign one are 400, and never reach the backend', async (t) => {
  const backend = await startBackend(t);
  const { port } = await start(t, crossing, backend.endpoint);
  t.equal((await request({ port, serverName: host, host })).status, 400);
  t.equal((await request({ port, serverName: host, host, certificate: foreign })).status, 400);
  t.equal((await request({ port, host, certificate: good })).status, 421, 'nor without a server name');
  t.same(backend.seen, []);
  t.equal((await request({ port, serverName: host, host, certificate: good })).status, 200);
});

void t.test('without the flag the host answers 403 to everyone, and says what to do', async (t) => {
  const backend = await startBackend(t);
  const { port, log } = await start(t, {}, backend.endpoint);
  t.equal((await request({ port, serverName: host, host, certificate: good })).status, 403);
  t.same(backend.seen, []);
  t.match(log.join(''), /another namespace.*--allow-cross-namespace-secrets/);
});

void t.test('a Secret without ca.crt answers 403: ingress-nginx would let everyone in', async (t) => {
  const backend = await startBackend(t);
  const { 'ca.crt': _, ...rest } = whole;
  const { port } = await start(t, crossing, backend.endpoint, rest);
  t.equal((await request({ port, serverName: host, host })).status, 403);
  t.equal((await request({ port, serverName: host, host, certificate: good })).status, 403);
  t.same(backend.seen, []);
});

void t.test(
  'a changed Secret takes effect by itself, and manifests that cannot be read change nothing',
  async (t) => {
    const backend = await startBackend(t);
    const { port, dir, app, log } = await start(t, crossing, backend.endpoint);
    const ask = (certificate: typeof good): Promise<number> =>
      request({ port, serverName: host, host, certificate }).then(({ status }) => status);
    t.equal(await ask(foreign), 400);
    writeFileSync(join(dir, 'secret.json'), secret({ ...whole, 'ca.crt': stranger.cert }));
    await app.reload();
    t.equal(await ask(foreign), 200);
    t.equal(await ask(good), 400);
    writeFileSync(join(dir, 'httpbin.yaml'), 'kind: [');
    await app.reload();
    t.match(log.join(''), /httpbin\.yaml:1:\d+ \/ not YAML/);
    t.equal(await ask(foreign), 200);
  },
);

void t.test(
  'hosts without a certificate get that of --default-ssl-certificate, and a self-signed one where it is not there',
  async (t) => {
    const backend = await startBackend(t);
    const name = 'ingress-nginx/logpoint-ingress';
    const { port, dir, app, log } = await start(
      t,
      { ...crossing, 'default-ssl-certificate': name },
      backend.endpoint,
    );
    const subject = async (): Promise<string | undefined> => {
      const socket = await openTls({ port, serverName: 'other.test' });
      const cn = socket
        .getPeerX509Certificate()
        ?.subject.split('\n')
        .find((line) => line.startsWith('CN='));
      socket.destroy();
      return cn;
    };
    t.equal(await subject(), `CN=${host}`);
    t.notMatch(log.join(''), / of --default-ssl-certificate/);
    writeFileSync(join(dir, 'secret.json'), secret({ ...whole, 'tls.key': 'no key' }));
    await app.reload();
    t.not(await subject(), `CN=${host}`);
    t.match(log.join(''), /the Secret ingress-nginx\/logpoint-ingress of --default-ssl-certificate/);
    writeFileSync(join(dir, 'secret.json'), secret(whole));
    await app.reload();
    t.equal(await subject(), `CN=${host}`);
  },
);

void t.test('a new file in the folder is seen', async (t) => {
  const backend = await startBackend(t);
  const { dir, app } = await start(t, crossing, backend.endpoint);
  app.watch();
  const before = app.snapshot.version;
  writeFileSync(
    join(dir, 'more.yaml'),
    'apiVersion: v1\nkind: Ingress\n---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: { name: more }\nspec: { rules: [{ host: more.test }] }\n',
  );
  const poll = new EventTarget();
  const timer = setInterval(() => {
    if (app.snapshot.version !== before) poll.dispatchEvent(new Event('changed'));
  }, 20);
  await once(poll, 'changed');
  clearInterval(timer);
  t.not(app.snapshot.hosts.find('more.test'), null);
});

void t.test('what is refused is counted, and shown by the admin listener, until it is mended', async (t) => {
  const backend = await startBackend(t);
  const { app, dir, admin } = await start(t, {}, backend.endpoint);
  const get = async (path: string): Promise<string> =>
    (await fetch(`http://127.0.0.1:${admin}${path}`)).text();
  t.match(await get('/metrics'), /^mtls_ingress_problems\{severity="error",kind="Ingress"\} 1$/m);
  t.match(await get('/metrics'), /^mtls_ingress_problems\{severity="error",kind="file"\} 0$/m);
  const { problems } = JSON.parse(await get('/status')) as { problems: { errors: number; lines: string[] } };
  t.equal(problems.errors, 1);
  t.match(problems.lines[0], /httpbin\.yaml:\d+:\d+ Ingress default\/httpbin .*another namespace/);
  // Of a Secret in the Ingress's own namespace nothing is to be said.
  const own = JSON.parse(secret(whole)) as { metadata: { namespace: string } };
  own.metadata.namespace = 'default';
  writeFileSync(join(dir, 'secret.json'), JSON.stringify(own));
  const text = readFileSync(join(dir, 'httpbin.yaml'), 'utf8').replace('"ingress-nginx/', '"default/');
  writeFileSync(join(dir, 'httpbin.yaml'), text);
  await app.reload();
  t.match(await get('/metrics'), /^mtls_ingress_problems\{severity="error",kind="Ingress"\} 0$/m);
  t.match(JSON.parse(await get('/status')), { problems: { errors: 0 } });
});

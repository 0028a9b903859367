import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { createAuthority } from '../support/pki.ts';
import { needs } from '../support/program.ts';
import { startBackend, startProxy } from '../support/proxy.ts';

const run = promisify(execFile);

await t.test('curl --cert --key and openssl s_client as clients', needs('curl'), async (t) => {
  const root = await createAuthority({ cn: 'Root A' });
  const intermediate = await createAuthority({ cn: 'Int A', parent: root });
  const client = await intermediate.issue({ ou: 'ITOps', cn: 'roshankhatri' });
  const sales = await intermediate.issue({ ou: 'Sales', cn: 'sales' });
  const server = await root.issue({ cn: 'server', hosts: ['localhost', '127.0.0.1'], usage: 'server' });
  const dir = t.testdir({});
  for (const [name, text] of Object.entries({
    'root.pem': root.cert,
    'client.pem': client.bundle,
    'client.key': client.key,
    'sales.pem': sales.bundle,
    'sales.key': sales.key,
  })) {
    writeFileSync(join(dir, name), text, { mode: 0o600 });
  }
  const backend = await startBackend(t, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => response.end(`${request.method} ${request.url} ${Buffer.concat(chunks).length}`));
  });
  const proxy = await startProxy(
    t,
    {
      hosts: [
        {
          names: ['localhost', '127.0.0.1'],
          certificate: { cert: 'server.pem', key: 'server.key' },
          clientAuth: { mode: 'require', ca: 'root.pem' },
          routes: [{ path: '/', upstream: 'backend', policy: { ou: 'ITOps' }, bodyLimit: '1m' }],
        },
      ],
      upstreams: { backend: { endpoints: [backend.endpoint] } },
    },
    { 'server.pem': server.bundle, 'server.key': server.key, 'root.pem': root.cert },
  );
  const base = `https://localhost:${proxy.port}`;
  const curl = async (...args: string[]): Promise<string> => {
    const common = ['-sS', '--max-time', '20', '--cacert', join(dir, 'root.pem'), '-w', ' %{http_code}'];
    const { stdout } = await run('curl', [...common, ...args]);
    return stdout;
  };
  const as = (name: string): string[] => [
    '--cert',
    join(dir, `${name}.pem`),
    '--key',
    join(dir, `${name}.key`),
  ];

  t.equal(await curl(...as('client'), `${base}/get?a=1`), 'GET /get?a=1 0 200');
  t.equal(
    await curl(...as('client'), `https://127.0.0.1:${proxy.port}/`),
    'GET / 0 200',
    'an address sends no SNI',
  );
  for (const version of ['--tls-max=1.2', '--tlsv1.3']) {
    const flags = version.startsWith('--tls-max') ? ['--tls-max', '1.2'] : [version];
    t.equal(await curl(...as('client'), ...flags, `${base}/`), 'GET / 0 200', version);
  }
  t.match(await curl(`${base}/`), /No required SSL certificate was sent[^]* 400$/);
  t.match(await curl(...as('sales'), `${base}/`), /client certificate unauthorized[^]* 403$/);
  t.match(
    await curl(...as('sales'), '-H', 'Accept: application/json', `${base}/`),
    /^\{"status":403,[^]* 403$/,
  );
  t.match(
    await curl(`http://localhost:${proxy.port}/`),
    /plain HTTP request was sent to HTTPS port[^]* 400$/,
  );

  const upload = join(dir, 'upload');
  writeFileSync(upload, Buffer.alloc(100_000, 'x'));
  t.equal(await curl(...as('client'), '--data-binary', `@${upload}`, `${base}/p`), 'POST /p 100000 200');
  t.equal(
    await curl(...as('client'), '-T', upload, `${base}/up`),
    'PUT /up 100000 200',
    'Expect: 100-continue works',
  );
  writeFileSync(upload, Buffer.alloc(1_100_000, 'x'));
  t.match(await curl(...as('client'), '-T', upload, `${base}/up`), / 413$/);

  await t.test('openssl s_client', needs('openssl', 'version'), async (t) => {
    const child = run('openssl', [
      's_client',
      '-connect',
      `127.0.0.1:${proxy.port}`,
      '-servername',
      'localhost',
      '-CAfile',
      join(dir, 'root.pem'),
      '-verify_return_error',
      '-cert',
      join(dir, 'client.pem'),
      '-key',
      join(dir, 'client.key'),
      '-cert_chain',
      join(dir, 'client.pem'),
      '-quiet',
      '-ign_eof',
    ]);
    child.child.stdin?.end('GET /s_client HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    const { stdout } = await child;
    t.match(stdout, /^HTTP\/1\.1 200 OK[^]*GET \/s_client 0/);
  });
});

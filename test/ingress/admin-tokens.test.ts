import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { get, type RequestOptions } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import t, { type Test } from 'tap';
import { App, ConfigurationError } from '../../src/app.ts';
import { createObservability } from '../../src/observe/observe.ts';
import { sourceOf } from '../../src/source-options.ts';

const first = '0123456789abcdef0123456789abcdef';
const second = 'fedcba9876543210fedcba9876543210';

const objects = JSON.stringify({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'IngressClass',
  metadata: { name: 'nginx' },
  spec: { controller: 'k8s.io/ingress-nginx' },
});

interface Running {
  readonly app: App;
  readonly file: string;
  readonly port: number;
  /** Resolves with the next line of the log that fits. */
  readonly logged: (pattern: RegExp) => Promise<void>;
}

async function start(t: Test, tokens: string | null, address = '127.0.0.1'): Promise<Running> {
  const dir = t.testdir({ manifests: { 'class.json': objects } });
  const file = join(dir, 'tokens');
  if (tokens !== null) writeFileSync(file, tokens, { mode: 0o600 });
  const source = sourceOf({
    manifests: join(dir, 'manifests'),
    address: '127.0.0.1',
    'https-port': '0',
    'http-port': 'off',
    'admin-address': address,
    'admin-port': '0',
    'admin-tokens': file,
  });
  if (typeof source === 'string') throw new Error(source);
  const waiting: { pattern: RegExp; resolve: () => void }[] = [];
  const write = (line: string): void => {
    for (const { pattern, resolve } of waiting) if (pattern.test(line)) resolve();
  };
  const app = new App(source, createObservability({ destination: { write } }));
  t.teardown(() => app.stop());
  const { admin } = await app.start();
  app.watch();
  return {
    app,
    file,
    port: admin.port,
    logged: (pattern) => new Promise((resolve) => waiting.push({ pattern, resolve })),
  };
}

async function ask(
  port: number,
  path: string,
  token: string | null = null,
  options: RequestOptions = {},
): Promise<{ readonly status: number; readonly body: string }> {
  const headers = token === null ? {} : { authorization: `Bearer ${token}` };
  const asked = get({
    host: '127.0.0.1',
    port,
    path,
    headers,
    rejectUnauthorized: false,
    agent: false,
    ...options,
  });
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  return { status: answer.statusCode ?? 0, body: await text(answer) };
}

void t.test('metrics are for who shows a token, over TLS; probes for everyone', async (t) => {
  for (const address of ['127.0.0.1', '0.0.0.0']) {
    const { port } = await start(t, `prometheus:${first}\n`, address);
    t.match(await ask(port, '/metrics', first), { status: 200, body: /^mtls_build_info\{/m }, address);
    t.equal((await ask(port, '/metrics')).status, 401);
    t.equal((await ask(port, '/metrics', second)).status, 401);
    t.equal((await ask(port, '/status')).status, 401);
    t.equal((await ask(port, '/healthz')).status, 200);
    t.equal((await ask(port, '/readyz')).status, 200);
    t.equal((await fetch(`http://127.0.0.1:${port}/metrics`)).status, 400, 'plain HTTP is not spoken');
  }
});

void t.test('a token counts from the moment that its file has it, and no longer than that', async (t) => {
  const { port, file, logged } = await start(t, first);
  const reloaded = logged(/"result":"success"/);
  writeFileSync(file, second);
  await reloaded;
  t.equal((await ask(port, '/metrics', second)).status, 200);
  t.equal((await ask(port, '/metrics', first)).status, 401);
});

void t.test('a file that is gone or holds no good token changes nothing', async (t) => {
  const { app, port, file } = await start(t, first);
  for (const spoil of [
    () => writeFileSync(file, 'short'),
    () => writeFileSync(file, ''),
    () => writeFileSync(file, '# nobody\n'),
    () => rmSync(file),
  ]) {
    spoil();
    t.not((await app.reload()).length, 0, 'the reload is refused');
    t.equal((await ask(port, '/metrics', first)).status, 200);
    t.equal((await ask(port, '/metrics')).status, 401);
  }
});

void t.test('without the file the program does not start', async (t) => {
  await t.rejects(start(t, null), ConfigurationError);
  await t.rejects(start(t, 'short'), ConfigurationError);
});

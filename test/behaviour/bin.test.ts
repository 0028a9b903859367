import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..', '..');
const bin = join(root, 'bin', 'mtls-ingress');

/** A Node on the PATH that is too old to serve with: what a machine has before `npm ci`. */
function oldNode(): string | null {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const node = join(folder, 'node');
    if (folder.includes('node_modules') || !existsSync(node)) continue;
    const major = Number(execFileSync(node, ['-p', 'process.versions.node.split(".")[0]']).toString());
    if (major >= 20 && major < 24) return node;
  }
  return null;
}

const node = oldNode();
const skip =
  node === null && process.env['CI'] !== 'true' ? 'needs an older Node, 20 to 23, on the PATH' : false;

/** Through `env`, so that the test runner's hooks stay out. */
const clean = (...args: readonly string[]): [string, string[]] => [
  'env',
  ['-u', 'NODE_OPTIONS', node!, bin, ...args],
];

await t.test('under an old Node the program runs with the one that came with it', { skip }, async (t) => {
  const { stdout } = await run(...clean('help'));
  t.match(stdout, /mtls-ingress serve --config FILE/);
});

void t.test('the image starts Node with the flags that the program is started with elsewhere', (t) => {
  const flags = JSON.parse(readFileSync(join(root, 'bin', 'node-flags.json'), 'utf8')) as string[];
  const [, entry = ''] = /^ENTRYPOINT (.*)$/m.exec(readFileSync(join(root, 'Dockerfile'), 'utf8')) ?? [];
  t.same(JSON.parse(entry), ['node', ...flags, '/app/bin/mtls-ingress']);
  t.equal(execFileSync(process.execPath, [...flags, '-p', '1']).toString(), '1\n', 'and Node takes them');
  t.end();
});

await t.test('exit codes come through', { skip }, async (t) => {
  for (const [args, code] of [
    [['no-such-command'], 2],
    [['check', '/nowhere/config.yaml'], 1],
  ] as const) {
    const failure = await run(...clean(...args)).catch((error: { code: number }) => error);
    t.equal((failure as { code: number }).code, code, args.join(' '));
  }
});

await t.test('a signal reaches the program, once', { skip }, async (t) => {
  const env = { ...process.env, PORT: '0', ADMIN_PORT: '0', BACKEND_PORT: '0' };
  const child = spawn(...clean('demo'), { cwd: root, env, stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  await new Promise<void>((resolve) => {
    child.stdout.on('data', (chunk: Buffer) => {
      printed += chunk.toString();
      if (printed.includes('Ctrl-C stops it')) resolve();
    });
  });
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  t.same(await exited, [0, null], 'drained, not killed');
  t.match(printed, 'https://localhost:');
});

await t.test('a runtime that is too old is refused in a single line', async (t) => {
  const { refuseRuntime } = await import('../../src/runtime.ts');
  for (const version of ['18.20.0', '20.20.2', '22.23.3', '23.11.0', '24.20.9', '25.9.0', '26.9.0']) {
    t.match(refuseRuntime(version), /^[^\n]*26\.10[^\n]*$/, version);
  }
  for (const version of ['24.21.0', '24.30.1', '26.10.0', '26.12.3', '27.0.0', '28.1.0']) {
    t.equal(refuseRuntime(version), null, version);
  }
});

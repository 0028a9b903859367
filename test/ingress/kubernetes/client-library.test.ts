import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import t, { type Test } from 'tap';
import { cleanNode } from '../../support/program.ts';

const root = join(import.meta.dirname, '..', '..', '..');
const library = '@kubernetes/client-node';

/** Serves until a line says what is waited for; gives whether the library was asked for by then. */
async function loadsLibrary(t: Test, awaited: RegExp, ...flags: readonly string[]): Promise<boolean> {
  const dir = t.testdir({
    'hook.mjs': `import { registerHooks } from 'node:module';
registerHooks({ resolve(specifier, context, next) {
  if (specifier === ${JSON.stringify(library)}) console.log('it is loaded');
  return next(specifier, context);
} });`,
  });
  const hook = `--import=${pathToFileURL(join(dir, 'hook.mjs')).href}`;
  const ports = ['--address=127.0.0.1', '--https-port=0', '--http-port=0', '--admin-port=0'];
  const [command, args] = cleanNode(hook, join(root, 'src', 'main.ts'), 'serve', ...flags, ...ports);
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'close');
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    if (awaited.test(line)) child.kill('SIGKILL');
  }
  await ended;
  t.ok(
    lines.some((line) => awaited.test(line)),
    'it came that far',
  );
  return lines.includes('it is loaded');
}

void t.test('who watches no cluster does not load the client library', async (t) => {
  const manifests = `--manifests=${join(root, 'config', 'ingress')}`;
  t.notOk(await loadsLibrary(t, /"message":"listening/, manifests));
  t.ok(await loadsLibrary(t, /watches of the Kubernetes API fail/, '--kubernetes', '--kubeconfig=/nowhere'));
});

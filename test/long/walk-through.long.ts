import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { clean, pattern, Shell, stepsOf } from '../support/page.ts';
import { needs } from '../support/program.ts';

const project = join(import.meta.dirname, '..', '..');
const page = readFileSync(join(project, 'certs', 'README.md'), 'utf8');

void t.test('the walk-through of certs/README.md runs as it is printed', needs('curl'), async (t) => {
  // A copy of the project: the walk-through makes certs/demo, and somebody may have one.
  const copy = mkdtempSync(join(tmpdir(), 'pki-walk-'));
  t.teardown(() => rmSync(copy, { recursive: true, force: true }));
  for (const part of ['package.json', 'bin', 'src', 'config', 'certs']) {
    const demo = join(project, 'certs', 'demo');
    cpSync(join(project, part), join(copy, part), { recursive: true, filter: (source) => source !== demo });
  }
  symlinkSync(join(project, 'node_modules'), join(copy, 'node_modules'));

  const env: NodeJS.ProcessEnv = { ...process.env, LC_ALL: 'C.UTF-8' };
  let port = '';
  const shell = new Shell(copy, env);
  t.teardown(async () => await shell.end());
  const steps = stepsOf(page);
  t.ok(steps.length >= 12, 'the page has its blocks');
  for (const { commands, prints } of steps) {
    const title = commands.split('\n')[0]!;
    if (commands === 'npm start\n') {
      port = await startDemo(copy, env);
      await shell.run(`export PORT=${port}`);
      continue;
    }
    const { printed, code } = await shell.run(commands);
    t.equal(code, prints.some((line) => line.startsWith('verdict: failed')) ? 1 : 0, `${title}\n${printed}`);
    const found = prints
      .filter((line) => !line.startsWith('verdict: failed'))
      .filter((line) => !pattern(line).test(printed));
    t.same(found, [], `what ${title} prints`);
  }
  t.not(port, '', 'the demo was opened');

  async function startDemo(cwd: string, own: NodeJS.ProcessEnv): Promise<string> {
    const demo = spawn('env', [...clean, 'npm', 'start'], {
      cwd,
      env: { ...own, PORT: '0', ADMIN_PORT: '0', BACKEND_PORT: '0' },
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
    });
    const ended = once(demo, 'exit');
    t.teardown(async () => {
      // npm, its shell and the program it starts are a group of their own.
      if (demo.exitCode === null) process.kill(-demo.pid!, 'SIGTERM');
      await ended;
    });
    let text = '';
    demo.stdout.on('data', (chunk: Buffer) => (text += String(chunk)));
    while (!text.includes('Ctrl-C stops it')) {
      const [event] = await Promise.race([once(demo.stdout, 'data'), ended.then(() => ['exit'])]);
      if (event === 'exit') throw new Error(`the demo did not start\n${text}`);
    }
    return /https:\/\/localhost:(\d+)/.exec(text)![1]!;
  }
});

void t.test('the passphrase is asked for on a real terminal, without echo', needs('script'), async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'pki-tty-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const command = `${join(project, 'bin', 'mtls-ingress')} pki`;
  const made = spawnSync(
    'env',
    [...clean, 'sh', '-c', `${command} init ${join(project, 'certs', 'root.json')} --out root`],
    { cwd: dir },
  );
  t.equal(made.status, 0, String(made.stderr));
  const terminal = spawn('env', [...clean, 'script', '-qefc', `${command} p12 root.pem`, '/dev/null'], {
    cwd: dir,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(terminal, 'exit');
  let shown = '';
  let asked = 0;
  for await (const chunk of terminal.stdout) {
    shown += String(chunk);
    const prompts = shown.match(/Passphrase for root\.p12: |The same again: /g)?.length ?? 0;
    for (; asked < prompts; asked++) terminal.stdin.write('open sesame\r');
  }
  t.equal((await ended)[0], 0, shown);
  t.equal(asked, 2);
  t.notMatch(shown, /sesame/);
  t.match(shown, /wrote root\.p12/);
});

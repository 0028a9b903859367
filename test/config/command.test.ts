import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import t, { type Test } from 'tap';
import { runCheck } from '../../src/config/command.ts';
import { changed, folder, material, valid } from './fixture.ts';

const files = await material();

/** Runs `mtls-ingress check` within this process. */
async function check(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const code = await runCheck(args, { stdin: process.stdin, stdout, stderr, env: {} });
  const text = (stream: PassThrough): string => (stream.read() as Buffer | null)?.toString() ?? '';
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

function written(t: Test, text: string, others: Record<string, string> = files): string {
  return join(folder(t, { ...others, 'c.yaml': text }), 'c.yaml');
}

void t.test('a good configuration is ok, in one line', async (t) => {
  const { code, stdout, stderr } = await check(written(t, valid));
  t.equal(code, 0);
  t.equal(stdout, 'ok: 2 hosts, 3 routes, 2 upstreams, 7 files\n');
  t.equal(stderr, '');
});

void t.test('warnings are printed, and it is ok all the same', async (t) => {
  const file = written(t, changed(['upstream: tls', 'upstream: app']));
  const { code, stdout } = await check(file);
  t.equal(code, 0);
  t.equal(
    stdout,
    `${file}:39:3 /upstreams/tls warning: no route leads to this upstream\nok: 2 hosts, 3 routes, 2 upstreams, 7 files, 1 warning\n`,
  );
});

void t.test('errors are printed, a line each, and the exit code is 1', async (t) => {
  const file = written(t, changed(['upstream: tls', 'upstream: tsl'], ['accessLog', 'acessLog']));
  const { code, stdout } = await check(file);
  t.equal(code, 1);
  t.same(stdout.split('\n'), [
    `${file}:30:19 /hosts/0/routes/1/upstream there is no upstream \`tsl\`, did you mean \`tls\`?`,
    `${file}:39:3 /upstreams/tls warning: no route leads to this upstream`,
    `${file}:44:1 /acessLog unknown key \`acessLog\`, did you mean \`accessLog\`?`,
    '2 errors, 1 warning',
    '',
  ]);
});

void t.test('the dates of the files count', async (t) => {
  const { createAuthority } = await import('../support/pki.ts');
  const root = await createAuthority({ cn: 'Root' });
  const server = await root.issue({
    usage: 'server',
    hosts: ['a.example.com', '*.b.example.com', '192.0.2.1', 'public.example.com'],
    notAfter: Date.now() - 1000,
  });
  const { code, stdout } = await check(
    written(t, valid, { ...files, 'server.pem': server.cert, 'server-key.pem': server.key }),
  );
  t.equal(code, 1);
  t.match(stdout, /\/hosts\/0\/certificate\/cert the certificate in `server.pem` expired on/);
});

void t.test('--json says the same for programs', async (t) => {
  const file = written(t, changed(['accessLog', 'acessLog']));
  const bad = await check('--json', file);
  t.equal(bad.code, 1);
  t.same(JSON.parse(bad.stdout), {
    file,
    ok: false,
    problems: [
      {
        file,
        line: 44,
        column: 1,
        path: '/acessLog',
        message: 'unknown key `acessLog`, did you mean `accessLog`?',
        severity: 'error',
      },
    ],
    summary: null,
  });
  const good = await check(written(t, valid), '--json');
  t.equal(good.code, 0);
  t.match(JSON.parse(good.stdout), {
    ok: true,
    problems: [],
    summary: { hosts: 2, routes: 3, upstreams: 2, files: 7 },
  });
});

void t.test('a file that is not there is a problem like any other', async (t) => {
  const file = join(folder(t), 'none.yaml');
  t.same(await check(file), {
    code: 1,
    stdout: `${file}:1:1 / \`${file.slice(0, 80)}\` is not there\n1 error\n`,
    stderr: '',
  });
});

void t.test('a name with control characters does not reach the terminal as such', async (t) => {
  const { stdout } = await check(join(folder(t), 'a\u001b[2Jb\nc.yaml'));
  t.notMatch(stdout, /\u001b/);
  t.equal(stdout.split('\n').length, 3);
});

void t.test('a wrong command line is told with the usage and exit code 2', async (t) => {
  for (const args of [[], ['a', 'b'], ['--nonsense', 'a']]) {
    const { code, stdout, stderr } = await check(...args);
    t.equal(code, 2);
    t.equal(stdout, '');
    t.match(stderr, /^mtls-ingress check: .*\n\nmtls-ingress check FILE/);
  }
});

void t.test('--help prints the usage', async (t) => {
  const { code, stdout } = await check('--help');
  t.equal(code, 0);
  t.match(stdout, /^mtls-ingress check FILE/);
});

import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { compileDenyList } from '../../src/policy/deny-list.ts';
import type { AdminAccess } from '../../src/snapshot/admin-access.ts';
import { openTls, parseAnswer, request } from '../support/client.ts';
import { createAuthority } from '../support/pki.ts';
import { startBackend } from '../support/proxy.ts';
import { serve } from '../support/serve.ts';
import { ask, type Reply, type Settings, start } from './client.ts';

const open: AdminAccess = { reading: 'open', changing: 'open', probes: 'open' };

interface Rig {
  readonly file: string;
  readonly reloads: () => number;
  readonly add: (entry: unknown) => Promise<Reply>;
}

async function rig(t: Test, contents: string | null, settings: Settings = {}): Promise<Rig> {
  const dir = t.testdir({});
  const file = join(dir, 'deny.yaml');
  if (contents !== null) writeFileSync(file, contents, { mode: 0o640 });
  let reloads = 0;
  const at = await start(t, {
    access: () => open,
    denyListFile: () => file,
    reload: () => {
      reloads++;
      return Promise.resolve([]);
    },
    ...settings,
  });
  return {
    file,
    reloads: () => reloads,
    add: (entry) => ask(at, '/deny-list', { method: 'POST', body: JSON.stringify(entry) }),
  };
}

const entriesOf = (file: string): number => {
  const compiled = compileDenyList('deny.yaml', readFileSync(file, 'utf8'));
  return 'list' in compiled ? compiled.list.entries : -1;
};

void t.test('an entry is appended with who wrote it, and all else stays', async (t) => {
  const before = `# kept by security\n- { serial: '0A' } # stolen\n- subject: { OU: Contractors }`;
  const { file, add, reloads } = await rig(t, before);
  t.match(await add({ serial: '4F3A09', issuer: 'CN=Partners CA' }), {
    status: 200,
    body: '{"result":"success","entries":3}\n',
  });
  t.match(
    readFileSync(file, 'utf8'),
    /^# kept by security\n- \{ serial: '0A' \} # stolen\n- subject: \{ OU: Contractors \}\n- \{"serial":"4F3A09","issuer":"CN=Partners CA"\} # loopback, 20\S+Z\n$/,
  );
  t.equal(statSync(file).mode & 0o777, 0o640);
  t.same(readdirSync(join(file, '..')), ['deny.yaml'], 'no other file is left');
  t.equal(reloads(), 1);
});

void t.test('an empty list takes its first entry, and comments stay', async (t) => {
  for (const before of ['[]\n', '# nobody yet\n[]']) {
    const { file, add } = await rig(t, before);
    t.match(await add({ spki: 'a'.repeat(64) }), { status: 200 }, before);
    t.equal(entriesOf(file), 1);
    if (before.startsWith('#')) t.match(readFileSync(file, 'utf8'), /^# nobody yet\n- /);
  }
});

void t.test('what is no entry changes nothing', async (t) => {
  const before = "- { serial: '0A' }\n";
  const { file, add, reloads } = await rig(t, before);
  const wrong = [
    {},
    [],
    [{ serial: '0B' }],
    'serial',
    null,
    7,
    { everyone: true },
    { cn: [] },
    { cn: { regex: '(' } },
  ];
  for (const entry of wrong) t.match(await add(entry), { status: 400 }, JSON.stringify(entry));
  t.match(await add({ cn: 'x'.repeat(17_000) }), { status: 413 });
  t.equal(readFileSync(file, 'utf8'), before);
  t.equal(reloads(), 0);
});

void t.test('an entry is one entry, whatever it holds', async (t) => {
  const { file, add } = await rig(t, "- { serial: '0A' }\n");
  const tricks = ["x\n- { cn: '*' }", '"} # {"', 'a: b', "'", '\u2028- {cn: "*"}', '# x', '\\'];
  for (const cn of tricks) t.match(await add({ cn: { exact: cn } }), { status: 200 }, encodeURIComponent(cn));
  t.equal(entriesOf(file), 1 + tricks.length);
});

void t.test('a list that cannot be added to is left as it is, with the reason', async (t) => {
  const cases = [
    { contents: "[{ serial: '0A' }]\n", wants: /write each entry on a line/ },
    { contents: '- { serial: }\n', wants: /as it is has problems/ },
    { contents: 'x: 1\n', wants: /as it is has problems/ },
    { contents: null, wants: /cannot be read: ENOENT/ },
  ];
  for (const { contents, wants } of cases) {
    const { file, add, reloads } = await rig(t, contents);
    t.match(await add({ serial: '0B' }), { status: 409, body: wants });
    if (contents !== null) t.equal(readFileSync(file, 'utf8'), contents);
    t.equal(reloads(), 0);
  }
  const { add } = await rig(t, null, { denyListFile: () => null });
  t.match(await add({ serial: '0B' }), { status: 409, body: /names no denyList/ });
});

void t.test('a reload that is refused is told', async (t) => {
  const { add } = await rig(t, '[]', { reload: () => Promise.resolve(['a.yaml:1:1 / is wrong']) });
  t.match(await add({ serial: '0B' }), { status: 409, body: /a\.yaml:1:1/ });
});

void t.test('entries of several at once are all there', async (t) => {
  const { file, add } = await rig(t, '[]');
  const replies = await Promise.all(
    Array.from({ length: 12 }, (_, index) => add({ serial: `${index + 10}` })),
  );
  t.same([...new Set(replies.map(({ status }) => status))], [200]);
  t.equal(entriesOf(file), 12);
});

void t.test('a symbolic link stays one, and its target is replaced', async (t) => {
  const { file, add } = await rig(t, null);
  const data = join(dirname(file), 'data');
  mkdirSync(data);
  writeFileSync(join(data, 'deny.yaml'), '[]');
  symlinkSync(join('data', 'deny.yaml'), file);
  t.match(await add({ serial: '0B' }), { status: 200 });
  t.ok(lstatSync(file).isSymbolicLink());
  t.equal(entriesOf(join(data, 'deny.yaml')), 1);
});

void t.test(
  'whoever is denied is refused with the next request on the connection that is open',
  { timeout: 60_000 },
  async (t) => {
    const authority = await createAuthority({ cn: 'CA' });
    const [server, client] = await Promise.all([
      authority.issue({ cn: 'a.test', usage: 'server', hosts: ['a.test'] }),
      authority.issue({ cn: 'mallory' }),
    ]);
    const backend = await startBackend(t);
    const program = await serve(
      t,
      `denyList: deny.yaml
hosts:
  - names: [a.test]
    certificate: { cert: server.pem, key: server.key }
    clientAuth: { mode: require, ca: ca.pem }
    routes: [{ path: /, upstream: app }]
upstreams: { app: { endpoints: ['${backend.endpoint}'] } }
`,
      { 'server.pem': server.bundle, 'server.key': server.key, 'ca.pem': authority.cert, 'deny.yaml': '[]' },
      [],
      `listeners:
  https: { address: 127.0.0.1, port: 0 }
  http: { address: 127.0.0.1, port: 0 }
  admin: { address: 127.0.0.1, port: 0, changing: { local: true } }
`,
    );
    const at = { port: program.httpsPort, certificate: client, serverName: 'a.test', host: 'a.test' };
    t.match(await request(at), { status: 200 });
    const socket = await openTls(at);
    const askOn = (): Promise<number> =>
      new Promise((resolve) => {
        socket.once('data', (chunk: Buffer) => resolve(parseAnswer(chunk.toString('latin1')).status));
        socket.write('GET / HTTP/1.1\r\nhost: a.test\r\n\r\n');
      });
    t.equal(await askOn(), 200);
    const answer = await fetch(`http://127.0.0.1:${program.adminPort}/deny-list`, {
      method: 'POST',
      body: JSON.stringify({ serial: client.serial }),
    });
    t.equal(answer.status, 200, await answer.text());
    t.equal(await askOn(), 403);
    t.match(await request(at), { status: 403 });
    socket.destroy();
  },
);

import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { RotationCa } from '../../src/observe/inventory/rotation.ts';
import type { IdentityState } from '../../src/observe/inventory/state.ts';
import { request } from './client.ts';
import { createAuthority, type Issued } from './pki.ts';
import { type Program, serve } from './serve.ts';

const old = await createAuthority({ cn: 'Old Root' });
const recent = await createAuthority({ cn: 'New Root' });
const stranger = await createAuthority({ cn: 'Stranger' });
const server = await recent.issue({ cn: 'server', hosts: ['a.test'], usage: 'server' });
const soon = new Date(Date.now() + 5 * 86_400_000);
const [alice, bob] = [
  await old.issue({ cn: 'alice', ou: 'ITOps', notAfter: soon }),
  await recent.issue({ cn: 'bob', ou: 'Sales' }),
];
const mallory = await stranger.issue({ cn: '=cmd()', ou: 'ITOps' });
const files = {
  'both.pem': old.cert + recent.cert,
  'server.pem': server.bundle,
  'server.key': server.key,
};
const config = (more: string): string => `
hosts:
  - names: [a.test]
    certificate: { cert: server.pem, key: server.key }
    clientAuth: { mode: require, ca: both.pem }
    routes: [{ path: /, policy: { ou: ITOps }, respond: { status: 200, body: ok } }]
upstreams: {}
${more}`;

const send = (program: Program, certificate: Issued) =>
  request({ port: program.httpsPort, serverName: 'a.test', host: 'a.test', certificate });
const ask = async <Answer>(program: Program, path: string): Promise<Answer> =>
  (await (await fetch(`http://127.0.0.1:${program.adminPort}${path}`)).json()) as Answer;

interface Identities {
  readonly identities: readonly IdentityState[];
}

/** Who came through which CA is known, and still is after a restart, whatever the number of workers. */
export async function identitiesAreKept(t: Test, workers: number): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'identities-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  const file = join(dir, 'identities');
  const text = config(`workers: ${workers}\ninventory: { file: ${file} }\n`);
  const program = await serve(t, text, files);
  for (let times = 0; times < 6; times++) t.equal((await send(program, alice)).status, 200);
  t.equal((await send(program, bob)).status, 403);
  t.equal((await send(program, mallory)).status, 400);
  const { identities } = await ask<Identities>(program, '/identities');
  const names = identities.map(({ subject }) => /CN=(\w+)/.exec(subject)?.[1]);
  t.strictSame(new Set(names), new Set(['alice', 'bob']));
  const first = identities.find(({ subject }) => subject.includes('alice'));
  t.equal(first?.requests, 6, 'of all workers together');
  t.match(first?.hosts, [{ host: 'a.test', requests: 6, anchor: { subject: /Old Root/ } }]);
  const second = identities.find(({ subject }) => subject.includes('bob'));
  t.match(second?.denials, { policy_ou: 1 });
  const { cas } = await ask<{ cas: RotationCa[] }>(program, '/rotation?host=a.test');
  t.match(cas, [
    { subject: /Old Root/, clients: 1, verdict: 'not_safe', who: [/alice/] },
    { subject: /New Root/, clients: 1, verdict: 'not_safe', who: [/bob/] },
  ]);
  const page = await (await fetch(`http://127.0.0.1:${program.adminPort}/metrics`)).text();
  t.match(page, 'mtls_identities 2\n');
  t.match(page, 'mtls_identities_expiring{window="7d"} 1\n');
  t.equal((await fetch(`http://127.0.0.1:${program.adminPort}/identities?nonsense=1`)).status, 400);
  const csv = await fetch(`http://127.0.0.1:${program.adminPort}/identities?format=csv`);
  t.match(csv.headers.get('content-type'), /^text\/csv/);
  t.match(await csv.text(), /^fingerprint,subject,[^]*alice/);

  const exited = once(program.child, 'exit');
  program.child.kill('SIGTERM');
  t.strictSame(await exited, [0, null]);
  t.equal(readFileSync(file, 'utf8').trim().split('\n').length, 3);
  const again = await serve(t, text, files);
  t.equal((await send(again, alice)).status, 200);
  const kept = (await ask<Identities>(again, '/identities?subject=alice')).identities[0];
  t.equal(kept?.requests, 7);
  t.equal(kept?.firstSeen, first?.firstSeen);
}

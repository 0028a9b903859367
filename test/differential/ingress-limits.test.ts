import { once, EventEmitter } from 'node:events';
import t, { type Test } from 'tap';
import { createAuthority } from '../support/pki.ts';
import { needs } from '../support/program.ts';
import { type Compared, type Difference, judge } from './difference.ts';
import { ingress, type KubernetesJson } from './ingress-manifests.ts';
import { bothWays, type IngressSides, startIngressSides } from './ingress-sides.ts';
import type { Case } from './observe.ts';
import { startEchoBackend } from './sides.ts';

// What limits refuse depends on what came before: each case is a step of a sequence, played one after the other.

const root = await createAuthority({ cn: 'Root' });
const server = await root.issue({ cn: 'server', hosts: ['tls.test'], usage: 'server' });
const users = 'anna:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n';
const secret = (name: string, stringData: Readonly<Record<string, string>>): KubernetesJson => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name },
  stringData,
});

/** A rate so low that none of a sequence leaks away while it is played. */
const few = { 'limit-rpm': '1', 'limit-burst-multiplier': '2' };
const hosts = [
  ingress('second.test', { annotations: { 'limit-rps': '1', 'limit-burst-multiplier': '3' } }),
  ingress('minute.test', { annotations: { 'limit-rpm': '2' } }),
  ingress('few.test', { annotations: few }),
  ingress('once.test', { annotations: { 'limit-rpm': '1', 'limit-burst-multiplier': '1' } }),
  ingress('both.test', {
    annotations: {
      'limit-rps': '100',
      'limit-rpm': '2',
      'limit-burst-multiplier': '1',
      'limit-connections': '9',
    },
  }),
  ingress('shared.test', {
    annotations: few,
    paths: [
      ['/a', 'Prefix'],
      ['/b', 'Prefix'],
    ],
  }),
  ingress('tls.test', { tls: true, annotations: few }),
  ingress('denied.test', { annotations: { ...few, 'denylist-source-range': '127.0.0.0/8' } }),
  ingress('users.test', { annotations: { ...few, 'auth-type': 'basic', 'auth-secret': 'users' } }),
  ingress('small.test', { annotations: { ...few, 'proxy-body-size': '1k' } }),
  ingress('other.test', { annotations: { ...few, 'limit-allowlist': '10.0.0.0/8, 192.168.0.0/16' } }),
  ingress('held.test', { annotations: { 'limit-connections': '2' } }),
];

const refused = /^(?:503|429) /;

const verified: Difference = {
  cases: /./,
  fact: 'header ssl-client-verify',
  outcome: /^forwarded /,
  nginx: null,
  ours: /^NONE$/,
  reason: 'every upstream is told who the client is, if only that it is nobody (rule 4)',
};

/** Where we differ from ingress-nginx's nginx on purpose, and why. */
const differences: readonly Difference[] = [
  verified,
  {
    cases: /^[456]: GET \S+shared\.test/,
    fact: 'outcome',
    nginx: refused,
    ours: /^forwarded 200$/,
    reason: 'requests are counted for each path; nginx counts them for all of an Ingress together',
  },
  {
    cases: /^[45]: GET \S+denied\.test/,
    fact: 'outcome',
    nginx: refused,
    ours: /^403 /,
    reason: 'an address that is shut out hears so however often it asks, and is not kept account of',
  },
  {
    cases: /^[45]: POST \S+small\.test/,
    fact: 'outcome',
    nginx: /^413 /,
    ours: refused,
    reason: 'a request with too large a body counts as any other; nginx refuses it before it counts',
  },
  {
    cases: /^[678]: GET \S+small\.test/,
    fact: 'outcome',
    nginx: /^forwarded 200$/,
    ours: refused,
    reason: 'so that others after it may be too many',
  },
];

/** Plays one step after the other. */
async function inTurn(sides: IngressSides, sequence: readonly Case[]): Promise<Compared[]> {
  const compared: Compared[] = [];
  for (const [index, step] of sequence.entries()) {
    compared.push(...(await sides.play([{ ...step, title: `${index + 1}: ${step.title}` }])));
  }
  return compared;
}

/** `count` requests over plain HTTP. */
function plainly(count: number, ...request: Parameters<typeof bothWays>): Case[] {
  return Array.from({ length: count }, () => bothWays(...request)[0]!);
}

async function playLimits(t: Test, settings: Readonly<Record<string, string>>): Promise<void> {
  const held = new EventEmitter();
  const waiting: (() => void)[] = [];
  const app = await startEchoBackend(t, (request, response) => {
    if (request.headers['x-hold'] === undefined) return;
    const end = response.end.bind(response);
    response.end = (text: unknown) => {
      waiting.push(() => end(String(text)));
      if (waiting.length === 4) held.emit('all');
      return response;
    };
  });
  const sides = await startIngressSides(t, {
    objects: [
      secret('pki', { 'tls.crt': server.bundle, 'tls.key': server.key }),
      secret('users', { auth: users }),
      ...hosts,
    ],
    files: { 'server.pem': server.bundle, 'server.key': server.key, users },
    services: { 'default/app': [app.endpoint] },
    secrets: { 'default/users': { auth: 'users' } },
    settings,
  });
  const both = [1, 2, 3].flatMap(() => bothWays('few.test', '/'));
  const body = { method: 'POST', body: 'x'.repeat(2000) };
  const large = plainly(5, 'small.test', '/', ['Content-Length: 2000'], body);
  // By itself: a second must not go by.
  const within = await inTurn(sides, plainly(6, 'second.test', '/'));
  const sequences = [
    plainly(14, 'minute.test', '/'),
    both,
    plainly(4, 'once.test', '/', [], { method: 'HEAD' }),
    plainly(5, 'both.test', '/'),
    ['/a', '/a/x', '/b', '/b', '/a', '/b', '/b'].flatMap((path) => plainly(1, 'shared.test', path)),
    [...plainly(5, 'tls.test', '/x'), ...[1, 2, 3, 4, 5].map(() => bothWays('tls.test', '/x')[1]!)],
    plainly(5, 'denied.test', '/'),
    plainly(5, 'users.test', '/'),
    [...large, ...plainly(5, 'small.test', '/')],
    plainly(5, 'other.test', '/'),
  ];
  const compared = await Promise.all(sequences.map((sequence) => inTurn(sides, sequence)));

  const all = once(held, 'all');
  const open = sides.play(plainly(2, 'held.test', '/held', ['X-Hold: 1']));
  await all;
  const third = await inTurn(sides, plainly(2, 'held.test', '/while'));
  for (const end of waiting.splice(0)) end();
  const after = [...(await open), ...(await inTurn(sides, plainly(2, 'held.test', '/after')))];
  judge(t, [...within, ...compared.flat(), ...third, ...after], differences);
  const outcomes = third.map(({ ours }) => ours['outcome']?.slice(0, 3));
  const status = settings['limit-conn-status-code'] ?? '503';
  t.same(outcomes, [status, status], 'two at once are as many as may be');
}

await t.test('limits refuse what they refuse under nginx', needs('nginx', '-v'), async (t) => {
  await t.test('with the statuses that they have', (t) => playLimits(t, {}));
  await t.test('with statuses of the ConfigMap', (t) =>
    playLimits(t, { 'limit-req-status-code': '429', 'limit-conn-status-code': '409' }),
  );
});

import t, { type Test } from 'tap';
import type { Address } from '../../../src/ingress/kubernetes/address.ts';
import { ApiError } from '../../../src/ingress/kubernetes/api-error.ts';
import { ClusterOrigin } from '../../../src/ingress/kubernetes/cluster.ts';
import { StatusWriter, type StatusWriterOptions } from '../../../src/ingress/kubernetes/status-writer.ts';
import type { Ingress } from '../../../src/ingress/object.ts';
import { readObject } from '../../../src/ingress/read-object.ts';
import type { Translation } from '../../../src/ingress/translate.ts';
import { until } from '../../support/controller.ts';
import { ingress } from '../../support/objects.ts';
import { emptyTranslation } from './speaking.ts';

const ours: readonly Address[] = [{ ip: '192.0.2.1' }];
const theirs: readonly Address[] = [{ ip: '198.51.100.9' }];

function fromCluster(name: string, version = 'v1'): Ingress {
  const manifest = { ...ingress({ host: `${name}.test`, name }), apiVersion: `networking.k8s.io/${version}` };
  const read = readObject(manifest, new ClusterOrigin(manifest.apiVersion, `uid-${name}`, '1'));
  if (!('object' in read) || read.object.kind !== 'Ingress') throw new Error('no Ingress');
  return read.object;
}

const translationOf = (...ingresses: readonly Ingress[]): Translation => ({ ...emptyTranslation, ingresses });

/** A writer over statuses in memory, which change as they are written. */
function setUp(t: Test, options: Partial<StatusWriterOptions> = {}) {
  const statuses = new Map<string, readonly Address[]>();
  const patches: { readonly path: string; readonly body: object }[] = [];
  const lines: { readonly message: string; readonly [name: string]: unknown }[] = [];
  const state: {
    fails: ((path: string) => ApiError | null) | null;
    published: readonly Address[] | null;
    under: number;
    most: number;
  } = { fails: null, published: ours, under: 0, most: 0 };
  const writer = new StatusWriter({
    log: (_level, message, fields) => void lines.push({ message, ...fields }),
    clearsUp: true,
    published: () => state.published,
    addressesOf: (key) => statuses.get(key) ?? null,
    api: {
      patch: async (path, body) => {
        state.most = Math.max(state.most, ++state.under);
        await new Promise((resolve) => setImmediate(resolve));
        state.under--;
        const error = state.fails?.(path) ?? null;
        if (error !== null) throw error;
        patches.push({ path, body });
        const name = /ingresses\/([^/]+)\/status$/.exec(path)![1]!;
        const { status } = body as { status: { loadBalancer: { ingress: readonly Address[] | null } } };
        statuses.set(`default/${name}`, status.loadBalancer.ingress ?? []);
        return {};
      },
    },
    ...options,
  });
  t.teardown(() => writer.close(false));
  return { writer, statuses, patches, lines, state };
}

/** Longer than a writer waits for more to come. */
const soon = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 150));

void t.test('the leader writes the addresses, by the version and the uid of each Ingress', async (t) => {
  const { writer, statuses, patches } = setUp(t);
  for (const name of ['a', 'b', 'c']) statuses.set(`default/${name}`, []);
  statuses.set('default/c', ours);
  writer.translated(translationOf(fromCluster('a'), fromCluster('b', 'v1beta1'), fromCluster('c')));
  await soon();
  t.same(patches, [], 'who does not lead writes nothing');
  writer.leading(true);
  await until('both are written', () => patches.length === 2);
  t.strictSame(patches, [
    {
      path: '/apis/networking.k8s.io/v1/namespaces/default/ingresses/a/status',
      body: { metadata: { uid: 'uid-a' }, status: { loadBalancer: { ingress: ours } } },
    },
    {
      path: '/apis/networking.k8s.io/v1beta1/namespaces/default/ingresses/b/status',
      body: { metadata: { uid: 'uid-b' }, status: { loadBalancer: { ingress: ours } } },
    },
  ]);
  writer.translated(translationOf(fromCluster('a'), fromCluster('b', 'v1beta1'), fromCluster('c')));
  await soon();
  t.equal(patches.length, 2, 'what is there is not written again');
});

void t.test('who leads no longer writes no more', async (t) => {
  const { writer, statuses, patches } = setUp(t);
  writer.leading(true);
  writer.leading(false);
  statuses.set('default/a', []);
  writer.translated(translationOf(fromCluster('a')));
  await soon();
  t.same(patches, []);
});

void t.test('while no address is known, what stands there stays', async (t) => {
  const { writer, statuses, patches, state } = setUp(t);
  statuses.set('default/a', theirs);
  writer.leading(true);
  for (const published of [null, []]) {
    state.published = published;
    writer.translated(translationOf(fromCluster('a')));
    await soon();
    t.same(patches, [], JSON.stringify(published));
  }
  state.published = ours;
  writer.translated(translationOf(fromCluster('a')));
  await until('it is written when it is known', () => patches.length === 1);
});

void t.test('a Service that is not there, or has no address, is told of once', async (t) => {
  let looks = 0;
  let published: readonly Address[] | null = null;
  const { writer, statuses, lines, patches } = setUp(t, {
    refreshMs: 20,
    published: () => (looks++, published),
  });
  statuses.set('default/a', []);
  writer.translated(translationOf(fromCluster('a')));
  writer.leading(true);
  await until('it has looked many times', () => looks > 10);
  t.match(lines, [{ message: /no address to publish/, fault: /is not there/ }]);
  t.equal(lines.length, 1);
  published = ours;
  await until('it is written', () => patches.length > 0);
});

void t.test(
  'another controller that writes something else is written over at each refresh, no more',
  async (t) => {
    const { writer, statuses, patches } = setUp(t, { refreshMs: 1500 });
    statuses.set('default/a', []);
    writer.leading(true);
    const began = performance.now();
    writer.translated(translationOf(fromCluster('a')));
    await until('it is written', () => patches.length === 1);
    for (let turn = 0; turn < 3; turn++) {
      statuses.set('default/a', theirs);
      writer.translated(translationOf(fromCluster('a')));
      await soon();
    }
    t.equal(patches.length, 1, 'that is no race');
    await until('it is written at the refresh', () => patches.length === 2);
    t.ok(performance.now() - began > 1400);
  },
);

void t.test('two thousand are written, a few at once', async (t) => {
  const { writer, statuses, patches, state } = setUp(t);
  const names = Array.from({ length: 2000 }, (_, index) => `i${index}`);
  for (const name of names) statuses.set(`default/${name}`, []);
  writer.translated(translationOf(...names.map((name) => fromCluster(name))));
  writer.leading(true);
  await until('all are written', () => patches.length === 2000);
  t.equal(state.most, 8);
});

void t.test('without the right it says so once, tries seldom, and goes on when it has it', async (t) => {
  const { writer, statuses, patches, lines, state } = setUp(t);
  const names = Array.from({ length: 100 }, (_, index) => `i${index}`);
  for (const name of names) statuses.set(`default/${name}`, []);
  let tries = 0;
  state.fails = () => {
    tries++;
    return new ApiError(403, 'Forbidden', 'ingresses/status is forbidden');
  };
  writer.translated(translationOf(...names.map((name) => fromCluster(name))));
  writer.leading(true);
  await until('it tries again', () => tries > 8);
  t.ok(tries < 50, `not for every Ingress: ${tries}`);
  t.match(lines, [{ message: /status of Ingresses cannot be written/, detail: /forbidden/ }]);
  t.equal(lines.length, 1);
  state.fails = null;
  await until('all are written', () => patches.length === 100);
  await until('it says so', () => lines.length === 2);
  t.match(lines[1], { message: /can be written again/ });
});

void t.test('an Ingress that is gone, or is another by now, keeps nobody', async (t) => {
  const { writer, statuses, patches, lines, state } = setUp(t);
  for (const name of ['gone', 'other', 'older', 'a']) statuses.set(`default/${name}`, []);
  state.fails = (path) =>
    path.includes('/gone/')
      ? new ApiError(404, 'NotFound', 'it is gone')
      : path.includes('/other/')
        ? new ApiError(409, 'Conflict', 'another uid')
        : path.includes('/older/')
          ? new ApiError(422, 'Invalid', 'metadata.uid: Invalid value: field is immutable')
          : null;
  writer.translated(translationOf(...['gone', 'other', 'older', 'a'].map((name) => fromCluster(name))));
  writer.leading(true);
  await until('the last is written', () => patches.length === 1);
  t.match(patches, [{ path: /\/a\/status$/ }]);
  t.same(lines, []);
});

void t.test('the last replica takes its own addresses away, and no others', async (t) => {
  const { writer, statuses, patches } = setUp(t);
  statuses.set('default/a', ours);
  statuses.set('default/b', [...theirs, ...ours]);
  statuses.set('default/c', theirs);
  statuses.set('default/foreign', ours);
  writer.translated(translationOf(fromCluster('a'), fromCluster('b'), fromCluster('c')));
  await writer.close(true);
  t.strictSame(
    patches.map(({ body }) => (body as { status: unknown }).status),
    [{ loadBalancer: { ingress: null } }, { loadBalancer: { ingress: theirs } }],
  );
  t.same(statuses.get('default/foreign'), ours);
});

void t.test('addresses stay where another replica follows, or where they are to stay', async (t) => {
  for (const [clearsUp, isLast] of [
    [true, false],
    [false, true],
  ] as const) {
    const { writer, statuses, patches } = setUp(t, { clearsUp });
    statuses.set('default/a', ours);
    writer.translated(translationOf(fromCluster('a')));
    writer.leading(true);
    await writer.close(isLast);
    t.same(patches, []);
  }
});

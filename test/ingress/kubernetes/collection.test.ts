import t, { type Test } from 'tap';
import type { WatchEvent, WatchOptions } from '../../../src/ingress/kubernetes/api-client.ts';
import { ApiError } from '../../../src/ingress/kubernetes/api-error.ts';
import { Collection, type CollectionOptions } from '../../../src/ingress/kubernetes/collection.ts';
import { Health } from '../../../src/ingress/kubernetes/health.ts';
import { resources } from '../../../src/ingress/kubernetes/resource.ts';
import { until } from '../../support/controller.ts';

interface Item {
  readonly name: string;
  readonly version: string;
  readonly data?: string;
  readonly status?: string;
}

const object = ({ name, version, data = '', status }: Item): object => ({
  metadata: { name, namespace: 'default', resourceVersion: version, managedFields: [version] },
  data,
  ...(status === undefined ? {} : { status }),
});

/** What a watch is told to do next: an event, or how it ends. */
type Step = WatchEvent | 'end' | ApiError;

/** An API server in memory, as one that fails where a real one could not be made to. */
class Server {
  lists: string[] = [];
  watches: string[] = [];
  items: readonly Item[] = [];
  version = '1';
  failing: ApiError | null = null;
  #steps: Step[] = [];
  #wake: (() => void) | null = null;

  next(...steps: readonly Step[]): void {
    this.#steps.push(...steps);
    this.#wake?.();
  }

  readonly client: CollectionOptions<unknown>['client'] = {
    get: () => Promise.reject(new ApiError(404, 'NotFound', 'there is none')),
    list: (path) => {
      this.lists.push(path);
      if (this.failing !== null) return Promise.reject(this.failing);
      return Promise.resolve({ items: this.items.map(object), resourceVersion: this.version });
    },
    watch: async (_path, query, { onEvent, onOpen, signal }: WatchOptions) => {
      this.watches.push(String(query['resourceVersion']));
      onOpen?.();
      for (;;) {
        const step = this.#steps.shift();
        if (step === 'end') return;
        if (step instanceof ApiError) throw step;
        if (step !== undefined) onEvent(step);
        else {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
            signal.addEventListener('abort', () => resolve());
          });
          if (signal.aborted) throw new ApiError(0, 'Aborted', 'aborted');
        }
      }
    },
  };
}

const added = (item: Item): WatchEvent => ({ type: 'ADDED', object: object(item) });
const modified = (item: Item): WatchEvent => ({ type: 'MODIFIED', object: object(item) });
const deleted = (item: Item): WatchEvent => ({ type: 'DELETED', object: object(item) });

function start(
  t: Test,
  items: readonly Item[] = [{ name: 'a', version: '1' }],
  options: Partial<CollectionOptions<{ readonly data: string }>> = {},
) {
  const server = new Server();
  server.items = items;
  const log: string[] = [];
  const health = new Health((_level, message) => void log.push(message));
  let changes = 0;
  const collection = new Collection<{ readonly data: string }>({
    client: server.client,
    label: 'Thing',
    resources: resources.secrets,
    namespace: null,
    isOptional: false,
    read: (whole) => whole as { readonly data: string },
    onChange: () => changes++,
    health,
    times: { watchMs: 60_000, silenceMs: 60_000, longestWaitMs: 50 },
    ...options,
  });
  t.teardown(() => collection.close());
  return {
    server,
    collection,
    health,
    log,
    data: () => [...collection.values()].map((value) => value.data).sort(),
    changes: () => changes,
  };
}

void t.test('what is listed is kept, and events change it', async (t) => {
  const { server, collection, data, changes } = start(t, [{ name: 'a', version: '1', data: 'a1' }]);
  await collection.settled;
  t.same(data(), ['a1']);
  server.next(
    added({ name: 'b', version: '2', data: 'b1' }),
    modified({ name: 'a', version: '3', data: 'a2' }),
  );
  await until('both', () => changes() === 3);
  t.same(data(), ['a2', 'b1']);
  server.next(deleted({ name: 'a', version: '4', data: 'a2' }), deleted({ name: 'unknown', version: '5' }));
  await until('gone', () => changes() === 4);
  t.same(data(), ['b1']);
  server.next('end');
  await until('watched again', () => server.watches.length === 2);
  t.same(server.watches, ['1', '5'], 'from where it was');
  t.equal(server.lists.length, 1);
});

void t.test('what says nothing new is no change, and the same value', async (t) => {
  const { server, collection, changes } = start(t);
  await collection.settled;
  const [before] = collection.values();
  server.next(modified({ name: 'a', version: '2', status: 'changed' }), added({ name: 'b', version: '3' }));
  await until('the other', () => changes() === 2);
  t.ok([...collection.values()].includes(before!));
  // A new list brings the same objects.
  server.items = [
    { name: 'a', version: '9' },
    { name: 'b', version: '3' },
  ];
  server.next(new ApiError(410, 'Expired', 'too old'));
  await until('listed again', () => server.lists.length === 2);
  await until('watched again', () => server.watches.length === 2);
  t.equal(changes(), 2);
  t.equal([...collection.values()][0], before);
});

void t.test('whatever ends a watch, it goes on: the version is kept but where it is of no use', async (t) => {
  const ends: readonly [Step, boolean][] = [
    [new ApiError(0, 'Unreachable', 'cut'), false],
    [new ApiError(503, 'ServiceUnavailable', 'busy'), false],
    [new ApiError(500, 'InternalError', 'as an event'), false],
    [new ApiError(401, 'Unauthorized', 'who'), false],
    [new ApiError(403, 'Forbidden', 'no'), false],
    [new ApiError(429, 'TooManyRequests', 'later'), false],
    [new ApiError(410, 'Expired', 'too old'), true],
    [new ApiError(400, 'BadRequest', 'invalid resourceVersion'), true],
    [new ApiError(404, 'NotFound', 'no such kind'), true],
    [new ApiError(0, 'Unreadable', 'no JSON'), true],
    [{ type: 'ADDED', object: { metadata: {} } }, true],
    [{ type: 'MODIFIED', object: null }, true],
  ];
  for (const [end, isListed] of ends) {
    const { server, collection, data } = start(t, [{ name: 'a', version: '7', data: 'x' }]);
    server.version = '7';
    await collection.settled;
    server.next(end);
    await until('watched again', () => server.watches.length === 2);
    const what = end instanceof ApiError ? end.reason : JSON.stringify(end);
    t.equal(server.lists.length, isListed ? 2 : 1, what);
    t.same(data(), ['x']);
    collection.close();
  }
});

void t.test('a bookmark moves on from where a watch goes on, and is no object', async (t) => {
  const { server, collection, data, changes } = start(t);
  await collection.settled;
  server.next({ type: 'BOOKMARK', object: { metadata: { resourceVersion: '90' } } }, 'end');
  await until('watched again', () => server.watches.length === 2);
  t.same(server.watches, ['1', '90']);
  // One that says nothing leaves the version as it is.
  server.next({ type: 'BOOKMARK', object: { metadata: {} } }, 'end');
  await until('watched again', () => server.watches.length === 3);
  t.equal(server.watches[2], '90');
  t.equal(server.lists.length, 1);
  t.equal(changes(), 1, 'the list alone');
  t.same(data(), ['']);
});

void t.test('a version that never works is given up after a while', async (t) => {
  const { server, collection } = start(t);
  await collection.settled;
  server.next(...Array.from({ length: 6 }, () => new ApiError(504, 'Timeout', 'too large resource version')));
  await until('listed again', () => server.lists.length === 2);
  t.same(
    server.watches.slice(0, 6),
    Array.from({ length: 6 }, () => '1'),
  );
});

void t.test('an exception while reading is told, and stops nothing', async (t) => {
  let isBroken = false;
  const { server, collection, health } = start(t, undefined, {
    read: (whole) => {
      if (isBroken) throw new TypeError('a mistake');
      return whole as { readonly data: string };
    },
  });
  await collection.settled;
  isBroken = true;
  server.next(added({ name: 'b', version: '2' }));
  await until('it is told', () => /a mistake/.test(health.status.faults.join('')));
  isBroken = false;
  server.items = [
    { name: 'a', version: '1' },
    { name: 'b', version: '2' },
  ];
  await until('it is read', () => [...collection.values()].length === 2);
  await until('it is well', () => health.status.failing === 0);
});

void t.test('a server that ends each watch at once is not asked without a pause', async (t) => {
  const { server, collection } = start(t);
  await collection.settled;
  const began = performance.now();
  server.next(...Array.from({ length: 8 }, () => 'end' as const));
  await until('watched again', () => server.watches.length === 9);
  t.ok(performance.now() - began > 100, 'eight pauses of 25 ms at least');
});

void t.test('what is optional need not be there, and everything else is waited for', async (t) => {
  const refused = new ApiError(403, 'Forbidden', 'may not');
  for (const isOptional of [true, false]) {
    const server = new Server();
    server.failing = refused;
    const { collection, health } = start(t, [], { client: server.client, isOptional });
    let isSettled = false;
    void collection.settled.then(() => (isSettled = true));
    await until('it was refused a few times', () => server.lists.length === 3);
    t.equal(isSettled, isOptional);
    t.notOk(collection.isSynced);
    t.match(health.status.faults, ['Thing: may not']);
    server.failing = null;
    await until('it is there', () => collection.isSynced);
    collection.close();
  }
});

void t.test('of many that fail together there is one line, and one when all are well', async (t) => {
  const log: string[] = [];
  const health = new Health((level, message) => void log.push(`${level} ${message}`));
  const fault = new ApiError(0, 'Unreachable', 'away');
  for (let index = 0; index < 1000; index++) health.failed(`Secret default/${index}`, fault);
  t.equal(log.length, 1);
  t.equal(health.status.failing, 1000);
  t.equal(health.status.faults.length, 10);
  for (let index = 0; index < 1000; index++) health.worked(`Secret default/${index}`);
  t.same(log.slice(1), ['info all watches of the Kubernetes API work again']);
});

void t.test('who waits out an outage is woken by whoever gets through', async (t) => {
  const health = new Health(() => {});
  const away = new ApiError(0, 'Unreachable', 'away');
  const refused = new ApiError(403, 'Forbidden', 'no');
  const { signal, abort } = ((controller) => ({
    signal: controller.signal,
    abort: () => controller.abort(),
  }))(new AbortController());
  health.failed('first', away);
  const woken = health.pause(60_000, away, signal);
  let isRefusedBack = false;
  const other = health.pause(60_000, refused, signal).then(() => (isRefusedBack = true));
  health.worked('first');
  await woken;
  t.notOk(isRefusedBack, 'who lacks a right waits on');
  abort();
  await other;
});

import { once } from 'node:events';
import t, { type Test } from 'tap';
import type { CallOptions } from '../../../src/ingress/kubernetes/api-client.ts';
import { ApiError } from '../../../src/ingress/kubernetes/api-error.ts';
import { ClusterOrigin } from '../../../src/ingress/kubernetes/cluster.ts';
import type { Api } from '../../../src/ingress/kubernetes/dry-api.ts';
import { eventOf, reasonOf } from '../../../src/ingress/kubernetes/event.ts';
import { EventWriter } from '../../../src/ingress/kubernetes/event-writer.ts';
import { type KubernetesObject, type Origin } from '../../../src/ingress/object.ts';
import { formatIngressProblem, type IngressProblem } from '../../../src/ingress/problem.ts';
import { readObject } from '../../../src/ingress/read-object.ts';
import { FakeClock, quiet } from '../../support/fake-clock.ts';
import { ingress } from '../../support/objects.ts';

function objectOf(name: string, uid = `uid-${name}`, origin?: Origin): KubernetesObject {
  const read = readObject(
    ingress({ host: 'one.test', name, namespace: 'shop' }),
    origin ?? new ClusterOrigin('networking.k8s.io/v1', uid, '7'),
  );
  if (!('object' in read)) throw new Error('it is no object');
  return read.object;
}

function problem(name: string, message = 'is wrong', more: Partial<IngressProblem> = {}): IngressProblem {
  return { object: objectOf(name), path: '/spec/rules/0/host', message, severity: 'error', ...more };
}

type Event = Readonly<Record<string, unknown>> & {
  readonly metadata: { readonly name: string };
  readonly message: string;
  readonly count: number;
};

/** A server that has events. */
class FakeEvents implements Pick<Api, 'create' | 'patch'> {
  readonly events = new Map<string, Event>();
  readonly asked: string[] = [];
  error: ApiError | null = null;
  /** Answers come when it is told to. */
  held: (() => void)[] | null = null;
  waitsForAbort = false;
  underWay = 0;
  most = 0;

  async create(path: string, body: object, options: CallOptions = {}): Promise<unknown> {
    const event = body as Event;
    const key = `${path}/${event.metadata.name}`;
    await this.#answer(`create ${key}`, options);
    if (this.events.has(key)) throw new ApiError(409, 'AlreadyExists', 'it is there');
    this.events.set(key, event);
    return event;
  }

  async patch(path: string, body: object, options: CallOptions = {}): Promise<unknown> {
    await this.#answer(`patch ${path}`, options);
    const there = this.events.get(path);
    if (there === undefined) throw new ApiError(404, 'NotFound', 'there is none');
    const event: Event = { ...there, ...body };
    this.events.set(path, event);
    return event;
  }

  get counts(): Record<string, number> {
    return Object.fromEntries([...this.events.values()].map(({ message, count }) => [message, count]));
  }

  async #answer(what: string, { signal }: CallOptions): Promise<void> {
    this.asked.push(what);
    this.most = Math.max(this.most, ++this.underWay);
    try {
      if (this.waitsForAbort) await aborted(signal!);
      if (this.held !== null) await new Promise<void>((resolve) => this.held?.push(resolve));
      if (this.error !== null) throw this.error;
    } finally {
      this.underWay--;
    }
  }
}

async function aborted(signal: AbortSignal): Promise<never> {
  await once(signal, 'abort');
  throw new ApiError(0, 'Aborted', 'nobody waits for it any more');
}

interface Line {
  readonly level: string;
  readonly message: string;
  readonly detail?: unknown;
}

function start(t: Test, server = new FakeEvents(), clock = new FakeClock(), most = 5000) {
  const log: Line[] = [];
  const writer = new EventWriter({
    api: server,
    clock,
    most,
    instance: 'pod-1',
    log: (level, message, fields) => void log.push({ level, message, ...fields }),
  });
  t.teardown(() => writer.close());
  /** Told, and everything done that needs no time. */
  const told = async (...problems: readonly IngressProblem[]): Promise<void> => {
    writer.translated({ problems });
    await quiet();
  };
  return { server, clock, log, writer, told };
}

void t.test('a problem is an event on its object, with the text of the log', async (t) => {
  const { server, writer, told } = start(t);
  const one = problem('broken');
  await told(one);
  t.same(server.asked, [], 'who does not lead writes nothing');
  writer.leading(true);
  await quiet();
  const [[path, event]] = [...server.events] as [[string, Event]];
  t.match(path, /^\/api\/v1\/namespaces\/shop\/events\/broken\.[\da-f]{16}$/);
  t.match(event, {
    apiVersion: 'v1',
    kind: 'Event',
    type: 'Warning',
    reason: 'InvalidRule',
    message: 'kubernetes Ingress shop/broken /spec/rules/0/host is wrong',
    involvedObject: {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'Ingress',
      namespace: 'shop',
      name: 'broken',
      uid: 'uid-broken',
      resourceVersion: '7',
    },
    source: { component: 'mtls-ingress' },
    reportingComponent: 'mtls-ingress',
    reportingInstance: 'pod-1',
    count: 1,
    firstTimestamp: /^2023-.*\dZ$/,
    lastTimestamp: /^2023-.*\dZ$/,
  });
  t.equal(event.message, formatIngressProblem(one));
});

void t.test(
  'a problem that stands is not written at every translation; one that comes again counts',
  async (t) => {
    const { server, clock, writer, told } = start(t);
    writer.leading(true);
    for (let round = 0; round < 5; round++) await told(problem('broken'), problem('broken', 'is worse'));
    t.equal(server.asked.length, 2);
    const before = [...server.events.values()][0]!;
    await clock.advance(60_000);
    await told();
    await told(problem('broken'));
    const [one, other] = [...server.events.values()];
    t.match(one, { count: 2, firstTimestamp: before['firstTimestamp'] });
    t.ok(String(one?.['lastTimestamp']) > String(before['lastTimestamp']));
    t.match(other, { count: 1 });
    t.equal(server.asked.length, 3, 'with one patch');
    await told();
    await told(problem('broken', 'is wrong', { object: objectOf('broken', 'another') }));
    t.equal(server.events.size, 3, 'an object made anew under the same name has events of its own');
  },
);

void t.test('a problem that stands for long is written again before it is forgotten', async (t) => {
  const { server, clock, writer, told } = start(t);
  writer.leading(true);
  await told(problem('broken'));
  await clock.advance(29 * 60_000);
  t.equal(server.asked.length, 1);
  await clock.advance(2 * 60_000);
  t.same(Object.values(server.counts), [2]);
  server.events.clear();
  await clock.advance(30 * 60_000);
  t.same(Object.values(server.counts), [1], 'one that the server has forgotten is made again');
});

void t.test('of two replicas, or two lives, nobody counts what another has written', async (t) => {
  const first = start(t);
  const { server, clock } = first;
  const second = start(t, server, clock);
  first.writer.leading(true);
  for (const one of [first, second]) await one.told(problem('broken'));
  t.same(Object.values(server.counts), [1]);
  await first.writer.close();
  second.writer.leading(true);
  await quiet();
  t.same(Object.values(server.counts), [1], 'what stands when one begins to lead is there already');
  await second.told();
  await second.told(problem('broken'));
  t.same(Object.values(server.counts), [2], 'what comes then is counted on');

  const third = start(t, server, clock);
  third.writer.translated({ problems: [problem('broken')] });
  third.writer.leading(true);
  third.writer.translated({ problems: [problem('broken'), problem('other')] });
  await quiet();
  t.same(Object.values(server.counts), [2, 1], 'nor after a start, at which all is told in one go');
});

void t.test('no more than 25 of one object at once, then one in five minutes; others go on', async (t) => {
  const { server, clock, writer, told } = start(t);
  writer.leading(true);
  const many = Array.from({ length: 40 }, (_, index) => problem('noisy', `is wrong in way ${index}`));
  await told(...many, problem('quiet'));
  await clock.advance(1000);
  t.equal(server.events.size, 26);
  t.ok([...server.events.keys()].some((key) => key.includes('/quiet.')));
  await clock.advance(300_000);
  t.equal(server.events.size, 27);
  // Mended and broken again, over and over.
  for (let round = 0; round < 50; round++) {
    await told();
    await told(problem('noisy', 'comes and goes'));
  }
  await clock.advance(1000);
  t.equal(server.asked.length, 27);
});

void t.test('of all objects together, 100 at once and ten in a second, four at a time', async (t) => {
  const { server, clock, writer, told } = start(t);
  writer.leading(true);
  const many = Array.from({ length: 300 }, (_, index) => problem(`broken-${index}`));
  const notice = problem('first', 'is doubtful', { severity: 'warning' });
  server.held = [];
  await told(notice, ...many);
  t.equal(server.asked.length, 4);
  for (let round = 0; round < 200; round++) {
    for (const answer of server.held.splice(0)) answer();
    await quiet();
  }
  server.held = null;
  t.equal(server.asked.length, 100);
  t.equal(server.most, 4);
  await clock.advance(10_000);
  t.equal(server.asked.length, 200);
  t.notOk(
    [...server.events.keys()].some((key) => key.includes('/first.')),
    'errors come before warnings',
  );
  await clock.advance(15_000);
  t.equal(server.events.size, 301);
});

void t.test('no more is remembered than a bounded number of problems', async (t) => {
  const { server, clock, writer, told } = start(t, new FakeEvents(), new FakeClock(), 10);
  writer.leading(true);
  const many = Array.from({ length: 20 }, (_, index) => problem(`broken-${index}`));
  await told(...many);
  await clock.advance(60_000);
  t.equal(server.events.size, 10);
  await told(...many.slice(10));
  t.equal(server.events.size, 20, 'where some are mended, others have their turn');
});

void t.test('without the right one line says so, and it is tried again in five minutes', async (t) => {
  const { server, clock, log, writer, told } = start(t);
  server.error = new ApiError(403, 'Forbidden', 'events is forbidden: User "x" cannot create');
  writer.leading(true);
  await told(problem('one'), problem('two'));
  await clock.advance(290_000);
  const asked = server.asked.length;
  t.ok(asked <= 2);
  for (let round = 0; round < 10; round++) await told(problem('one'), problem(`more-${round}`));
  t.equal(server.asked.length, asked, 'the namespace is left alone');
  t.match(log, [{ level: 'warn', message: /^events cannot be written/, detail: /forbidden/ }]);
  t.equal(log.length, 1);
  server.error = null;
  await clock.advance(20_000);
  t.equal(server.events.size, 2);
  t.match(log.slice(1), [{ level: 'info', message: 'events are written to the cluster again' }]);
  t.equal(log.length, 2);
});

void t.test('what passes is tried again until it is written, with one line', async (t) => {
  for (const error of [
    new ApiError(0, 'Unreachable', 'the API server does not answer'),
    new ApiError(503, 'ServiceUnavailable', 'later'),
    new ApiError(429, 'TooManyRequests', 'later', { retryAfterMs: 20_000 }),
    new ApiError(401, 'Unauthorized', 'who?'),
  ]) {
    const { server, clock, log, writer, told } = start(t);
    server.error = error;
    writer.leading(true);
    await told(problem('broken'));
    await clock.advance(50_000);
    const attempts = error.retryAfterMs === null ? 15 : 4;
    t.ok(server.asked.length > 1 && server.asked.length <= attempts, `${server.asked.length} attempts`);
    server.error = null;
    await clock.advance(60_000);
    t.same(Object.values(server.counts), [1]);
    t.same(
      log.map(({ level }) => level),
      ['warn', 'info'],
    );
  }
});

void t.test('what is refused for what it is, or where, is left', async (t) => {
  for (const [error, lines] of [
    [new ApiError(422, 'Invalid', 'Event is invalid'), 1],
    [new ApiError(404, 'NotFound', 'namespaces "shop" not found'), 0],
    [new ApiError(403, 'Forbidden', 'unable to create in namespace shop because it is being terminated'), 0],
  ] as const) {
    const { server, clock, log, writer, told } = start(t);
    server.error = error;
    writer.leading(true);
    await told(problem('broken'));
    await clock.advance(20 * 60_000);
    t.equal(server.asked.length, 1);
    t.equal(log.length, lines);
  }
});

void t.test('who leads no longer, or is closed, begins nothing more', async (t) => {
  const { server, clock, writer, told } = start(t);
  writer.leading(true);
  server.held = [];
  await told(...Array.from({ length: 10 }, (_, index) => problem(`broken-${index}`)));
  writer.leading(false);
  for (const answer of server.held.splice(0)) answer();
  await clock.advance(60_000);
  t.equal(server.asked.length, 4);
  writer.leading(true);
  await quiet();
  const begun = (): number => server.asked.filter((one) => one.startsWith('create')).length;
  t.equal(begun(), 8);
  const closed = writer.close();
  const last = server.held;
  server.held = null;
  for (const answer of last) answer();
  await closed;
  await clock.advance(60_000);
  t.equal(begun(), 8);
});

void t.test('the end does not wait for a server that does not answer', async (t) => {
  const { server, clock, log, writer, told } = start(t);
  writer.leading(true);
  server.waitsForAbort = true;
  await told(problem('broken'));
  const closed = writer.close();
  await clock.advance(3000);
  await closed;
  t.equal(server.underWay, 0);
  t.same(log, []);
});

void t.test('a message is 1,024 bytes at most, and no character is cut', async (t) => {
  for (const filler of ['x', 'é', '€', '😀']) {
    const { message } = eventOf(problem('broken', filler.repeat(2000)))!;
    t.ok(Buffer.byteLength(message) <= 1024 && Buffer.byteLength(message) > 1016, filler);
    t.match(message, /…$/);
    t.notMatch(message, /\u{FFFD}/u);
    t.equal(message.isWellFormed(), true);
  }
  const exact = problem('broken', '');
  const room = 1024 - Buffer.byteLength(formatIngressProblem(exact));
  t.notMatch(eventOf(problem('broken', 'x'.repeat(room)))?.message, /…/);
});

void t.test('the name of an event is one, whatever the name of its object', async (t) => {
  const long = `${'a'.repeat(58)}.`.repeat(4);
  t.equal(eventOf(problem('broken'))?.name.length, 6 + 17);
  t.equal(eventOf(problem(`${long}bcdefghij`))?.name.length, 235 + 17, 'cut, and without a dot at the end');
  t.equal(eventOf(problem('broken'))?.name, eventOf(problem('broken'))?.name);
});

void t.test(
  'an object of no cluster has no events, and one of no namespace has them in `default`',
  async (t) => {
    t.equal(
      eventOf(problem('file', 'is wrong', { object: objectOf('file', '', { at: () => 'x:1:1' }) })),
      null,
    );
    const read = readObject(
      { apiVersion: 'networking.k8s.io/v1', kind: 'IngressClass', metadata: { name: 'nginx' } },
      new ClusterOrigin('networking.k8s.io/v1', 'u', '1'),
    );
    if (!('object' in read)) throw new Error('it is no object');
    const event = eventOf(problem('x', 'stands twice', { object: read.object, path: '/metadata/name' }));
    t.equal(event?.namespace, 'default');
    t.equal(event?.involvedObject.namespace, undefined);
    t.equal(event?.reason, 'InvalidIngressClass');
  },
);

void t.test('the reason says what the problem is about', async (t) => {
  for (const [path, severity, reason] of [
    ['/metadata/annotations/nginx.ingress.kubernetes.io~1auth-tls-secret', 'error', 'InvalidAnnotation'],
    ['/metadata/annotations/nginx.ingress.kubernetes.io~1auth-tls-secret', 'warning', 'AnnotationWarning'],
    ['/metadata/annotations', 'error', 'InvalidAnnotation'],
    ['/spec/tls/0/secretName', 'error', 'InvalidCertificate'],
    ['/spec/rules/0/http/paths/1', 'warning', 'BackendWarning'],
    ['/spec/rules/0/http/paths/1/path', 'error', 'InvalidBackend'],
    ['/spec/defaultBackend', 'warning', 'BackendWarning'],
    ['/spec/rules/0/host', 'error', 'InvalidRule'],
    ['/spec', 'warning', 'IngressWarning'],
    ['/metadata/name', 'error', 'InvalidIngress'],
    ['', 'error', 'InvalidIngress'],
  ] as const)
    t.equal(reasonOf(problem('x', '', { path, severity })), reason, `${severity} ${path}`);
});

import t from 'tap';
import type { Api } from '../../../src/ingress/kubernetes/dry-api.ts';
import { type Election, Speaker, type Writer } from '../../../src/ingress/kubernetes/speaker.ts';
import { emptyTranslation as translation, notingApi } from './speaking.ts';

class NotingWriter implements Writer {
  readonly api: Api;
  readonly told: string[] = [];

  constructor(api: Api) {
    this.api = api;
  }

  leading(isLeader: boolean): void {
    this.told.push(isLeader ? 'leads' : 'follows');
  }

  translated(): void {
    this.told.push('translated');
  }

  async close(isLast: boolean): Promise<void> {
    this.told.push(isLast ? 'closed as the last' : 'closed');
  }
}

class FakeElection implements Election {
  onLeading: ((isLeader: boolean) => void) | null = null;
  readonly told: string[] = [];
  readonly #isLast: boolean;

  constructor(isLast: boolean) {
    this.#isLast = isLast;
  }

  start(onLeading: (isLeader: boolean) => void): void {
    this.onLeading = onLeading;
  }

  async end(looksForOthers: boolean): Promise<boolean> {
    this.told.push(looksForOthers ? 'looks for others' : 'ends');
    return this.#isLast;
  }

  async close(): Promise<void> {
    this.told.push('closed');
  }
}

void t.test('writers are told of every translation, and of who leads from the first on', async (t) => {
  const election = new FakeElection(false);
  let writer: NotingWriter | null = null;
  const speaker = new Speaker({
    api: notingApi().api,
    isDry: false,
    log: () => {},
    writers: (api) => [(writer = new NotingWriter(api))],
    election: () => election,
  });
  t.equal(election.onLeading, null, 'who serves nothing yet does not want to lead');
  speaker.translated(translation, []);
  election.onLeading?.(true);
  t.ok(speaker.isLeading);
  speaker.translated(translation, []);
  election.onLeading?.(false);
  await speaker.close();
  speaker.translated(translation, []);
  election.onLeading?.(true);
  t.same(writer!.told, ['translated', 'leads', 'translated', 'follows', 'follows', 'closed']);
  t.same(election.told, ['ends', 'closed']);
});

void t.test('who has something to clear up is told whether it is the last, before it gives up', async (t) => {
  const election = new FakeElection(true);
  const order: string[] = [];
  const writer: Writer = {
    clearsUp: true,
    leading: () => {},
    translated: () => {},
    close: async (isLast) => void order.push(`last: ${isLast}`, ...election.told),
  };
  const speaker = new Speaker({
    api: notingApi().api,
    isDry: false,
    log: () => {},
    writers: () => [writer],
    election: () => election,
  });
  speaker.translated(translation, []);
  await speaker.close();
  t.same(order, ['last: true', 'looks for others']);
  t.same(election.told, ['looks for others', 'closed']);
});

void t.test('a writer that fails leaves the others and the source alone, and is told of', async (t) => {
  const lines: string[] = [];
  const broken: Writer = {
    leading: () => {
      throw new Error('one');
    },
    translated: () => {
      throw new Error('two');
    },
    close: async () => {
      throw new Error('three');
    },
  };
  let writer: NotingWriter | null = null;
  const speaker = new Speaker({
    api: notingApi().api,
    isDry: false,
    log: (level, _, { detail }) => void lines.push(`${level} ${String(detail)}`),
    writers: (api) => [broken, (writer = new NotingWriter(api))],
    election: null,
  });
  speaker.translated(translation, []);
  await speaker.close();
  t.same(writer!.told, ['translated', 'leads', 'follows', 'closed as the last']);
  t.same(lines, ['error two', 'error one', 'error one', 'error three']);
});

void t.test('a dry run reads, leads for itself, and writes nothing', async (t) => {
  const { api, asked } = notingApi();
  const lines: unknown[] = [];
  let writer: NotingWriter | null = null;
  const speaker = new Speaker({
    api,
    isDry: true,
    log: (_level, message, fields) => void lines.push({ message, ...fields }),
    writers: (api) => [(writer = new NotingWriter(api))],
    election: () => t.fail('a dry run takes no Lease') as never,
  });
  speaker.translated(translation, []);
  t.same(writer!.told, ['translated', 'leads']);
  const dry = writer!.api;
  for (let round = 1; round <= 3; round++) {
    await dry.get('/read');
    await dry.create('/events', { metadata: { name: 'one' }, round });
    await dry.create('/events', { metadata: { name: 'two' } });
    await dry.replace('/events/one', { round });
    await dry.patch('/events/one', { round });
    await dry.delete('/events/one');
  }
  await speaker.close();
  t.same(asked, ['get /read', 'get /read', 'get /read']);
  const message = 'dry run: not written';
  t.same(
    lines,
    [
      { verb: 'create', path: '/events/one', body: '{"metadata":{"name":"one"},"round":1}' },
      { verb: 'create', path: '/events/two', body: '{"metadata":{"name":"two"}}' },
      { verb: 'replace', path: '/events/one', body: '{"round":1}' },
      { verb: 'patch', path: '/events/one', body: '{"round":1}' },
      { verb: 'delete', path: '/events/one' },
    ].map((line) => ({ message, ...line })),
    'each is told once',
  );
});

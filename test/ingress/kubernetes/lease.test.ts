import t from 'tap';
import { ApiError } from '../../../src/ingress/kubernetes/api-error.ts';
import { LeaseElection, replicaIdentity } from '../../../src/ingress/kubernetes/lease.ts';
import { FakeClock } from '../../support/fake-clock.ts';

interface LeaseObject {
  readonly metadata: { readonly resourceVersion: string };
  readonly spec: {
    readonly holderIdentity: string;
    readonly leaseTransitions: number;
    readonly renewTime: string;
    readonly acquireTime: string;
    readonly leaseDurationSeconds: number;
  };
}

/** A server that has one Lease and heeds resourceVersions. */
class FakeLeases {
  lease: LeaseObject | null = null;
  fails: ApiError | 'hangs' | null = null;
  writes = 0;
  #version = 0;

  /** What one replica sees of it; it may be cut off from it. */
  readonly get = async (): Promise<unknown> => {
    await this.#fail();
    if (this.lease === null) throw new ApiError(404, 'NotFound', 'there is none');
    return structuredClone(this.lease);
  };

  readonly create = async (_path: string, body: object): Promise<unknown> => {
    await this.#fail();
    if (this.lease !== null) throw new ApiError(409, 'AlreadyExists', 'there is one');
    return this.write(body);
  };

  readonly replace = async (_path: string, body: object): Promise<unknown> => {
    await this.#fail();
    const { metadata } = body as LeaseObject;
    if (metadata.resourceVersion !== this.lease?.metadata.resourceVersion)
      throw new ApiError(409, 'Conflict', 'it has changed');
    return this.write(body);
  };

  write(body: object): LeaseObject {
    this.writes++;
    const { metadata } = body as LeaseObject;
    this.lease = {
      ...structuredClone(body as LeaseObject),
      metadata: { ...metadata, resourceVersion: String(++this.#version) },
    };
    return structuredClone(this.lease);
  }

  get holder(): string {
    return this.lease?.spec.holderIdentity ?? '';
  }

  async #fail(): Promise<void> {
    if (this.fails === 'hangs') await new Promise<never>(() => {});
    else if (this.fails !== null) throw this.fails;
  }
}

function setUp() {
  const clock = new FakeClock();
  const server = new FakeLeases();
  const lines: string[] = [];
  const told: string[] = [];
  /** A replica, with its own way to the server. */
  const replica = (identity: string) => {
    const way: { cut: ApiError | 'hangs' | null } = { cut: null };
    const through =
      <Args extends unknown[]>(call: (...args: Args) => Promise<unknown>) =>
      async (...args: Args): Promise<unknown> => {
        if (way.cut === 'hangs') return new Promise<never>(() => {});
        if (way.cut !== null) throw way.cut;
        return call(...args);
      };
    const election = new LeaseElection({
      api: {
        get: through(server.get),
        create: through(server.create),
        replace: through(server.replace),
      },
      name: 'leader',
      namespace: async () => 'home',
      identity,
      clock,
      log: (level, message) => void lines.push(`${identity} ${level} ${message}`),
    });
    return {
      way,
      election,
      start: () =>
        election.start((isLeader) => void told.push(`${identity} ${isLeader ? 'leads' : 'follows'}`)),
    };
  };
  return { clock, server, lines, told, replica };
}

const cutOff = new ApiError(0, 'Unreachable', 'cut off');

void t.test('of two replicas one leads, and renews for as long as it lives', async (t) => {
  const { clock, server, told, lines, replica } = setUp();
  const [a, b] = [replica('a'), replica('b')];
  a.start();
  await clock.advance(0);
  b.start();
  await clock.advance(120_000);
  t.same(told, ['a leads']);
  t.equal(server.holder, 'a');
  t.ok(server.writes >= 55 && server.writes <= 62, `every two seconds: ${server.writes}`);
  t.equal(server.lease?.spec.leaseTransitions, 0);
  t.match(server.lease?.spec, {
    leaseDurationSeconds: 15,
    renewTime: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/,
  });
  t.same(
    lines.filter((line) => line.startsWith('b')),
    ['b info another replica leads'],
  );
  await a.election.close();
  await b.election.close();
});

void t.test('who is cut off stops leading before another may begin', async (t) => {
  for (const cut of [cutOff, 'hangs'] as const) {
    const { clock, server, told, replica } = setUp();
    const [a, b] = [replica('a'), replica('b')];
    a.start();
    await clock.advance(0);
    b.start();
    await clock.advance(5000);
    a.way.cut = cut;
    const lastWrite = server.lease?.spec.renewTime;
    await clock.advance(7900);
    t.same(told, ['a leads'], 'it may renew for ten seconds');
    await clock.advance(2200);
    t.same(told, ['a leads', 'a follows']);
    t.equal(server.lease?.spec.renewTime, lastWrite);
    await clock.advance(2700);
    t.same(told, ['a leads', 'a follows'], 'and nobody leads until fifteen are over');
    await clock.advance(8000);
    t.same(told, ['a leads', 'a follows', 'b leads']);
    t.equal(server.lease?.spec.leaseTransitions, 1);
    a.way.cut = null;
    await clock.advance(30_000);
    t.same(told, ['a leads', 'a follows', 'b leads'], 'back again, it does not lead');
    await a.election.close();
    await b.election.close();
  }
});

void t.test("another's clock is not believed, neither one that is ahead nor one behind", async (t) => {
  for (const renewTime of ['1999-01-01T00:00:00.000000Z', '2199-01-01T00:00:00.000000Z']) {
    const { clock, server, told, replica } = setUp();
    server.write({
      kind: 'Lease',
      metadata: { name: 'leader' },
      spec: { holderIdentity: 'dead', leaseDurationSeconds: 15, leaseTransitions: 3, renewTime },
    });
    const a = replica('a');
    a.start();
    await clock.advance(14_900);
    t.same(told, [], `${renewTime}: it may be alive`);
    await clock.advance(5000);
    t.same(told, ['a leads']);
    t.match(server.lease?.spec, { holderIdentity: 'a', leaseTransitions: 4 });
    await a.election.close();
  }
});

void t.test('a holder that says that it holds for years is waited for a minute', async (t) => {
  const { clock, server, told, replica } = setUp();
  server.write({
    kind: 'Lease',
    metadata: {},
    spec: { holderIdentity: 'dead', leaseDurationSeconds: 1e9 },
  });
  const a = replica('a');
  a.start();
  await clock.advance(59_000);
  t.same(told, []);
  await clock.advance(10_000);
  t.same(told, ['a leads']);
  await a.election.close();
});

void t.test('who sees another holder in its own Lease stops at once', async (t) => {
  const { clock, server, told, replica } = setUp();
  const a = replica('a');
  a.start();
  await clock.advance(3000);
  const { lease } = server;
  server.write({ ...lease, spec: { ...lease!.spec, holderIdentity: 'usurper' } });
  await clock.advance(2000);
  t.same(told, ['a leads', 'a follows']);
  t.equal(server.holder, 'usurper', 'and takes nothing from it before its time');
  await a.election.close();
  t.equal(server.holder, 'usurper', 'nor at the end');
});

void t.test('of many that see it run out at once, one gets it', async (t) => {
  const { clock, server, told, replica } = setUp();
  server.write({ kind: 'Lease', metadata: {}, spec: { holderIdentity: '', leaseDurationSeconds: 1 } });
  const all = ['a', 'b', 'c', 'd', 'e'].map(replica);
  for (const one of all) one.start();
  await clock.advance(30_000);
  t.equal(told.length, 1, told.join());
  for (const one of all) await one.election.close();
});

void t.test('it is given up at the end, and the next leads within five seconds', async (t) => {
  const { clock, server, told, replica } = setUp();
  const [a, b] = [replica('a'), replica('b')];
  a.start();
  await clock.advance(0);
  b.start();
  await clock.advance(5000);
  t.equal(await a.election.end(false), false);
  t.equal(server.holder, 'a', 'until whoever writes has ended');
  await a.election.close();
  t.equal(server.holder, '');
  await clock.advance(5000);
  t.same(told, ['a leads', 'b leads']);
  await b.election.close();
});

void t.test('the last of all knows that it is, and one that is followed does not think so', async (t) => {
  const { clock, server, told, replica } = setUp();
  const [a, b] = [replica('a'), replica('b')];
  a.start();
  await clock.advance(0);
  b.start();
  await clock.advance(5000);
  let ending = a.election.end(true);
  await clock.advance(10_000);
  t.equal(await ending, false);
  await a.election.close();
  t.equal(server.holder, 'b', 'and takes nothing from who follows');
  ending = b.election.end(true);
  await clock.advance(10_000);
  t.equal(await ending, true);
  t.equal(server.holder, 'b', 'it is held while things are put in order');
  await b.election.close();
  t.equal(server.holder, '');
  t.same(told, ['a leads', 'b leads']);
});

void t.test('who cannot find out whether it is the last is not', async (t) => {
  for (const cut of [cutOff, 'hangs'] as const) {
    const { clock, replica } = setUp();
    const a = replica('a');
    a.start();
    await clock.advance(1000);
    a.way.cut = cut;
    const ending = a.election.end(true);
    await clock.advance(10_000);
    t.equal(await ending, false);
    const closing = a.election.close();
    await clock.advance(5000);
    await closing;
  }
});

void t.test('a Lease that is refused is said once a minute, and asked for ever more seldom', async (t) => {
  const { clock, lines, replica } = setUp();
  const a = replica('a');
  a.way.cut = new ApiError(403, 'Forbidden', 'leases is forbidden');
  a.start();
  await clock.advance(300_000);
  const warnings = lines.filter((line) => /a warn the Lease cannot be had/.test(line)).length;
  t.ok(warnings >= 4 && warnings <= 6, `${warnings} lines`);
  a.way.cut = null;
  await clock.advance(70_000);
  t.match(lines.slice(-2), [/can be had again/, /this replica leads/]);
  await a.election.close();
});

void t.test('a Lease that was deleted is made again', async (t) => {
  const { clock, server, told, replica } = setUp();
  const a = replica('a');
  a.start();
  await clock.advance(1000);
  server.lease = null;
  await clock.advance(3000);
  t.equal(server.holder, 'a');
  t.same(told, ['a leads']);
  await a.election.close();
});

void t.test('a replica is its Pod, or a process that is like no other', (t) => {
  t.equal(replicaIdentity({ POD_NAME: 'mtls-ingress-1' }), 'mtls-ingress-1');
  t.not(replicaIdentity({}), replicaIdentity({}));
  t.end();
});

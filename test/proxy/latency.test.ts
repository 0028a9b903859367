import * as fc from 'fast-check';
import t from 'tap';
import {
  chooseFaster,
  initial,
  type Latency,
  latencyScore,
  observed,
  startingLatency,
} from '../../src/proxy/balancer.ts';

const candidate = (ms: number | null, ejectedUntil = 0) => ({
  active: 0,
  condition: { ...initial, ejectedUntil },
  latency: ms === null ? null : { ms, at: 0 },
});
type One = ReturnType<typeof candidate>;
const none: ReadonlySet<One> = new Set();

void t.test('of two the faster is taken, whichever was drawn first', (t) => {
  const two = [candidate(10), candidate(5)];
  for (const draw of [0, 0.4, 0.6, 0.99]) t.equal(chooseFaster(two, [draw, 0], none, 0), 1);
  t.end();
});

void t.test('the slowest of many is never taken, the fastest most', (t) => {
  const many = [40, 10, 30, 20].map((ms) => candidate(ms));
  const taken = many.map(() => 0);
  for (let a = 0.5; a < 32; a++)
    for (let b = 0.5; b < 30; b++) taken[chooseFaster(many, [a / 32, b / 30], none, 0)]!++;
  t.equal(taken[0], 0);
  t.ok(taken[1]! > taken[3]! && taken[3]! > taken[2]! && taken[2]! > 0, String(taken));
  t.end();
});

void t.test('a score forgets: an endpoint that was slow is tried again', (t) => {
  const slow: Latency = { ms: 1000, at: 0 };
  t.equal(Math.round(latencyScore(slow, 10_000)), Math.round(1000 / Math.E));
  t.equal(
    chooseFaster(
      [
        { ...candidate(null), latency: slow },
        { ...candidate(null), latency: { ms: 20, at: 60_000 } },
      ],
      [0, 0],
      none,
      60_000,
    ),
    0,
  );
  t.end();
});

void t.test(
  'an average lies between what it was and what came, and the later counts the more it is later',
  (t) => {
    const ms = fc.double({ min: 0, max: 1e6, noNaN: true });
    fc.assert(
      fc.property(ms, ms, fc.nat(100_000), (before, came, after) => {
        const { ms } = observed({ ms: before, at: 0 }, came, after);
        t.ok(ms >= Math.min(before, came) - 1e-6 && ms <= Math.max(before, came) + 1e-6);
      }),
    );
    t.equal(observed({ ms: 10, at: 5 }, 1000, 4).ms, 10, 'a clock that went back forgets nothing');
    t.end();
  },
);

void t.test('whoever joins starts with the average of the others', (t) => {
  t.same(startingLatency([{ ms: 10, at: 7 }, null, { ms: 30, at: 7 }], 7), { ms: 20, at: 7 });
  t.equal(startingLatency([null], 0), null);
  t.end();
});

void t.test('endpoints that are out, or were tried, are not taken', (t) => {
  const three = [candidate(1, 100), candidate(50), candidate(60)];
  t.equal(chooseFaster(three, [0, 0], none, 0), 1);
  t.equal(chooseFaster(three, [0, 0], new Set([three[1]!]), 0), 2);
  t.equal(chooseFaster(three, [0, 0], new Set(three), 0), -1);
  t.equal(chooseFaster([candidate(1, 100)], [0.9, 0.9], none, 0), 0, 'the last one is never taken away');
  t.end();
});

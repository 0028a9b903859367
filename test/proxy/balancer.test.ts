import * as fc from 'fast-check';
import t from 'tap';
import {
  type Candidate,
  checked,
  choose,
  type Condition,
  ejectionMs,
  failed,
  initial,
  isAvailable,
  readmitted,
  succeeded,
  turnAfter,
} from '../../src/proxy/balancer.ts';
import type { Health } from '../../src/snapshot/snapshot.ts';

const ejection = { failures: 3, durationMs: 1000, maxDurationMs: 5000 };
const health: Health = {
  path: '/',
  host: null,
  intervalMs: 1000,
  timeoutMs: 1000,
  healthyAfter: 2,
  unhealthyAfter: 3,
};
const none: ReadonlySet<Candidate> = new Set();
const candidate = (active = 0, condition: Partial<Condition> = {}): Candidate => ({
  active,
  condition: { ...initial, ...condition },
});

/** Takes `count` turns and says how often each index was chosen. */
function turns(candidates: readonly Candidate[], count: number, now = 0): number[] {
  const taken = candidates.map(() => 0);
  let turn = 0;
  for (let n = 0; n < count; n++) {
    const index = choose(candidates, 'round_robin', turn, none, now);
    if (index === -1) break;
    taken[index]!++;
    turn = index + 1;
  }
  return taken;
}

const conditions = fc.record({
  healthy: fc.boolean(),
  contrary: fc.nat(3),
  failures: fc.nat(10),
  ejections: fc.nat(5),
  ejectedUntil: fc.nat(2000),
});
const candidates = fc.array(fc.record({ active: fc.nat(50), condition: conditions }), { maxLength: 8 });
const balances = fc.constantFrom('round_robin' as const, 'least_connections' as const);

void t.test('round robin takes each endpoint in turn', (t) => {
  t.same(turns([candidate(), candidate(), candidate()], 9), [3, 3, 3]);
  t.end();
});

void t.test('round robin stays even around an endpoint that is left out', (t) => {
  const list = [
    candidate(),
    candidate(0, { ejectedUntil: 100 }),
    candidate(),
    candidate(0, { healthy: false }),
  ];
  t.same(turns(list, 10), [5, 0, 5, 0]);
  t.end();
});

void t.test('an upstream without endpoints has none to choose', (t) => {
  t.equal(choose([], 'round_robin', 3, none, 0), -1);
  t.equal(choose([], 'least_connections', 3, none, 0), -1);
  t.end();
});

void t.test('least connections takes the endpoint with the fewest requests under way', (t) => {
  t.equal(choose([candidate(3), candidate(1), candidate(2)], 'least_connections', 0, none, 0), 1);
  t.end();
});

void t.test('equals under least connections take turns', (t) => {
  const list = [candidate(1), candidate(1), candidate(2), candidate(1)];
  t.same(
    [0, 1, 2, 3].map((turn) => choose(list, 'least_connections', turn, none, 0)),
    [0, 1, 3, 3],
  );
  t.end();
});

void t.test(
  'the endpoint chosen is never one already tried, unhealthy, or ejected while another is available',
  (t) => {
    fc.assert(
      fc.property(
        candidates,
        balances,
        fc.nat(100),
        fc.array(fc.nat(7)),
        fc.nat(2000),
        (list, balance, turn, past, now) => {
          const tried = new Set(past.flatMap((index) => list[index] ?? []));
          const index = choose(list, balance, turn, tried, now);
          const someAvailable = list.some((one) => isAvailable(one.condition, now));
          const eligible = list.filter(
            (one) =>
              !tried.has(one) && (someAvailable ? isAvailable(one.condition, now) : one.condition.healthy),
          );
          if (index === -1) return eligible.length === 0;
          const chosen = list[index]!;
          return (
            eligible.includes(chosen) &&
            (balance === 'round_robin' || eligible.every((one) => one.active >= chosen.active))
          );
        },
      ),
    );
    t.end();
  },
);

void t.test('ejections alone never leave an upstream without an endpoint', (t) => {
  const all = [candidate(0, { ejectedUntil: 100 }), candidate(0, { ejectedUntil: 200 })];
  t.equal(choose(all, 'round_robin', 0, none, 0), 0);
  t.equal(choose(all, 'round_robin', 1, none, 0), 1);
  t.end();
});

void t.test('active health checks can take every endpoint away', (t) => {
  const all = [candidate(0, { healthy: false }), candidate(0, { healthy: false, ejectedUntil: 9 })];
  t.equal(choose(all, 'round_robin', 0, none, 0), -1);
  t.end();
});

void t.test('after a reload round robin goes on with the endpoint whose turn it was', (t) => {
  t.equal(turnAfter(['a', 'b', 'c'], 1, ['a', 'b', 'c', 'd']), 1);
  t.equal(turnAfter(['a', 'b', 'c'], 1, ['x', 'y', 'b']), 2);
  t.equal(turnAfter(['a', 'b', 'c'], 1, ['a', 'c']), 1, 'gone: the next one');
  t.equal(turnAfter(['a', 'b', 'c'], 2, ['a', 'b']), 0, 'around the end');
  t.equal(turnAfter(['a', 'b'], 1, ['x', 'y', 'z']), 1, 'all new: where it stood');
  t.equal(turnAfter([], 5, ['a']), 5);
  t.end();
});

void t.test('an endpoint is ejected at the configured number of failures in a row, not before', (t) => {
  let condition = failed(failed(initial, ejection, true, 0), ejection, true, 0);
  t.ok(isAvailable(condition, 0));
  condition = failed(condition, ejection, true, 10);
  t.notOk(isAvailable(condition, 10));
  t.equal(condition.ejectedUntil, 1010);
  t.ok(isAvailable(condition, 1010), 'the time is over');
  t.end();
});

void t.test('a success in between starts the count anew', (t) => {
  let condition = failed(failed(initial, ejection, true, 0), ejection, true, 0);
  condition = succeeded(condition, 0);
  condition = failed(failed(condition, ejection, true, 0), ejection, true, 0);
  t.ok(isAvailable(condition, 0));
  t.end();
});

void t.test('the last available endpoint is counted against but not ejected', (t) => {
  let condition = initial;
  for (let n = 0; n < 10; n++) condition = failed(condition, ejection, false, 0);
  t.ok(isAvailable(condition, 0));
  t.notOk(isAvailable(failed(condition, ejection, true, 0), 0), 'until another is available');
  t.end();
});

void t.test('ejections double up to the maximum', (t) => {
  t.same(
    [0, 1, 2, 3, 4, 2000].map((before) => ejectionMs(ejection, before)),
    [1000, 2000, 4000, 5000, 5000, 5000],
  );
  t.end();
});

void t.test('an endpoint that comes back is ejected again by its next failure, for twice as long', (t) => {
  let condition = initial;
  for (let n = 0; n < 3; n++) condition = failed(condition, ejection, true, 0);
  condition = readmitted(condition, 1000);
  t.ok(isAvailable(condition, 1000));
  condition = failed(condition, ejection, true, 1000);
  t.equal(condition.ejectedUntil, 3000);
  t.end();
});

void t.test('a success after coming back ends the back-off', (t) => {
  let condition = initial;
  for (let n = 0; n < 3; n++) condition = failed(condition, ejection, true, 0);
  condition = succeeded(readmitted(condition, 1000), 1000);
  t.same(condition, initial);
  t.end();
});

void t.test('requests that were under way at the ejection neither lengthen nor end it', (t) => {
  let condition = initial;
  for (let n = 0; n < 3; n++) condition = failed(condition, ejection, true, 0);
  t.equal(failed(condition, ejection, true, 500).ejectedUntil, 1000);
  t.equal(succeeded(condition, 500), condition);
  t.end();
});

void t.test('readmission waits for its time', (t) => {
  const condition = { ...initial, ejectedUntil: 100 };
  t.equal(readmitted(condition, 99), condition);
  t.equal(readmitted(condition, 100).ejectedUntil, 0);
  t.equal(readmitted(initial, 100), initial);
  t.end();
});

void t.test('health checks change an endpoint only after enough results in a row', (t) => {
  const run = (from: Condition, results: readonly boolean[]): Condition =>
    results.reduce((condition, passed) => checked(condition, passed, health), from);
  t.ok(run(initial, [false, false]).healthy);
  t.ok(run(initial, [false, false, true, false, false]).healthy, 'in a row');
  const sick = run(initial, [false, false, false]);
  t.notOk(sick.healthy);
  t.notOk(run(sick, [true]).healthy);
  t.notOk(run(sick, [true, false, true]).healthy);
  t.ok(run(sick, [true, true]).healthy);
  t.end();
});

void t.test('turning healthy wipes failures and ejections', (t) => {
  const sick: Condition = { healthy: false, contrary: 1, failures: 7, ejections: 2, ejectedUntil: 9e9 };
  t.same(checked(sick, true, health), initial);
  t.end();
});

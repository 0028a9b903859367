import * as fc from 'fast-check';
import t from 'tap';
import { HashRing } from '../../src/proxy/hash-ring.ts';

const names = (count: number): string[] => Array.from({ length: count }, (_, n) => `10.0.0.${n}:80`);
const keys = Array.from({ length: 4000 }, (_, n) => `key ${n}`);

void t.test('keys are spread evenly', (t) => {
  const ring = new HashRing(names(10));
  const shares = names(10).map(() => 0);
  for (const key of keys) shares[ring.first(key)]!++;
  for (const share of shares) t.ok(share > 250 && share < 550, String(share));
  t.end();
});

void t.test('when a member goes only its own keys move, to the next in line', (t) => {
  const [before, after] = [names(8), names(8).filter((name) => name !== '10.0.0.3:80')];
  const [old, now] = [new HashRing(before), new HashRing(after)];
  for (const key of keys) {
    const [own, next] = [...old.from(key)].map((index) => before[index]);
    t.equal(after[now.first(key)], own === '10.0.0.3:80' ? next : own);
  }
  t.end();
});

void t.test('the order in which members are listed changes nothing', (t) => {
  fc.assert(
    fc.property(fc.shuffledSubarray(names(6), { minLength: 6 }), fc.string(), (shuffled, key) => {
      const [one, other] = [new HashRing(names(6)), new HashRing(shuffled)];
      t.same(
        [...other.from(key)].map((index) => shuffled[index]),
        [...one.from(key)].map((index) => names(6)[index]),
      );
    }),
    { numRuns: 30 },
  );
  t.end();
});

void t.test('each member comes once', (t) => {
  t.same(
    [...new HashRing(names(5)).from('x')].toSorted((a, b) => a - b),
    [0, 1, 2, 3, 4],
  );
  t.same([...new HashRing([]).from('x')], []);
  t.equal(new HashRing([]).first('x'), -1);
  t.end();
});

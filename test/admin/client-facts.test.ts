import t from 'tap';
import { clientFacts } from '../../src/admin/page/client-facts.ts';
import { Inventory } from '../../src/observe/inventory/inventory.ts';
import type { InventoryKeeper } from '../../src/observe/inventory/keeper.ts';
import { anIdentity } from '../support/identity.ts';

const keeper = { evicted: 0 } as InventoryKeeper;
const identity = (index: number) => ({ ...anIdentity(), sha256: index.toString(16).padStart(64, '0') });

void t.test('a few are counted at each look, of many one look in five seconds', (t) => {
  const inventory = new Inventory(5000, 0);
  const kept = (now: number): number | undefined => clientFacts({ inventory, keeper }, null, now)?.kept;
  inventory.entry(identity(1), 1000);
  t.equal(kept(1000), 1);
  inventory.entry(identity(2), 1000);
  t.equal(kept(1001), 2);
  for (let index = 3; index <= 2000; index++) inventory.entry(identity(index), 1000 + index);
  t.equal(kept(10_000), 2000);
  inventory.entry(identity(2001), 10_000);
  t.equal(kept(14_999), 2000);
  t.equal(kept(15_000), 2001);
  const facts = clientFacts({ inventory, keeper }, null, 15_000);
  t.equal(facts?.latest.length, 10);
  t.equal(facts?.latest[0]?.lastSeen, 10_000, 'the last one first');
  t.equal(facts?.cas, null, 'who comes through which CA is not asked for so many');
  t.end();
});

void t.test('where none are kept the page says so', (t) => {
  t.equal(clientFacts({ inventory: new Inventory(0, 0), keeper }, null, 0), null);
  t.end();
});

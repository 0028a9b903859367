import t from 'tap';
import { Gate } from '../../../src/ingress/kubernetes/gate.ts';

void t.test('no more than so many are inside, and those who wait go in their order', async (t) => {
  const gate = new Gate(2);
  const [a, b] = [await gate.enter(), await gate.enter()];
  const order: string[] = [];
  const third = gate.enter().then((leave) => (order.push('third'), leave));
  const fourth = gate.enter().then((leave) => (order.push('fourth'), leave));
  await Promise.resolve();
  t.same(order, []);
  a();
  a();
  const leave = await third;
  t.same(order, ['third'], 'leaving twice gives one place');
  b();
  (await fourth)();
  leave();
  t.same(order, ['third', 'fourth']);
  const [c, d] = [await gate.enter(), await gate.enter()];
  c();
  d();
});

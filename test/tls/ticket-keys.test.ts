import t from 'tap';
import { TicketKeys } from '../../src/tls/ticket-keys.ts';

void t.test('whoever has the state has every key; no two names share one', (t) => {
  const [one, two] = [new TicketKeys(), new TicketKeys(() => {})];
  t.notSame(one.key('a'), two.key('a'));
  two.install(structuredClone(one.state));
  t.same(one.key('a'), two.key('a'));
  t.notSame(one.key('a'), one.key('b'));
  t.equal(one.key('a').length, 48);
  t.end();
});

void t.test('a renewal changes the key of its name alone, is told, and is taken over elsewhere', (t) => {
  const told: [string, number][] = [];
  const [one, two] = [new TicketKeys((...renewal) => told.push(renewal)), new TicketKeys()];
  two.install(one.state);
  const [a, b, { version }] = [one.key('a'), one.key('b'), one];
  one.renew('a');
  t.notSame(one.key('a'), a);
  t.same(one.key('b'), b);
  t.not(one.version, version);
  t.same(told, [['a', 1]]);
  two.raise('a', 1);
  two.raise('a', 1);
  t.same(two.key('a'), one.key('a'), 'two renewals at once are one');
  t.end();
});

void t.test('state that was on its way takes no renewal back; a new secret forgets them', (t) => {
  const [supervisor, worker] = [new TicketKeys(), new TicketKeys(() => {})];
  const state = supervisor.state;
  worker.install(state);
  worker.renew('a');
  const renewed = worker.key('a');
  worker.install(state);
  t.same(worker.key('a'), renewed);
  supervisor.replaceAll();
  worker.install(supervisor.state);
  t.same(worker.key('a'), supervisor.key('a'));
  t.end();
});

void t.test('renewals are bounded: past the bound every key is another', (t) => {
  const keys = new TicketKeys();
  const other = keys.key('other');
  for (let index = 0; index <= 4096; index++) keys.renew(`host ${index}`);
  t.notSame(keys.key('other'), other);
  t.ok(keys.state.renewals.size <= 4096);
  t.end();
});

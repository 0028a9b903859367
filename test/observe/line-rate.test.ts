import t from 'tap';
import { AccessLog } from '../../src/observe/access-log.ts';
import { LineRate } from '../../src/observe/line-rate.ts';
import { handshakeEvent } from './fixture.ts';

void t.test('so many a second pass; the next that passes says how many did not', (t) => {
  let now = 1000;
  const rate = new LineRate(2, () => now);
  t.same([rate.pass(), rate.pass(), rate.pass(), rate.pass()], [0, 0, null, null]);
  now = 2000;
  t.same([rate.pass(), rate.pass(), rate.pass()], [2, 0, null]);
  t.end();
});

void t.test('a flood of refused connections writes ten lines a second, and hides no other failure', (t) => {
  const lines: { handshake?: { reason: string; omitted: number } }[] = [];
  let now = 1000;
  const write = (line: string): void => void lines.push(JSON.parse(line) as (typeof lines)[number]);
  const log = new AccessLog({ write }, 'info', () => now);
  const tell = (reason: 'address_overload' | 'protocol'): void =>
    log.handshake(handshakeEvent({ result: 'rejected', reason }));
  for (let i = 0; i < 1000; i++) tell('address_overload');
  t.equal(lines.length, 10);
  tell('protocol');
  t.equal(lines.length, 11);
  for (let i = 0; i < 100; i++)
    log.connectionRefused({
      listener: 'http',
      reason: 'overload',
      detail: 'too many',
      remoteAddress: '192.0.2.1',
    });
  t.equal(lines.length, 21);
  now = 2000;
  tell('address_overload');
  t.match(lines.at(-1), { handshake: { reason: 'address_overload', omitted: 990 } });
  t.end();
});

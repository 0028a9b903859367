import t from 'tap';
import { RateLimiter } from '../../../src/proxy/access/rate-limiter.ts';
import type { RateLimit } from '../../../src/snapshot/access.ts';
import { AddressRanges, parseCidr } from '../../../src/tls/cidr.ts';

const none: RateLimit = {
  rates: [],
  connections: Infinity,
  pace: null,
  exempt: null,
  status: 503,
  connectionsStatus: 503,
};

await t.test('a client may be its burst ahead of its rate, and earns a request back in time', async (t) => {
  let now = 0;
  const limiter = new RateLimiter(() => now);
  const limit = { ...none, rates: [{ perSecond: 2, burst: 10 }] };
  const take = (address = '192.0.2.1'): boolean => typeof limiter.take(limit, 'r', address) === 'function';
  // nginx: the first is not ahead, then `burst` more.
  for (let count = 0; count < 11; count++) t.ok(take(), `request ${count + 1}`);
  t.notOk(take());
  t.ok(take('192.0.2.2'), 'another client has its own account');
  now = 499;
  t.notOk(take(), 'half a second is one request');
  now = 500;
  t.ok(take());
  t.notOk(take(), 'what was refused counts for nothing, what was let through does');
});

await t.test('the stricter of two rates counts', async (t) => {
  let now = 0;
  const limiter = new RateLimiter(() => now);
  const limit = {
    ...none,
    rates: [
      { perSecond: 100, burst: 500 },
      { perSecond: 1 / 60, burst: 2 },
    ],
  };
  const take = (): string => (typeof limiter.take(limit, 'r', 'a') === 'function' ? 'ok' : 'no');
  t.same([take(), take(), take(), take()], ['ok', 'ok', 'ok', 'no']);
  now = 60_000;
  t.same([take(), take()], ['ok', 'no']);
});

await t.test('requests under way are counted until they are over', async (t) => {
  const limiter = new RateLimiter(() => 0);
  const limit = { ...none, connections: 2 };
  const first = limiter.take(limit, 'r', 'a');
  limiter.take(limit, 'r', 'a');
  t.equal(limiter.take(limit, 'r', 'a'), 'too_many_requests');
  t.type(limiter.take(limit, 'other', 'a'), 'function', 'of another route');
  if (typeof first === 'function') first();
  t.type(limiter.take(limit, 'r', 'a'), 'function');
});

await t.test('exempt addresses are not counted', async (t) => {
  const limiter = new RateLimiter(() => 0);
  const exempt = new AddressRanges([parseCidr('10.0.0.0/8')!]);
  const limit = { ...none, rates: [{ perSecond: 1, burst: 1 }], exempt };
  for (let count = 0; count < 50; count++) t.type(limiter.take(limit, 'r', '10.1.2.3'), 'function');
  t.equal(limiter.size, 0);
});

await t.test('a flood of addresses does not grow the accounts without bound', async (t) => {
  const limiter = new RateLimiter(() => 0);
  const limit = { ...none, rates: [{ perSecond: 1, burst: 1 }] };
  for (let client = 0; client < 70_000; client++) {
    const over = limiter.take(limit, 'r', `2001:db8::${client.toString(16)}`);
    if (typeof over === 'function') over();
  }
  t.equal(limiter.size, 65_536);
});

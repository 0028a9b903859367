import t from 'tap';
import { Activity, foldActivity, latencyQuantile, stepMs, steps } from '../../src/observe/activity.ts';
import type { HandshakeEvent, RequestEvent } from '../../src/observe/observer.ts';

const request = (changes: Partial<RequestEvent>) =>
  ({ status: 200, reason: 'ok', durationMs: 1, upgrade: false, ...changes }) as RequestEvent;
const handshake = (changes: Partial<HandshakeEvent>) =>
  ({ result: 'accepted', reason: 'ok', ...changes }) as HandshakeEvent;

void t.test('what happens is counted in its step, and forgotten after five minutes', (t) => {
  let now = 1_000_000 * stepMs;
  const activity = new Activity(() => now);
  activity.handshake(handshake({}));
  activity.handshake(handshake({ result: 'rejected', reason: 'expired' }));
  now += stepMs;
  activity.request(request({}));
  activity.request(request({ status: 403, reason: 'policy_ou' }));
  activity.request(request({ status: 502, reason: 'upstream_refused' }));
  activity.request(request({ status: 404 }));
  activity.request(request({ status: 308, reason: 'redirect_https' }));
  activity.request(request({ status: 0, reason: 'client_abort' }));
  const { counts, handshakeReasons, requestReasons, until } = activity.state();
  t.equal(until, 1_000_001);
  t.same(counts.handshakes.slice(-3), [0, 2, 0]);
  t.same(counts.rejected.slice(-3), [0, 1, 0]);
  t.same(counts.requests.slice(-2), [0, 6]);
  t.same(counts.refused.slice(-2), [0, 1], 'an upstream’s own 404 is no refusal');
  t.same(counts.failed.slice(-2), [0, 1]);
  t.same(handshakeReasons, { expired: 1 });
  t.same(requestReasons, { policy_ou: 1, upstream_refused: 1, client_abort: 1 });
  now += (steps - 1) * stepMs;
  t.same(activity.state().counts.requests.slice(0, 2), [6, 0], 'the oldest step is still there');
  t.same(activity.state().handshakeReasons, {});
  now += stepMs;
  t.equal(
    activity.state().counts.requests.reduce((sum, one) => sum + one),
    0,
  );
  activity.request(request({}));
  t.equal(activity.state().counts.requests.at(-1), 1, 'a step of the ring begins anew');
  t.end();
});

void t.test('quantiles of latency are near, tunnels aside, and none without requests', (t) => {
  const activity = new Activity(() => 0);
  t.equal(latencyQuantile(activity.state().latency, 0.5), null);
  for (let index = 0; index < 98; index++) activity.request(request({ durationMs: 10 }));
  activity.request(request({ durationMs: 900 }));
  activity.request(request({ durationMs: 900 }));
  activity.request(request({ durationMs: 3_600_000, upgrade: true }));
  const { latency } = activity.state();
  const near = (value: number | null, wanted: number): boolean =>
    value !== null && Math.abs(value / wanted - 1) <= 0.09;
  t.ok(near(latencyQuantile(latency, 0.5), 10));
  t.ok(near(latencyQuantile(latency, 0.99), 900));
  for (const odd of [0, -1, NaN, Infinity]) activity.request(request({ durationMs: odd }));
  t.equal(
    activity.state().latency.reduce((sum, one) => sum + one),
    104,
  );
  t.end();
});

void t.test('processes fold into one, step by step', (t) => {
  let now = 500 * stepMs;
  const [one, two] = [new Activity(() => now), new Activity(() => now)];
  one.request(request({ status: 403, reason: 'policy_ou' }));
  const early = one.state();
  now += stepMs;
  two.request(request({ status: 403, reason: 'policy_cn' }));
  const folded = foldActivity([early, two.state()]);
  t.same(folded.counts.requests.slice(-2), [1, 1]);
  t.same(folded.requestReasons, { policy_ou: 1, policy_cn: 1 });
  t.equal(foldActivity([]).counts.requests.length, steps);
  t.end();
});

void t.test('reloads are kept, the latest first, and not without end', (t) => {
  const activity = new Activity(() => 7);
  for (let index = 0; index < 30; index++) {
    activity.reload({
      result: 'failure',
      version: null,
      problems: Array.from({ length: 50 }, () => `${index}`),
    });
  }
  t.equal(activity.reloads.length, 20);
  t.equal(activity.reloads[0]!.problems.length, 20);
  t.match(activity.reloads[0], { time: 7, problems: ['29'] });
  t.end();
});

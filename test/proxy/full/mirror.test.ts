import { mock } from 'node:test';
import t from 'tap';
import type { LaneUpstreams } from '../../../src/proxy/full/lane.ts';
import { Mirror } from '../../../src/proxy/full/mirror.ts';
import type { OutboundRequest, ResponseHandler } from '../../../src/proxy/upstream/outbound.ts';

const rule = { upstream: 'copies', host: null, body: true };
const timeouts = { connectMs: 1000, sendMs: 1000, readMs: 1000 };
const original: OutboundRequest = {
  upstream: 'main',
  method: 'GET',
  target: '/',
  headers: ['Host', 'a.test'],
  body: null,
  timeouts,
};

/** Upstreams that leave it to the test what becomes of a call. */
function held() {
  const handlers: ResponseHandler[] = [];
  let aborted = 0;
  const send: LaneUpstreams['send'] = (request, handler) => {
    handlers.push(handler);
    const record = { upstream: request.upstream, endpoint: null, tries: 0, headMs: null, status: null };
    return { abort: () => aborted++, resume: () => {}, record };
  };
  return { upstreams: { send }, handlers, aborted: () => aborted };
}

void t.test('no more copies are under way than the bound; those beyond it are counted', (t) => {
  const { upstreams, handlers } = held();
  const events: string[] = [];
  const mirror = new Mirror({ upstream: ({ kind }) => events.push(kind) }, 2);
  for (let n = 0; n < 5; n++) mirror.copy(upstreams, rule, original);
  t.same(mirror.counts, { sent: 2, answered: 0, failed: 0, dropped: 3 });
  handlers[0]!.onResponse(500, []);
  mirror.copy(upstreams, rule, original);
  t.equal(mirror.counts.dropped, 4, 'an answer that has not ended is still under way');
  handlers[0]!.onEnd();
  handlers[1]!.onError({ reason: 'upstream_refused', detail: '' });
  mirror.copy(upstreams, rule, original);
  t.same(mirror.counts, { sent: 3, answered: 1, failed: 1, dropped: 4 });
  t.same(
    events,
    Array.from({ length: 5 }, () => 'copy_failed'),
    'failed and dropped ones are told',
  );
  t.end();
});

void t.test('an endless answer ends with its copy', (t) => {
  const { upstreams, handlers, aborted } = held();
  const mirror = new Mirror({ upstream: () => {} }, 1);
  mirror.copy(upstreams, rule, original);
  handlers[0]!.onResponse(200, []);
  for (let n = 0; n < 3; n++) handlers[0]!.onData(Buffer.alloc(30_000));
  t.equal(aborted(), 1);
  mirror.copy(upstreams, rule, original);
  t.equal(mirror.counts.dropped, 0);
  t.end();
});

void t.test('an answer that trickles ends with its time', (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.teardown(() => mock.timers.reset());
  const { upstreams, handlers, aborted } = held();
  new Mirror({ upstream: () => {} }, 1).copy(upstreams, rule, original);
  handlers[0]!.onResponse(200, []);
  mock.timers.tick(2999);
  t.equal(aborted(), 0);
  mock.timers.tick(1);
  t.equal(aborted(), 1);
  t.end();
});

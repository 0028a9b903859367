import * as fc from 'fast-check';
import t, { type Test } from 'tap';
import type { RetryCondition } from '../../../src/config/schema/retry.ts';
import { mayRetry, mayRetryStatus } from '../../../src/proxy/upstream/retry.ts';
import { compileRetry } from '../../../src/snapshot/compile/retry.ts';
import {
  bodyOf,
  deadEndpoint,
  eachRequest,
  type RawServer,
  rawServer,
  response,
  rig,
  send,
} from './support.ts';

const on = (...words: RetryCondition[]) => compileRetry({ on: words });
const answering = (t: Test, text: string): Promise<RawServer> =>
  rawServer(
    t,
    eachRequest((socket) => socket.write(text)),
  );
const status = (code: number, ...headers: string[]): string =>
  [`HTTP/1.1 ${code} X`, 'Content-Length: 4', ...headers, '', `${code}!`].join('\r\n');

for (const code of [403, 404, 429, 500, 502, 503, 504]) {
  void t.test(`http_${code}: the response is dropped for another endpoint's`, async (t) => {
    const [bad, good] = [await answering(t, status(code)), await answering(t, response('ok'))];
    const { upstreams, events } = rig(t, [bad.endpoint, good.endpoint]);
    const { call, done } = send(upstreams, { retry: on(`http_${code}` as RetryCondition) });
    const outcome = await done;
    t.equal(outcome.body, 'ok');
    t.equal(outcome.status, 200);
    t.equal(call.record.tries, 2);
    t.equal(call.record.status, 200);
    t.match(events, [{ kind: 'retry', endpoint: good.endpoint.name, detail: `status ${code}` }]);
    const [failures] = upstreams.status().map((one) => one.failures);
    t.equal(failures, code === 403 || code === 404 ? 0 : 1, 'held against the endpoint');
    t.same(
      upstreams.status().map(({ active }) => active),
      [0, 0],
    );
  });
}

void t.test('the last endpoint has the last word', async (t) => {
  const [one, two] = [await answering(t, status(503)), await answering(t, status(503, 'X-Last: yes'))];
  const { upstreams } = rig(t, [one.endpoint, two.endpoint]);
  const outcome = await send(upstreams, { retry: on('http_503') }).done;
  t.equal(outcome.status, 503);
  t.equal(outcome.body, '503!');
  t.ok(outcome.headers.includes('X-Last'));
});

void t.test('a POST is sent again for a status only where the route says non_idempotent', async (t) => {
  const [bad, good] = [await answering(t, status(503)), await answering(t, response('ok'))];
  for (const [words, expected] of [
    [['http_503'], 503],
    [['http_503', 'non_idempotent'], 200],
  ] as const) {
    const { upstreams } = rig(t, [bad.endpoint, good.endpoint]);
    t.equal((await send(upstreams, { method: 'POST', retry: on(...words) }).done).status, expected);
  }
});

void t.test('a request whose body was read is not sent again, whatever the rules', async (t) => {
  const [bad, good] = [await answering(t, status(503)), await answering(t, response('ok'))];
  const { upstreams } = rig(t, [bad.endpoint, good.endpoint]);
  const outcome = await send(upstreams, {
    method: 'PUT',
    body: { stream: bodyOf('hello'), length: 5 },
    retry: on('http_503', 'non_idempotent'),
  }).done;
  t.equal(outcome.status, 503);
  t.equal(good.sockets.length, 0);
});

void t.test('no other endpoint is asked once an interim response went to the client', async (t) => {
  const early = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n';
  const [bad, good] = [await answering(t, early + status(503)), await answering(t, response('ok'))];
  const { upstreams } = rig(t, [bad.endpoint, good.endpoint]);
  const outcome = await send(upstreams, { retry: on('http_503', 'error', 'invalid_header') }).done;
  t.equal(outcome.status, 503);
  t.equal(outcome.information.length, 1);
  t.equal(good.sockets.length, 0);
});

void t.test(
  'silence is tried elsewhere where the route says timeout, and is an answer where not',
  async (t) => {
    const [mute, good] = [await rawServer(t, () => {}), await answering(t, response('ok'))];
    const timeouts = { connectMs: 1000, sendMs: 1000, readMs: 50 };
    for (const [retry, expected] of [
      [on('error', 'timeout'), 200],
      [on('error'), null],
      [compileRetry(undefined), null],
    ] as const) {
      const { upstreams } = rig(t, [mute.endpoint, good.endpoint]);
      const outcome = await send(upstreams, { timeouts, retry }).done;
      t.equal(outcome.status, expected);
      t.equal(outcome.failure?.reason ?? null, expected === null ? 'upstream_read_timeout' : null);
    }
  },
);

void t.test('what is no HTTP is tried elsewhere where the route says invalid_header', async (t) => {
  const [bad, good] = [await answering(t, 'HELLO\r\n\r\n'), await answering(t, response('ok'))];
  for (const [words, expected] of [
    [['error', 'invalid_header'], 200],
    [['error', 'timeout'], null],
  ] as const) {
    const { upstreams } = rig(t, [bad.endpoint, good.endpoint]);
    t.equal((await send(upstreams, { retry: on(...words) }).done).status, expected);
  }
});

void t.test('with off, and without error, a refused connection is the end', async (t) => {
  const [dead, good] = [await deadEndpoint(), await answering(t, response('ok'))];
  for (const retry of [on('off'), on('off', 'error'), on('timeout'), on()]) {
    const { upstreams } = rig(t, [dead, good.endpoint]);
    t.equal((await send(upstreams, { retry }).done).failure?.reason, 'upstream_refused');
    const { upstreams: others } = rig(t, [dead, good.endpoint]);
    await t.rejects(
      others.connect('app', { connectMs: 1000 }, undefined, null, retry),
      /upstream_refused/,
      'nor is a tunnel',
    );
  }
});

void t.test('as many endpoints are tried as the route says, all of them for 0', async (t) => {
  const dead = await Promise.all(Array.from({ length: 5 }, () => deadEndpoint()));
  for (const [tries, expected] of [
    [2, 2],
    [0, 5],
    [9, 5],
    [undefined, 3],
  ] as const) {
    const { upstreams } = rig(t, dead, { tries: 3 });
    const { call, done } = send(upstreams, { retry: compileRetry(tries === undefined ? {} : { tries }) });
    await done;
    t.equal(call.record.tries, expected);
  }
});

void t.test('no try is begun past the time', async (t) => {
  let time = 0;
  const good = await answering(t, response('ok'));
  const late = await rawServer(
    t,
    eachRequest((socket) => {
      time += 2000;
      socket.write(status(503));
    }),
  );
  for (const [timeout, expected] of [
    ['2s', 503],
    ['3s', 200],
    ['0s', 200],
  ] as const) {
    const { upstreams } = rig(t, [late.endpoint, good.endpoint], {}, { now: () => time });
    const retry = compileRetry({ on: ['http_503'], timeout });
    t.equal((await send(upstreams, { retry }).done).status, expected, timeout);
  }
});

void t.test('whatever the rules: nothing twice that was told to the client or cannot be sent again', (t) => {
  const words = fc.subarray<RetryCondition>([
    'error',
    'timeout',
    'invalid_header',
    'http_503',
    'non_idempotent',
  ]);
  const standing = fc.record({
    idempotent: fc.boolean(),
    unsent: fc.boolean(),
    spent: fc.boolean(),
    answered: fc.boolean(),
    told: fc.boolean(),
  });
  const reason = fc.constantFrom(
    'upstream_refused' as const,
    'upstream_reset' as const,
    'upstream_protocol' as const,
    'upstream_read_timeout' as const,
    'upstream_truncated' as const,
    'internal' as const,
  );
  fc.assert(
    fc.property(words, standing, reason, (chosen, how, reason) => {
      const rules = on(...chosen);
      const again = mayRetry(rules, { reason, detail: '' }, how) || mayRetryStatus(rules, 503, how);
      if (how.told || how.spent) t.notOk(again);
      if (!how.idempotent && !how.unsent && !chosen.includes('non_idempotent')) t.notOk(again);
    }),
  );
  t.end();
});

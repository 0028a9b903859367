import type { UpstreamTls } from '../../../src/snapshot/snapshot.ts';
import type { Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import t from 'tap';
import {
  deadEndpoint,
  eachRequest,
  endpointOf,
  rawServer,
  response,
  rig,
  send,
  until,
  usualTls,
} from './support.ts';

const quick = { connectMs: 2000, sendMs: 2000, readMs: 2000 };
const head = (fields: string): string => `HTTP/1.1 200 OK\r\n${fields}\r\n\r\n`;

void t.test('a refused connection is upstream_refused, a name without address too', async (t) => {
  const { upstreams } = rig(t, [await deadEndpoint()]);
  const { done, call } = send(upstreams);
  const { failure } = await done;
  t.equal(failure?.reason, 'upstream_refused');
  t.match(failure?.detail, 'ECONNREFUSED');
  t.equal(call.record.status, null);
  t.equal(call.record.tries, 1);
  const nowhere = rig(t, [endpointOf('nowhere.invalid', 80)]);
  t.equal((await send(nowhere.upstreams).done).failure?.reason, 'upstream_refused');
});

void t.test('an upstream without endpoints, or one that is not configured, is upstream_none', async (t) => {
  const { upstreams } = rig(t, []);
  const { done, call } = send(upstreams);
  t.equal((await done).failure?.reason, 'upstream_none');
  t.equal(call.record.endpoint, null);
  t.equal(call.record.tries, 0);
  t.equal((await send(upstreams, { upstream: 'other' }).done).failure?.reason, 'upstream_none');
});

void t.test('what is not HTTP/1.1 is upstream_protocol', async (t) => {
  const answers: Record<string, string> = {
    junk: '\x00\x01\x02 hello\r\n\r\n',
    'HTTP/0.9': '<html>hello</html>',
    'another protocol': '220 mail.test ESMTP\r\n',
    'HTTP/2 preface': '\x00\x00\x12\x04\x00\x00\x00\x00\x00',
    'no status': 'HTTP/1.1 OK\r\n\r\n',
    'status below 100': 'HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n',
    '101 that nobody asked for':
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n',
    '101 without an upgrade': 'HTTP/1.1 101 Switching Protocols\r\n\r\n',
    'header name with a space': head('X Y: z'),
    'space before the colon': head('Content-Length : 3'),
    'no colon': head('hello'),
    'NUL in a value': head('X: a\0b'),
    'bare CR in a value': head('X: a\rSet-Cookie: b'),
    'folded value': head('X: a\r\n Set-Cookie: b\r\nContent-Length: 0'),
    'length and chunked': `${head('Content-Length: 5\r\nTransfer-Encoding: chunked')}0\r\n\r\n`,
    'chunked and length': `${head('Transfer-Encoding: chunked\r\nContent-Length: 5')}0\r\n\r\n`,
    'two lengths': `${head('Content-Length: 5\r\nContent-Length: 6')}hello`,
    'two lengths in one': `${head('Content-Length: 5, 5')}hello`,
    'a signed length': `${head('Content-Length: +5')}hello`,
    'a negative length': `${head('Content-Length: -5')}hello`,
    'a length past all numbers': `${head('Content-Length: 99999999999999999999999')}hello`,
    'a malformed 100': `HTTP/1.1 100 Continue\n\n${response('ok')}`,
    'a 100 with a bare LF': `HTTP/1.1 100 Continue\r\nX: a\nY: b\r\n\r\n${response('ok')}`,
  };
  for (const [name, answer] of Object.entries(answers)) {
    const server = await rawServer(
      t,
      eachRequest((socket) => socket.end(answer, 'latin1')),
    );
    const { upstreams } = rig(t, [server.endpoint]);
    const outcome = await send(upstreams, { timeouts: quick }).done;
    t.equal(outcome.failure?.reason, 'upstream_protocol', `${name}: ${outcome.failure?.detail}`);
    t.equal(outcome.status, null, name);
    t.equal(server.sockets.length, 1, `${name}: not tried again`);
    t.equal(upstreams.status()[0]?.failures, 1, name);
    t.equal(upstreams.status()[0]?.idle, 0, name);
  }
});

void t.test(
  'a head without end is cut off at its size, its number of lines and its interim responses',
  async (t) => {
    const endless: Record<string, (n: number) => string> = {
      'a long value': (n) => (n === 0 ? 'HTTP/1.1 200 OK\r\nX: ' : 'x'.repeat(4096)),
      'many values': (n) => (n === 0 ? 'HTTP/1.1 200 OK\r\n' : `X-${n}: ${'x'.repeat(4096)}\r\n`),
      'interim responses': () => 'HTTP/1.1 103 Early Hints\r\n\r\n',
      continues: () => 'HTTP/1.1 100 Continue\r\n\r\n',
      'a long continue': (n) => (n === 0 ? 'HTTP/1.1 100 Continue\r\nX: ' : 'x'.repeat(1024)),
    };
    for (const [name, piece] of Object.entries(endless)) {
      const server = await rawServer(t, (socket) => {
        socket.once('data', () => {
          let n = 0;
          const next = (): void => {
            if (!socket.destroyed && n < 2000) socket.write(piece(n++), next);
          };
          next();
        });
      });
      const { upstreams } = rig(t, [server.endpoint]);
      const outcome = await send(upstreams, { timeouts: quick }).done;
      t.equal(outcome.failure?.reason, 'upstream_protocol', `${name}: ${outcome.failure?.detail}`);
      t.ok(outcome.information.length <= 16, name);
    }
    const server = await rawServer(
      t,
      eachRequest((socket) => socket.end(head(`${'a:b\r\n'.repeat(2000)}Content-Length: 0`))),
    );
    const outcome = await send(rig(t, [server.endpoint]).upstreams).done;
    t.equal(outcome.failure?.reason, 'upstream_protocol');
  },
);

void t.test('a connection closed before the head is whole is upstream_reset', async (t) => {
  for (const [name, close] of Object.entries<(socket: Socket) => void>({
    'end at once': (socket) => socket.end(),
    reset: (socket) => socket.resetAndDestroy(),
    'end within the status line': (socket) => socket.end('HTTP/1.1 20'),
    'end within the head': (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Le'),
    'end after an interim response': (socket) => socket.end('HTTP/1.1 103 Early Hints\r\n\r\n'),
    'end within a 100': (socket) => socket.end('HTTP/1.1 100 Cont'),
  })) {
    const server = await rawServer(t, (socket) => socket.once('data', () => close(socket)));
    const { upstreams } = rig(t, [server.endpoint]);
    const outcome = await send(upstreams, { method: 'POST', timeouts: quick }).done;
    t.equal(outcome.failure?.reason, 'upstream_reset', `${name}: ${outcome.failure?.detail}`);
    t.equal(upstreams.status()[0]?.active, 0);
  }
});

void t.test('a body that is cut off is upstream_truncated, never an end', async (t) => {
  const bodies: Record<string, [string, (socket: Socket) => void]> = {
    'length, ended': [`${head('Content-Length: 50')}abc`, (socket) => socket.end()],
    'length, reset': [`${head('Content-Length: 50')}abc`, (socket) => socket.resetAndDestroy()],
    'length, closing, ended': [
      `${head('Content-Length: 50\r\nConnection: close')}abc`,
      (socket) => socket.end(),
    ],
    'chunked, between chunks': [
      `${head('Transfer-Encoding: chunked')}3\r\nabc\r\n`,
      (socket) => socket.end(),
    ],
    'chunked, closing': [
      `${head('Transfer-Encoding: chunked\r\nConnection: close')}3\r\nabc\r\n`,
      (socket) => socket.end(),
    ],
    'chunked, within a chunk': [`${head('Transfer-Encoding: chunked')}9\r\nabc`, (socket) => socket.end()],
    'chunked, before the last line': [
      `${head('Transfer-Encoding: chunked')}3\r\nabc\r\n0\r\n`,
      (socket) => socket.end(),
    ],
    'chunked, broken size': [`${head('Transfer-Encoding: chunked')}3\r\nabc\r\nzz\r\n`, () => {}],
    'until the end, reset': [`${head('Connection: close')}abc`, (socket) => socket.resetAndDestroy()],
  };
  for (const [name, [bytes, close]] of Object.entries(bodies)) {
    const server = await rawServer(t, (socket) => socket.once('data', () => socket.write(bytes)));
    const { upstreams } = rig(t, [server.endpoint]);
    const { done, outcome } = send(upstreams, { timeouts: quick });
    await until(() => outcome.body === 'abc' || outcome.failure !== null);
    close(server.sockets[0]!);
    await done;
    t.equal(outcome.status, 200, name);
    t.equal(outcome.failure?.reason, 'upstream_truncated', `${name}: ${outcome.failure?.detail}`);
    t.equal(upstreams.status()[0]?.failures, 1, name);
    t.equal(server.sockets.length, 1, `${name}: not tried again`);
  }
});

void t.test('silence is a read time-out: before the head, within it, within the body', async (t) => {
  const silences: Record<string, string> = {
    'before the head': '',
    'within the head': 'HTTP/1.1 200 OK\r\nX: ',
    'after an interim response': 'HTTP/1.1 103 Early Hints\r\n\r\n',
    'within the body': `${head('Content-Length: 50')}abc`,
  };
  for (const [name, bytes] of Object.entries(silences)) {
    for (const readMs of [80, 1200]) {
      const server = await rawServer(t, (socket) => socket.once('data', () => socket.write(bytes)));
      const { upstreams } = rig(t, [server.endpoint]);
      const start = performance.now();
      const outcome = await send(upstreams, { timeouts: { ...quick, readMs } }).done;
      const took = performance.now() - start;
      t.equal(outcome.failure?.reason, 'upstream_read_timeout', name);
      t.ok(took >= readMs - 5 && took < readMs + 500, `${name}: ${readMs} ms took ${took} ms`);
      t.equal(server.sockets.length, 1, `${name}: not tried again`);
      await until(() => server.sockets[0]!.destroyed);
    }
  }
});

void t.test('a body that keeps coming, slowly, is no time-out', async (t) => {
  const server = await rawServer(t, (socket) => {
    socket.once('data', () => {
      socket.write(head('Content-Length: 10'));
      let left = 10;
      const timer = setInterval(() => {
        socket.write('x');
        if (--left === 0) clearInterval(timer);
      }, 40);
    });
  });
  const outcome = await send(rig(t, [server.endpoint]).upstreams, { timeouts: { ...quick, readMs: 150 } })
    .done;
  t.equal(outcome.failure, null);
  t.equal(outcome.body.length, 10);
});

void t.test('an upstream that takes no more of the body is a send time-out', async (t) => {
  const server = await rawServer(t, (socket) => socket.pause());
  const { upstreams } = rig(t, [server.endpoint]);
  const stream = new PassThrough();
  const block = Buffer.alloc(64 * 1024);
  const pump = (): void => {
    while (!stream.writableNeedDrain && !stream.destroyed) stream.write(block);
  };
  stream.on('drain', pump);
  pump();
  const body = { stream, length: null };
  const outcome = await send(upstreams, { method: 'PUT', body, timeouts: { ...quick, sendMs: 100 } }).done;
  t.equal(outcome.failure?.reason, 'upstream_send_timeout');
  t.equal(upstreams.status()[0]?.failures, 1);
  t.equal(server.sockets.length, 1, 'a body that has begun is not sent again');
  stream.destroy();
});

void t.test('a client that sends slowly is not held against the upstream', async (t) => {
  const server = await rawServer(
    t,
    eachRequest((socket) => socket.write(response('ok'))),
  );
  const { upstreams } = rig(t, [server.endpoint]);
  const stream = new PassThrough();
  const body = { stream, length: 4 };
  const { done } = send(upstreams, {
    method: 'PUT',
    body,
    timeouts: { connectMs: 100, sendMs: 100, readMs: 100 },
  });
  for (const byte of 'abcd') {
    await new Promise((resolve) => setTimeout(resolve, 80));
    stream.write(byte);
  }
  stream.end();
  t.equal((await done).failure, null);
});

void t.test('no connection in time is upstream_connect_timeout', async (t) => {
  // A server that accepts but never shakes hands: the time is for TLS too.
  const server = await rawServer(t, (socket) => socket.resume());
  const tls: UpstreamTls = { verify: true, ca: null, ...usualTls };
  const { upstreams } = rig(t, [server.endpoint], { tls });
  const start = performance.now();
  const outcome = await send(upstreams, { timeouts: { ...quick, connectMs: 100 } }).done;
  t.equal(outcome.failure?.reason, 'upstream_connect_timeout');
  t.ok(performance.now() - start < 1000);
  await until(() => server.sockets[0]!.destroyed);
});

void t.test('the detail for the log is bounded', async (t) => {
  const server = await rawServer(
    t,
    eachRequest((socket) => socket.end(`${'junk'.repeat(5000)}\r\n\r\n`)),
  );
  const outcome = await send(rig(t, [server.endpoint]).upstreams).done;
  t.ok(outcome.failure!.detail.length <= 300);
});

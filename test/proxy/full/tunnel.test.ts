import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import t from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import { startLane, startOrigin, startRawOrigin, statusLines } from './harness.ts';

const upgrade = (more = ''): string =>
  `GET /chat?a=1 HTTP/1.1\r\nHost: a.test\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n${more}\r\n`;
const accepted = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';

/** An origin that reads heads and lets the test go on from there. */
async function headOrigin(
  t: Parameters<typeof startRawOrigin>[0],
  onHead: (head: string, socket: Socket) => void,
): Promise<{ port: number }> {
  return startRawOrigin(t, (socket) => {
    let head = '';
    const read = (chunk: Buffer): void => {
      head += chunk.toString('latin1');
      if (!head.includes('\r\n\r\n')) return;
      socket.off('data', read);
      onHead(head, socket);
    };
    socket.on('data', read);
  });
}

await t.test('WebSocket messages go through, large and small, in both directions', async (t) => {
  const origin = await startOrigin(t, (_request, response) => response.end());
  const sockets = new WebSocketServer({ server: origin.server, path: '/chat' });
  sockets.on('connection', (socket) => socket.on('message', (data, binary) => socket.send(data, { binary })));
  const lane = await startLane(t, { origin: origin.port });
  const client = new WebSocket(`ws://127.0.0.1:${lane.port}/chat`, { headers: { Host: 'a.test' } });
  await once(client, 'open');
  for (const size of [0, 1, 125, 126, 65_536, 4_000_000]) {
    const sent = randomBytes(size);
    client.send(sent);
    const [received] = (await once(client, 'message')) as [Buffer];
    t.equal(sha256(received), sha256(sent), `${size} bytes`);
  }
  client.close(1000, 'done');
  const [code] = (await once(client, 'close')) as [number];
  t.equal(code, 1000);
  const event = await lane.event();
  t.match(event, { status: 101, upgrade: true, reason: 'ok', upstream: { status: 101 } });
  t.ok(event.bytesReceived > 4_000_000 && event.bytesSent > 4_000_000);
});

await t.test('the upstream sees an ordinary handshake with our headers', async (t) => {
  let head = '';
  const origin = await headOrigin(t, (text, socket) => {
    head = text;
    socket.write(accepted);
  });
  const lane = await startLane(t, { origin: origin.port });
  const client = lane.connect();
  client.write(
    upgrade('Sec-WebSocket-Key: x\r\nssl-client-verify: SUCCESS\r\nTransfer_Encoding: chunked\r\n'),
  );
  t.equal(await client.until('\r\n\r\n'), accepted.replace('websocket', 'WebSocket'));
  t.match(head, /^GET \/chat\?a=1 HTTP\/1\.1\r\nHost: a\.test\r\n/);
  t.match(head, '\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n');
  t.match(head, '\r\nSec-WebSocket-Key: x\r\n');
  t.match(head, '\r\nX-Forwarded-For: 192.0.2.7\r\n');
  t.notMatch(head, /SUCCESS|transfer|content-length/i);
});

await t.test('bytes sent along with the heads are not lost', async (t) => {
  const origin = await headOrigin(t, (_head, socket) => {
    socket.write(`${accepted}from upstream`);
    socket.pipe(socket);
  });
  const lane = await startLane(t, { origin: origin.port });
  const client = lane.connect();
  client.write(`${upgrade()}early`);
  await client.until('from upstreamearly');
  client.write(' late');
  await client.until('early late');
});

await t.test('bytes sent while the upstream still thinks are kept for it', async (t) => {
  const arrived = Promise.withResolvers<Socket>();
  const origin = await headOrigin(t, (_head, socket) => arrived.resolve(socket));
  const lane = await startLane(t, { origin: origin.port });
  const client = lane.connect();
  client.write(upgrade());
  const socket = await arrived.promise;
  client.socket.end('early');
  socket.write(accepted);
  const [chunk] = (await once(socket, 'data')) as [Buffer];
  t.equal(chunk.toString(), 'early');
});

await t.test('one side may end while the other still talks', async (t) => {
  const origin = await headOrigin(t, (_head, socket) => {
    socket.write(accepted);
    let received = '';
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString();
    });
    socket.on('end', () => socket.end(`you said ${received}`));
    socket.allowHalfOpen = true;
  });
  const lane = await startLane(t, { origin: origin.port });
  const client = lane.connect();
  client.socket.allowHalfOpen = true;
  client.write(upgrade());
  await client.until('\r\n\r\n');
  client.socket.end('all of it');
  await client.until('you said all of it');
  t.equal(await client.closed, 'end');
  t.match(await lane.event(), { reason: 'ok', bytesReceived: 9, bytesSent: 18 });
});

await t.test('an upstream that resets resets the client', async (t) => {
  const origin = await headOrigin(t, (_head, socket) => {
    socket.write(accepted);
    socket.once('data', () => socket.resetAndDestroy());
  });
  const lane = await startLane(t, { origin: origin.port });
  const client = lane.connect();
  client.write(upgrade());
  await client.until('\r\n\r\n');
  client.write('x');
  t.equal(await client.closed, 'reset');
});

await t.test("a client that leaves takes the upstream's side with it", async (t) => {
  const closed = Promise.withResolvers<void>();
  const origin = await headOrigin(t, (_head, socket) => {
    socket.on('close', () => closed.resolve());
    socket.write(accepted);
  });
  const lane = await startLane(t, { origin: origin.port });
  const client = lane.connect();
  client.write(upgrade());
  await client.until('\r\n\r\n');
  client.socket.resetAndDestroy();
  await closed.promise;
  t.match(await lane.event(), { status: 101, upgrade: true });
});

await t.test('a client that leaves before the upstream answers cancels the handshake', async (t) => {
  for (const leave of ['end', 'resetAndDestroy'] as const) {
    const arrived = Promise.withResolvers<void>();
    const closed = Promise.withResolvers<void>();
    const origin = await headOrigin(t, (_head, socket) => {
      arrived.resolve();
      socket.on('close', () => closed.resolve());
    });
    const lane = await startLane(t, { origin: origin.port });
    const client = lane.connect();
    client.write(upgrade());
    await arrived.promise;
    client.socket[leave]();
    await closed.promise;
    t.match(await lane.event(), { reason: 'client_abort', status: 0, upgrade: true }, leave);
  }
});

await t.test('an upstream that will not switch answers as usual, and the connection ends', async (t) => {
  const cases: [string, RegExp, string][] = [
    ['HTTP/1.1 426 Upgrade Required\r\nContent-Length: 2\r\nX: y\r\n\r\nno', /X: y\r\n[\s\S]*no$/, '426'],
    [
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n',
      /2\r\nno\r\n0\r\n\r\n$/,
      '200',
    ],
    ['HTTP/1.1 204 No Content\r\n\r\n', /\r\n\r\n$/, '204'],
  ];
  for (const [answer, expected, status] of cases) {
    const origin = await headOrigin(t, (_head, socket) => socket.write(answer));
    const lane = await startLane(t, { origin: origin.port });
    const text = await lane.exchange(upgrade());
    t.same(statusLines(text), [status]);
    t.match(text, expected);
    t.match(text, /\r\nConnection: close\r\n/);
    t.match(await lane.event(), { status: Number(status), reason: 'ok', upgrade: true });
  }
});

await t.test(
  'a refusal without end flows at the pace of the client, which is given up in the end',
  async (t) => {
    let written = 0;
    const block = Buffer.alloc(64 * 1024, 'x');
    const origin = await headOrigin(t, (_head, socket) => {
      socket.write('HTTP/1.1 403 Forbidden\r\n\r\n');
      const more = (): void => {
        do written += block.length;
        while (!socket.destroyed && socket.write(block));
      };
      socket.on('drain', more);
      more();
    });
    const lane = await startLane(t, { origin: origin.port, limits: { bodyTimeoutMs: 300 } });
    const client = lane.connect();
    client.write(upgrade());
    await client.until('xxxx');
    client.socket.pause();
    t.match(await lane.event(), {
      status: 403,
      reason: 'client_abort',
      detail: 'the client stopped reading',
    });
    t.ok(written < 64 * 1024 * 1024, `${written} bytes taken from the upstream`);
  },
);

await t.test('a refusal cut short breaks the connection', async (t) => {
  const origin = await headOrigin(t, (_head, socket) => {
    socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\nhalf');
  });
  const lane = await startLane(t, { origin: origin.port });
  const client = lane.connect();
  client.write(upgrade());
  t.equal(await client.closed, 'reset');
  t.match(await lane.event(), { reason: 'upstream_truncated' });
});

await t.test('what is no handshake is a 502, and silence a 504', async (t) => {
  const cases: [string, string | null, string, string][] = [
    ['garbage', 'nonsense\r\n\r\n', '502', 'upstream_protocol'],
    ['another protocol', accepted.replace('websocket', 'h2c'), '502', 'upstream_protocol'],
    ['two protocols', accepted.replace('websocket', 'websocket, h2c'), '502', 'upstream_protocol'],
    ['no protocol', 'HTTP/1.1 101 Switching Protocols\r\n\r\n', '502', 'upstream_protocol'],
    ['an endless head', `HTTP/1.1 101 X\r\nX: ${'x'.repeat(100_000)}`, '502', 'upstream_protocol'],
    ['nothing', '', '502', 'upstream_reset'],
    ['silence', null, '504', 'upstream_read_timeout'],
  ];
  for (const [name, answer, status, reason] of cases) {
    const origin = await headOrigin(t, (_head, socket) => {
      if (answer === '') socket.end();
      else if (answer !== null) socket.write(answer);
    });
    const lane = await startLane(t, {
      origin: origin.port,
      route: { timeouts: { connectMs: 1000, sendMs: 1000, readMs: answer === null ? 50 : 5000 } },
    });
    const text = await lane.exchange(upgrade());
    t.same(statusLines(text), [status], name);
    t.match(await lane.event(), { reason, status: Number(status) }, name);
  }
  const none = await startLane(t, { origin: null });
  t.same(statusLines(await none.exchange(upgrade())), ['503']);
});

await t.test('a tunnel that both sides leave silent is closed after the read time-out', async (t) => {
  const origin = await headOrigin(t, (_head, socket) => {
    socket.write(accepted);
    socket.pipe(socket);
  });
  const lane = await startLane(t, {
    origin: origin.port,
    route: { timeouts: { connectMs: 1000, sendMs: 1000, readMs: 150 } },
  });
  const client = lane.connect();
  client.write(upgrade());
  await client.until('\r\n\r\n');
  const startedAt = performance.now();
  for (let count = 0; count < 5; count++) {
    await new Promise((resolve) => setTimeout(resolve, 60));
    client.write(`<${count}>`);
    await client.until(`<${count}>`);
  }
  t.ok(performance.now() - startedAt > 150, 'talking kept it open');
  await client.closed;
  t.match(await lane.event(), { detail: 'no byte in either direction for 150 ms' });
});

await t.test('a side that does not read holds the other back', async (t) => {
  let written = 0;
  const block = Buffer.alloc(64 * 1024);
  const origin = await headOrigin(t, (_head, socket) => {
    socket.write(accepted);
    const more = (): void => {
      do written += block.length;
      while (!socket.destroyed && socket.write(block));
    };
    socket.on('drain', more);
    more();
  });
  const lane = await startLane(t, {
    origin: origin.port,
    route: { timeouts: { connectMs: 1000, sendMs: 1000, readMs: 300 } },
  });
  const client = lane.connect();
  client.socket.pause();
  client.write(upgrade());
  await lane.event();
  t.ok(written < 64 * 1024 * 1024, `${written} bytes taken from the upstream`);
});

await t.test('an upgrade behind a request that is still served is no tunnel', async (t) => {
  const origin = await startOrigin(t, (request, response) => response.end(`<${request.url}>`));
  const lane = await startLane(t, { origin: origin.port });
  const text = await lane.exchange(`GET /1 HTTP/1.1\r\nHost: a.test\r\n\r\n${upgrade()}`);
  t.same(statusLines(text), ['200', '200']);
  t.match(text, /<\/1>[\s\S]*Connection: close[\s\S]*<\/chat\?a=1>/);
});

await t.test('a refused upgrade is answered like any request', async (t) => {
  const origin = await startOrigin(t, (_request, response) => response.end());
  const lane = await startLane(t, { origin: origin.port, route: { upgrade: [] } });
  t.same(
    statusLines(await lane.exchange(upgrade())),
    ['200'],
    'not allowed on the route: an ordinary request',
  );
  const twoHosts = await lane.exchange(upgrade('Host: b.test\r\n'));
  t.same(statusLines(twoHosts), ['400']);
  t.match(lane.events[1], { reason: 'bad_host', upgrade: false });
});

await t.test('h2c is never tunnelled, even where a route names it', async (t) => {
  const origin = await startOrigin(t, (request, response) => response.end(String(request.headers.upgrade)));
  const lane = await startLane(t, { origin: origin.port, route: { upgrade: ['h2c', 'websocket'] } });
  const text = await lane.exchange(upgrade().replace('WebSocket', 'h2c'));
  t.same(statusLines(text), ['200']);
  t.match(text, /undefined$/);
});

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

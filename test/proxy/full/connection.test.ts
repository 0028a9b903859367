import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect as tlsConnect, createServer as createTlsServer, type TLSSocket } from 'node:tls';
import t from 'tap';
import { respond } from '../../../src/snapshot/respond.ts';
import { createAuthority } from '../../support/pki.ts';
import { LaneUnderTest, startLane, startOrigin, startRawOrigin, statusLines } from './harness.ts';

const host = 'Host: a.test\r\n';
const get = (path: string): string => `GET ${path} HTTP/1.1\r\n${host}\r\n`;

await t.test('a connection serves request after request, up to the limit, and then closes', async (t) => {
  const origin = await startOrigin(t, (request, response) => response.end(`<${request.url}>`));
  const lane = await startLane(t, { origin: origin.port, limits: { keepAliveRequests: 3 } });
  const client = lane.connect();
  for (const path of ['/1', '/2', '/3']) {
    client.write(get(path));
    await client.until(`<${path}>`);
  }
  t.equal(await client.closed, 'end');
  t.equal(client.text.match(/Connection: close/g)?.length, 1);
  t.match(client.text, /Connection: close\r\n[^<]*<\/3>$/, 'the last one says so');
});

await t.test('an idle connection is closed after the keep-alive time', async (t) => {
  const origin = await startOrigin(t, (_request, response) => response.end('ok'));
  const lane = await startLane(t, { origin: origin.port, limits: { keepAliveTimeoutMs: 50 } });
  const client = lane.connect();
  client.write(get('/'));
  t.equal(await client.closed, 'end');
  t.same(statusLines(client.text), ['200']);
  t.equal(lane.events.length, 1);
});

await t.test('pipelined requests are served in order, one at a time', async (t) => {
  let underway = 0;
  let most = 0;
  const origin = await startOrigin(t, (request, response) => {
    most = Math.max(most, ++underway);
    // The first takes longest.
    setTimeout(
      () => {
        underway--;
        request.pipe(response);
        response.write(`<${request.url}>`);
      },
      30 - Number(request.url?.slice(1)),
    );
  });
  const lane = await startLane(t, { origin: origin.port });
  const paths = Array.from({ length: 20 }, (_, index) => `/${index}`);
  const client = lane.connect();
  client.write(paths.map((path) => `POST ${path} HTTP/1.1\r\n${host}Content-Length: 1\r\n\r\nx`).join(''));
  await client.until('</19>');
  t.same(
    [...client.text.matchAll(/<(.*?)>/g)].map(([, path]) => path),
    paths,
  );
  t.equal(most, 1);
  client.write(get('/20'));
  await client.until('</20>');
});

await t.test('the full lane ends a connection with a flood of pipelined requests', async (t) => {
  let requests = 0;
  const origin = await startRawOrigin(t, (socket) => socket.on('data', () => requests++));
  const lane = await startLane(t, { origin: origin.port, expressLane: false });
  const client = lane.connect();
  client.write(get('/').repeat(5000));
  await client.closed;
  t.ok(requests <= 1, `${requests} reached the upstream`);
  t.equal(client.text, '');
  t.match(await lane.event(), { reason: 'client_abort' });
});

await t.test('a flood of pipelined requests reaches the upstream one at a time', async (t) => {
  let under = 0;
  let most = 0;
  const origin = await startOrigin(t, (_request, response) => {
    most = Math.max(most, ++under);
    setImmediate(() => {
      under--;
      response.end('ok');
    });
  });
  const lane = await startLane(t, { origin: origin.port, expressLane: true });
  const client = lane.connect();
  client.write(get('/').repeat(500));
  await lane.event(499);
  t.equal(most, 1);
});

await t.test('requests that keep coming behind a slow one are not read', async (t) => {
  const arrived = Promise.withResolvers<void>();
  const origin = await startOrigin(t, () => arrived.resolve());
  const lane = await startLane(t, { origin: origin.port });
  const client = lane.connect();
  client.write(get('/slow'));
  await arrived.promise;
  // One at a time, so that each could be read alone; in the end the socket has to push back.
  const request = Buffer.from(`GET / HTTP/1.1\r\n${host}X: ${'x'.repeat(30_000)}\r\n\r\n`);
  let sent = 0;
  while (client.socket.write(request) || client.socket.writableLength < 16 * 1024 * 1024) {
    sent += request.length;
    if (sent > 64 * 1024 * 1024) break;
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.ok(client.socket.writableLength > 8 * 1024 * 1024, 'the client is held back');
});

await t.test('what cannot be read behind a good request is answered after it', async (t) => {
  const origin = await startOrigin(t, (_request, response) => response.end('<ok>'));
  const lane = await startLane(t, { origin: origin.port });
  const text = await lane.exchange(`${get('/')}NONSENSE\r\n\r\n${get('/smuggled')}`);
  t.same(statusLines(text), ['200', '400']);
  t.match(text, /<ok>HTTP\/1\.1 400 /);
  t.match(lane.events, [
    { status: 200, reason: 'ok' },
    { status: 400, reason: 'bad_request' },
  ]);
  t.equal(lane.events.length, 2);
});

await t.test('a broken body in a request that waits its turn is answered in its turn', async (t) => {
  const seen: string[] = [];
  const origin = await startOrigin(t, (request, response) => {
    seen.push(request.url ?? '');
    response.end('<ok>');
  });
  const lane = await startLane(t, { origin: origin.port });
  const text = await lane.exchange(
    `${get('/1')}POST /2 HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\nZZ\r\n${get('/3')}`,
  );
  t.same(statusLines(text), ['200', '400']);
  t.same(seen, ['/1']);
  t.match(lane.events[1], { target: '/2', reason: 'bad_framing', status: 400 });
});

await t.test('nothing behind a request that closes is served', async (t) => {
  const seen: string[] = [];
  const origin = await startOrigin(t, (request, response) => {
    seen.push(request.url ?? '');
    response.end('<ok>');
  });
  const lane = await startLane(t, { origin: origin.port });
  const text = await lane.exchange(`GET /1 HTTP/1.1\r\n${host}Connection: close\r\n\r\n${get('/2')}`);
  t.same(statusLines(text), ['200']);
  t.same(seen, ['/1']);
});

await t.test('a head that takes too long is told 408', async (t) => {
  const lane = await startLane(t, { origin: null, limits: { headTimeoutMs: 50 } });
  const text = await lane.exchange(`GET / HTTP/1.1\r\n${host}`);
  t.match(text, /^HTTP\/1\.1 408 [\s\S]*\r\nConnection: close\r\n/);
  t.match(await lane.event(), { reason: 'head_timeout', status: 408 });
});

await t.test('a second head that takes too long is told 408', async (t) => {
  const lane = await startLane(t, {
    origin: null,
    limits: { headTimeoutMs: 50 },
    decide: () => respond('no_route', null, null),
  });
  const text = await lane.exchange(`${get('/')}GET / HTTP/1.1\r\n`);
  t.same(statusLines(text), ['404', '408']);
});

await t.test(
  'a connection that never says anything is closed without a word, and is no request',
  async (t) => {
    const lane = await startLane(t, { origin: null, limits: { headTimeoutMs: 50 } });
    const client = lane.connect();
    t.equal(await client.closed, 'end');
    t.equal(client.text, '');
    t.equal(lane.events.length, 0);
  },
);

await t.test("an upgrade nobody tunnels is an ordinary request, and the connection's last", async (t) => {
  const seen: string[] = [];
  const origin = await startOrigin(t, (request, response) => {
    seen.push(`${request.url} ${request.headers.upgrade} ${String(request.headers['http2-settings'])}`);
    request.pipe(response);
  });
  const cases: [string, string][] = [
    ['GET', 'Upgrade: h2c\r\nHTTP2-Settings: AAAA\r\n'],
    ['GET', 'Upgrade: foo\r\n'],
    ['POST', 'Upgrade: websocket\r\nContent-Length: 2\r\n'],
    ['GET', 'Upgrade: websocket\r\nContent-Length: 2\r\n'],
    ['POST', 'Upgrade: h2c\r\nTransfer-Encoding: chunked\r\n'],
  ];
  for (const [method, headers] of cases) {
    const lane = await startLane(t, { origin: origin.port });
    const body = headers.includes('Length') ? 'xx' : headers.includes('chunked') ? '0\r\n\r\n' : '';
    const text = await lane.exchange(
      `${method} /1 HTTP/1.1\r\n${host}Connection: Upgrade, HTTP2-Settings\r\n${headers}\r\n${body}${get('/2')}`,
    );
    // Node's parser drops what came behind it; read from the middle, the next bytes would be a new request.
    t.same(statusLines(text), ['200'], headers);
    t.match(text, /\r\nConnection: close\r\n/);
    t.match(lane.events, [{ upgrade: false, target: '/1' }]);
  }
  t.same(
    seen,
    cases.map(() => '/1 undefined undefined'),
  );
});

await t.test('bytes that another reader put back are served first', async (t) => {
  const arrived = Promise.withResolvers<void>();
  const origin = await startOrigin(t, (request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      arrived.resolve();
      body += chunk.toString();
    });
    request.on('end', () => response.end(`<${request.url} ${body}>`));
  });
  const lane = await startLane(t, {
    origin: origin.port,
    hand: (socket, lane) => {
      socket.once('data', (chunk: Buffer) => {
        socket.pause();
        // What the express lane does: it has read as far as it understood, and gives back the rest.
        socket.unshift(chunk);
        lane.accept(socket);
      });
    },
  });
  const client = lane.connect();
  client.write(`POST /1 HTTP/1.1\r\n${host}Content-Length: 10\r\n\r\nhello`);
  await arrived.promise;
  client.write(`world${get('/2')}`);
  await client.until('</2 >');
  t.match(client.text, '</1 helloworld>');
});

await t.test('the next request sees the limits of a reloaded snapshot', async (t) => {
  const lane = await startLane(t, { origin: null, decide: () => respond('no_route', null, null) });
  const client = lane.connect();
  client.write(get('/'));
  await client.until('</html>');
  lane.snapshot = {
    ...lane.snapshot,
    limits: { ...lane.snapshot.limits, headerCount: 1, keepAliveRequests: 3 },
  };
  client.write(get('/'));
  await client.until(/<\/html>[\s\S]*<\/html>/);
  client.write(`GET / HTTP/1.1\r\n${host}X: y\r\n\r\n`);
  await client.closed;
  t.same(statusLines(client.text), ['404', '404', '431']);
});

await t.test(
  'draining: what is under way ends well, what is idle closes, and no request is lost',
  async (t) => {
    const arrived = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    const origin = await startOrigin(t, (request, response) => {
      if (request.url !== '/slow') {
        response.end('<ok>');
        return;
      }
      arrived.resolve();
      void go.promise.then(() => response.end('<slow>'));
    });
    const lane = await startLane(t, { origin: origin.port });
    const busy = lane.connect();
    busy.write(get('/slow'));
    const idle = lane.connect();
    const late = lane.connect();
    for (const client of [idle, late]) {
      client.write(get('/'));
      await client.until('<ok>');
    }
    const silent = lane.connect();
    await once(silent.socket, 'connect');
    await arrived.promise;
    lane.lane.drain();
    // Already on its way when the drain began, as far as the client knows.
    late.write(get('/'));
    t.equal(await late.closed, 'end');
    t.same(statusLines(late.text), ['200', '200']);
    t.match(late.text, /Connection: close[\s\S]*<ok>$/);
    t.equal(await idle.closed, 'end');
    t.equal(await silent.closed, 'end');
    go.resolve();
    t.equal(await busy.closed, 'end');
    t.match(busy.text, /Connection: close[\s\S]*<slow>$/);
    const after = lane.connect();
    after.write(get('/'));
    await after.closed;
    t.match(after.text, /Connection: close[\s\S]*<ok>$/, 'a connection accepted late is served once');
    t.equal(lane.events.length, 5);
  },
);

await t.test('closing breaks what is open and reports it', async (t) => {
  const arrived = Promise.withResolvers<void>();
  const origin = await startOrigin(t, () => arrived.resolve());
  const lane = new LaneUnderTest({ origin: origin.port });
  await lane.start();
  const client = lane.connect();
  client.write(get('/'));
  await arrived.promise;
  t.equal(lane.lane.openConnections, 1);
  await lane.stop();
  t.equal(lane.lane.openConnections, 0);
  t.match(lane.events, [{ reason: 'client_abort', status: 0 }]);
  await client.closed;
});

await t.test('an observer that throws does not end the process', async (t) => {
  const lane = await startLane(t, { origin: null, decide: () => respond('no_route', null, null) });
  lane.onEvent = () => {
    throw new Error('the observer failed');
  };
  const warned = once(process, 'warning');
  const client = lane.connect();
  client.write(get('/'));
  await client.until('</html>');
  const [warning] = (await warned) as [Error];
  t.equal(warning.message, 'the observer failed');
});

/** A TLS port in front of the lane, and a client on it. */
async function overTls(t: Parameters<typeof startLane>[0], lane: LaneUnderTest): Promise<TLSSocket> {
  const authority = await createAuthority({ cn: 'root' });
  const server = await authority.issue({ cn: 'a.test', hosts: ['a.test'], usage: 'server' });
  const listener = createTlsServer({ cert: server.cert, key: server.key }, (socket) => {
    socket.once('data', (chunk: Buffer) => {
      socket.pause();
      socket.unshift(chunk);
      lane.lane.accept(socket);
    });
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const client = tlsConnect({
    port: (listener.address() as AddressInfo).port,
    host: '127.0.0.1',
    servername: 'a.test',
    ca: authority.cert,
  });
  t.teardown(() => {
    client.destroy();
    listener.close();
  });
  return client;
}

await t.test(
  'over TLS: keep-alive, bytes put back, and an answer that arrives before the close',
  async (t) => {
    const origin = await startOrigin(t, (request, response) => response.end(`<${request.url}>`));
    const lane = await startLane(t, { origin: origin.port, route: { bodyLimit: 10 } });
    const client = await overTls(t, lane);
    let text = '';
    client.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
    });
    client.write(get('/1') + get('/2'));
    while (!text.includes('</2>')) await once(client, 'data');
    client.write(`POST / HTTP/1.1\r\n${host}Content-Length: 1000000\r\n\r\n`);
    client.write(Buffer.alloc(1_000_000));
    await once(client, 'end');
    t.same(statusLines(text), ['200', '200', '413']);
    t.ok(text.endsWith('</html>\r\n'));
  },
);

await t.test(
  'over TLS: a body cut short is a reset, even where the end of the connection ends it',
  async (t) => {
    let hangUp = (): void => {};
    const origin = await startRawOrigin(t, (socket) => {
      hangUp = () => socket.end();
      socket.once('data', () =>
        socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n'),
      );
    });
    const lane = await startLane(t, { origin: origin.port });
    const client = await overTls(t, lane);
    client.write(`GET / HTTP/1.0\r\n${host}\r\n`);
    let text = '';
    while (!text.includes('half')) text += String(await once(client, 'data'));
    const ended = Promise.race([
      once(client, 'end').then(() => 'end'),
      once(client, 'close').then(() => 'close'),
    ]);
    hangUp();
    await t.rejects(ended, { code: 'ECONNRESET' });
    t.match(await lane.event(), { reason: 'upstream_truncated' });
  },
);

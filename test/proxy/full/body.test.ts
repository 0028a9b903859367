import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import t from 'tap';
import { respond } from '../../../src/snapshot/respond.ts';
import { startLane, startOrigin, startRawOrigin, statusLines } from './harness.ts';

const host = 'Host: a.test\r\n';
const chunked = `POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n`;

await t.test('a Content-Length over the limit is refused before anything is sent on', async (t) => {
  let requests = 0;
  const origin = await startOrigin(t, (request, response) => {
    requests++;
    request.pipe(response);
  });
  const lane = await startLane(t, { origin: origin.port, route: { bodyLimit: 10 } });
  const text = await lane.exchange(`POST / HTTP/1.1\r\n${host}Content-Length: 1000000\r\n\r\nbegin`);
  t.match(text, /^HTTP\/1\.1 413 [\s\S]*\r\nConnection: close\r\n/);
  t.match(await lane.event(), { reason: 'body_too_large', status: 413, decision: { action: 'forward' } });
  t.equal(requests, 0);
  const exact = await lane.exchange(
    `POST / HTTP/1.1\r\n${host}Connection: close\r\nContent-Length: 10\r\n\r\n0123456789`,
  );
  t.match(exact, /^HTTP\/1\.1 200 /);
});

await t.test(
  "a chunked body is refused when it passes the limit, and the upstream's request ends",
  async (t) => {
    const arrived = Promise.withResolvers<void>();
    const aborted = Promise.withResolvers<void>();
    const origin = await startOrigin(t, (request) => {
      request.once('data', () => arrived.resolve());
      request.on('error', () => aborted.resolve());
    });
    const lane = await startLane(t, { origin: origin.port, route: { bodyLimit: 10 } });
    const client = lane.connect();
    client.write(`${chunked}8\r\n01234567\r\n`);
    await arrived.promise;
    client.write('8\r\n01234567\r\n');
    await client.closed;
    t.same(statusLines(client.text), ['413']);
    await aborted.promise;
    t.match(await lane.event(), { reason: 'body_too_large', status: 413 });
  },
);

await t.test('a client that sends on through its 413 still gets to read it', async (t) => {
  const lane = await startLane(t, { origin: 1, route: { bodyLimit: 10 } });
  const client = lane.connect();
  const total = 8 * 1024 * 1024;
  client.write(`POST / HTTP/1.1\r\n${host}Content-Length: ${total}\r\n\r\n`);
  // As many clients do: nothing is read before everything is sent.
  client.socket.pause();
  const block = Buffer.alloc(256 * 1024, 'x');
  for (let sent = 0; sent < total; sent += block.length) {
    if (!client.socket.write(block)) await once(client.socket, 'drain');
  }
  client.socket.resume();
  t.equal(await client.closed, 'end', 'no reset');
  t.same(statusLines(client.text), ['413']);
});

await t.test('a client that stops in the middle of its body is told 408', async (t) => {
  const aborted = Promise.withResolvers<void>();
  const origin = await startOrigin(t, (request) => {
    request.on('error', () => aborted.resolve());
    request.resume();
  });
  const lane = await startLane(t, { origin: origin.port, limits: { bodyTimeoutMs: 50 } });
  const text = await lane.exchange(`POST / HTTP/1.1\r\n${host}Content-Length: 10\r\n\r\nhalf`);
  t.match(text, /^HTTP\/1\.1 408 [\s\S]*\r\nConnection: close\r\n/);
  t.match(await lane.event(), { reason: 'body_timeout', status: 408, bytesReceived: 4 });
  await aborted.promise;
});

await t.test("a body that the upstream is slow to take is not the client's delay", async (t) => {
  const arrived = Promise.withResolvers<IncomingMessage>();
  const origin = await startOrigin(t, (request, response) => {
    arrived.resolve(request);
    request.on('end', () => response.end('thanks'));
  });
  const lane = await startLane(t, { origin: origin.port, limits: { bodyTimeoutMs: 50 } });
  const client = lane.connect();
  const body = Buffer.alloc(16 * 1024 * 1024, 'x');
  client.write(`POST / HTTP/1.1\r\n${host}Content-Length: ${body.length}\r\n\r\n`);
  client.write(body);
  const request = await arrived.promise;
  // Longer than the body's time-out, with the client ready to send all the while.
  await new Promise((resolve) => setTimeout(resolve, 200));
  request.resume();
  t.same(statusLines(await client.until('thanks')), ['200']);
});

await t.test('Expect: 100-continue: asked for when the upstream takes the body', async (t) => {
  const origin = await startOrigin(t, (request, response) => {
    response.setHeader('X-Expect', String(request.headers.expect));
    request.pipe(response);
  });
  const lane = await startLane(t, { origin: origin.port });
  const client = lane.connect();
  client.write(`POST / HTTP/1.1\r\n${host}Expect: 100-Continue\r\nContent-Length: 5\r\n\r\n`);
  t.equal(await client.until('\r\n\r\n'), 'HTTP/1.1 100 Continue\r\n\r\n');
  client.write('hello');
  const text = await client.until('hello');
  t.same(statusLines(text), ['100', '200']);
  t.match(text, 'X-Expect: undefined');
  t.notMatch(text, /Connection: close/);
});

await t.test('Expect: 100-continue: a refusal comes instead of it, and closes', async (t) => {
  const lane = await startLane(t, { origin: null, decide: () => respond('policy_cn', null, null) });
  const text = await lane.exchange(
    `POST / HTTP/1.1\r\n${host}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n`,
  );
  t.same(statusLines(text), ['403']);
  t.match(text, /\r\nConnection: close\r\n/);
});

await t.test('Expect: 100-continue: nothing is asked for while no upstream takes the request', async (t) => {
  const lane = await startLane(t, { origin: null });
  const text = await lane.exchange(
    `POST / HTTP/1.1\r\n${host}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n`,
  );
  t.same(statusLines(text), ['503']);
  t.match(text, /\r\nConnection: close\r\n/);
});

await t.test('Expect on a request without a body, and from HTTP/1.0, changes nothing', async (t) => {
  const origin = await startOrigin(t, (_request, response) => response.end('ok'));
  const lane = await startLane(t, { origin: origin.port });
  t.same(statusLines(await lane.exchange(`GET / HTTP/1.1\r\n${host}Expect: 100-continue\r\n\r\n`)), ['200']);
  t.same(statusLines(await lane.exchange(`GET / HTTP/1.0\r\n${host}Expect: 100-continue\r\n\r\n`)), ['200']);
});

await t.test('a refused request with a small body leaves the connection good for the next', async (t) => {
  const lane = await startLane(t, { origin: null, decide: () => respond('no_route', null, null) });
  const client = lane.connect();
  client.write(`POST /1 HTTP/1.1\r\n${host}Content-Length: 5\r\n\r\nhelloGET /2 HTTP/1.1\r\n${host}\r\n`);
  await lane.event(1);
  t.same(
    lane.events.map((event) => event.target),
    ['/1', '/2'],
  );
  t.same(statusLines(await client.until(/<\/html>[\s\S]*<\/html>/)), ['404', '404']);
});

await t.test('a refused request with a body of unknown or large size ends the connection', async (t) => {
  const lane = await startLane(t, { origin: null, decide: () => respond('no_route', null, null) });
  const smuggled = `GET /smuggled HTTP/1.1\r\n${host}\r\n`;
  for (const head of [chunked, `POST / HTTP/1.1\r\n${host}Content-Length: 100000\r\n\r\n`]) {
    const text = await lane.exchange(head + smuggled);
    t.same(statusLines(text), ['404']);
    t.match(text, /\r\nConnection: close\r\n/);
  }
  t.equal(lane.events.length, 2);
});

await t.test('a response before the end of the request is passed on and ends the connection', async (t) => {
  const origin = await startOrigin(t, (_request, response) => {
    response.statusCode = 403;
    response.end('no need');
  });
  const lane = await startLane(t, { origin: origin.port });
  const client = lane.connect();
  client.write(`POST / HTTP/1.1\r\n${host}Content-Length: 100000\r\n\r\nbegin`);
  t.equal(await client.closed, 'end');
  t.same(statusLines(client.text), ['403']);
  t.match(client.text, /\r\nConnection: close\r\n[\s\S]*no need$/);
  t.match(await lane.event(), { status: 403, reason: 'ok' });
});

await t.test("a client that leaves during its upload cancels the upstream's request", async (t) => {
  const arrived = Promise.withResolvers<void>();
  const aborted = Promise.withResolvers<void>();
  const origin = await startOrigin(t, (request) => {
    request.once('data', () => arrived.resolve());
    request.on('error', () => aborted.resolve());
  });
  for (const leave of ['end', 'resetAndDestroy'] as const) {
    const lane = await startLane(t, { origin: origin.port });
    const client = lane.connect();
    client.write(`POST / HTTP/1.1\r\n${host}Content-Length: 10\r\n\r\nhalf`);
    await arrived.promise;
    client.socket[leave]();
    await aborted.promise;
    t.match(await lane.event(), { reason: 'client_abort', status: 0 }, leave);
  }
});

await t.test("a client that leaves while it waits cancels the upstream's request", async (t) => {
  for (const leave of ['end', 'destroy'] as const) {
    const arrived = Promise.withResolvers<void>();
    const closed = Promise.withResolvers<void>();
    const origin = await startOrigin(t, (_request, response) => {
      response.on('close', () => closed.resolve());
      arrived.resolve();
    });
    const lane = await startLane(t, { origin: origin.port });
    const client = lane.connect();
    client.write(`GET / HTTP/1.1\r\n${host}\r\n`);
    await arrived.promise;
    client.socket[leave]();
    await closed.promise;
    t.match(await lane.event(), { reason: 'client_abort', status: 0 }, leave);
  }
});

await t.test('a client that leaves during the response cancels the rest of it', async (t) => {
  const closed = Promise.withResolvers<void>();
  const origin = await startOrigin(t, (_request, response) => {
    response.write('begun');
    response.on('close', () => closed.resolve());
  });
  const lane = await startLane(t, { origin: origin.port });
  const client = lane.connect();
  client.write(`GET / HTTP/1.1\r\n${host}\r\n`);
  await client.until('begun');
  client.socket.destroy();
  await closed.promise;
  t.match(await lane.event(), { reason: 'client_abort', status: 200, bytesSent: 5 });
});

await t.test('a client that reads nothing holds the upstream back, and is given up in the end', async (t) => {
  let written = 0;
  const block = Buffer.alloc(64 * 1024, 'x');
  const origin = await startRawOrigin(t, (socket) => {
    socket.once('data', () => {
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
      const more = (): void => {
        while (!socket.destroyed) {
          written += block.length;
          socket.write('10000\r\n');
          socket.write(block);
          if (!socket.write('\r\n')) break;
        }
      };
      socket.on('drain', more);
      more();
    });
  });
  const lane = await startLane(t, { origin: origin.port, limits: { bodyTimeoutMs: 300 } });
  const client = lane.connect();
  client.socket.pause();
  client.write(`GET / HTTP/1.1\r\n${host}\r\n`);
  const event = await lane.event();
  t.match(event, { reason: 'client_abort', detail: 'the client stopped reading', status: 200 });
  // What the kernel's buffers hold on both connections, and no more.
  t.ok(written < 64 * 1024 * 1024, `${written} bytes taken from the upstream`);
});

await t.test('a slow reader costs no memory', async (t) => {
  const total = 256 * 1024 * 1024;
  const block = Buffer.alloc(1024 * 1024, 'x');
  const origin = await startOrigin(t, (_request, response) => {
    response.setHeader('Content-Length', total);
    let left = total;
    const more = (): void => {
      while (left > 0) {
        left -= block.length;
        if (!response.write(block)) {
          response.once('drain', more);
          return;
        }
      }
      response.end();
    };
    more();
  });
  const lane = await startLane(t, { origin: origin.port });
  const client = lane.connect();
  client.socket.removeAllListeners('data');
  let received = 0;
  let highest = 0;
  const before = process.memoryUsage().rss;
  client.socket.on('data', (chunk: Buffer) => {
    received += chunk.length;
    // Slower than the origin: a breath after each chunk.
    client.socket.pause();
    setImmediate(() => client.socket.resume());
    highest = Math.max(highest, process.memoryUsage().rss);
    if (received >= total) client.socket.end();
  });
  client.write(`GET / HTTP/1.1\r\n${host}\r\n`);
  t.match(await lane.event(), { reason: 'ok', bytesSent: total });
  t.ok(highest - before < 100 * 1024 * 1024, `grew by ${Math.round((highest - before) / 1024 / 1024)} MiB`);
});

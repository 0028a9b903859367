import { createHash, randomBytes } from 'node:crypto';
import { METHODS } from 'node:http';
import t from 'tap';
import { startLane, startOrigin, startRawOrigin, statusLines } from './harness.ts';

const get = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n';

await t.test('a request arrives with its path, host and headers, and its response comes back', async (t) => {
  const origin = await startOrigin(t, (request, response) => {
    response.setHeader('X-Seen', `${request.method} ${request.url} ${request.headers.host}`);
    response.setHeader('X-Forwarded-For-Seen', String(request.headers['x-forwarded-for']));
    response.end('hello');
  });
  const lane = await startLane(t, { origin: origin.port });
  const client = lane.connect();
  client.write('GET /caf%E9//x?a=%zz&b HTTP/1.1\r\nHost: A.test:8443\r\nUser-Agent: tester\r\n\r\n');
  const text = await client.until('hello');
  t.match(text, 'X-Seen: GET /caf%E9//x?a=%zz&b A.test:8443');
  t.match(text, 'X-Forwarded-For-Seen: 192.0.2.7');
  t.match(text, 'Content-Length: 5');
  t.notMatch(text, /Connection:|Keep-Alive:/);
  const event = await lane.event();
  t.match(event, {
    method: 'GET',
    authority: 'A.test:8443',
    target: '/caf%E9//x?a=%zz&b',
    userAgent: 'tester',
    status: 200,
    reason: 'ok',
    bytesSent: 5,
    bytesReceived: 0,
    upgrade: false,
    upstream: { endpoint: `127.0.0.1:${origin.port}`, status: 200, tries: 1 },
  });
  t.match(event.id, /^[0-9a-f]{32}$/);
  t.equal(event.decision.action, 'forward');
  t.ok(event.durationMs > 0);
});

await t.test('every method but CONNECT and TRACE is forwarded', async (t) => {
  const origin = await startOrigin(t, (request, response) => response.end(request.method));
  const lane = await startLane(t, { origin: origin.port });
  for (const method of METHODS.filter((method) => !['CONNECT', 'TRACE', 'HEAD'].includes(method))) {
    const text = await lane.exchange(`${method} / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n`);
    t.match(text, /^HTTP\/1\.1 200 /, method);
    t.ok(text.endsWith(method), method);
  }
});

await t.test(
  "8-bit bytes in an upstream's header go through as they are, also in a head sent alone",
  async (t) => {
    const origin = await startRawOrigin(t, (socket) =>
      socket.once('data', () =>
        socket.end(Buffer.from('HTTP/1.1 200 OK\r\nX-Latin: \xe4\r\n\r\n', 'latin1')),
      ),
    );
    const lane = await startLane(t, { origin: origin.port });
    t.match(
      await lane.exchange('GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n'),
      'X-Latin: \xe4\r\n',
    );
  },
);

await t.test('bodies go through in both directions, with a length and chunked', async (t) => {
  const origin = await startOrigin(t, (request, response) => {
    const { 'content-length': length, 'transfer-encoding': coding } = request.headers;
    response.setHeader('X-Framing', `${length ?? ''} ${coding ?? ''}`.trim());
    if (request.url === '/length' && length !== undefined) response.setHeader('Content-Length', length);
    request.pipe(response);
  });
  const lane = await startLane(t, { origin: origin.port });
  const head = 'HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n';
  const withLength = await lane.exchange(`POST /length ${head}Content-Length: 5\r\n\r\nhello`);
  t.match(withLength, 'X-Framing: 5\r\n');
  t.match(withLength, /\r\nContent-Length: 5\r\n\r\nhello$/);
  const chunked = await lane.exchange(
    `POST / ${head}Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nX-Trailer: t\r\n\r\n`,
  );
  t.match(chunked, 'X-Framing: chunked\r\n');
  t.match(chunked, /\r\nTransfer-Encoding: chunked\r\n\r\n/);
  t.notMatch(chunked, /trailer/i);
  t.equal(chunked.replace(/^[\s\S]*?\r\n\r\n/, '').replace(/[0-9a-f]+\r\n|\r\n/g, ''), 'hello');
  const empty = await lane.exchange(`POST / ${head}Content-Length: 0\r\n\r\n`);
  t.match(empty, 'X-Framing: 0\r\n');
  await lane.event(2);
  t.same(
    lane.events.map((event) => event.bytesReceived),
    [5, 5, 0],
  );
});

await t.test('odd content types reach the upstream as they are', async (t) => {
  const origin = await startOrigin(t, (request, response) => {
    response.setHeader('X-Type', String(request.headers['content-type']));
    request.pipe(response);
  });
  const lane = await startLane(t, { origin: origin.port });
  for (const type of ['nonsense', 'application/json', ';;;', 'multipart/form-data', 'text/']) {
    const text = await lane.exchange(
      `POST / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\nContent-Type: ${type}\r\nContent-Length: 3\r\n\r\n{"a`,
    );
    t.match(text, `X-Type: ${type}\r\n`, type);
    t.match(text, /^HTTP\/1\.1 200 /);
  }
});

await t.test('responses to HEAD, 204 and 304 end with their head and keep their length', async (t) => {
  const cases: [string, string, RegExp][] = [
    ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n', /\r\nContent-Length: 7\r\n/],
    ['HEAD', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', /^(?![\s\S]*Transfer-Encoding)/],
    ['GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n', /\r\nContent-Length: 7\r\n/],
    ['GET', 'HTTP/1.1 204 No Content\r\n\r\n', /^(?![\s\S]*Content-Length)/],
  ];
  for (const [method, answer, expected] of cases) {
    const origin = await startRawOrigin(t, (socket) => socket.on('data', () => socket.write(answer)));
    const lane = await startLane(t, { origin: origin.port });
    const client = lane.connect();
    client.write(`${method} / HTTP/1.1\r\nHost: a.test\r\n\r\n`);
    const first = await client.until('\r\n\r\n');
    t.match(first, expected, `${method} ${answer.slice(9, 12)}`);
    t.ok(first.endsWith('\r\n\r\n'), 'no byte of a body');
    client.write(`${method} / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n`);
    await client.closed;
    t.equal(statusLines(client.text).length, 2, 'the connection is good for another request');
  }
});

await t.test('1xx responses are passed on, but not to HTTP/1.0 clients, and never 100', async (t) => {
  const origin = await startRawOrigin(t, (socket) =>
    socket.on('data', () =>
      socket.write(
        'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nConnection: x\r\n\r\n' +
          'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
      ),
    ),
  );
  const lane = await startLane(t, { origin: origin.port });
  const client = lane.connect();
  client.write(get);
  const text = await client.until('ok');
  t.same(statusLines(text), ['103', '200']);
  t.match(text, 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\n');
  const old = await lane.exchange('GET / HTTP/1.0\r\nHost: a.test\r\n\r\n');
  t.same(statusLines(old), ['200']);
});

await t.test('HTTP/1.0 clients get no chunks, even when they say TE: chunked', async (t) => {
  const origin = await startOrigin(t, (_request, response) => {
    response.write('hel');
    response.end('lo');
  });
  const lane = await startLane(t, { origin: origin.port });
  const text = await lane.exchange(
    'GET / HTTP/1.0\r\nHost: a.test\r\nTE: chunked\r\nConnection: keep-alive, TE\r\n\r\n',
  );
  t.notMatch(text, /transfer-encoding/i);
  t.match(text, /\r\nConnection: close\r\n/);
  t.ok(text.endsWith('\r\n\r\nhello'));
});

await t.test('HTTP/1.0 with keep-alive and a length keeps the connection', async (t) => {
  const origin = await startOrigin(t, (_request, response) => {
    response.setHeader('Content-Length', 2);
    response.end('ok');
  });
  const lane = await startLane(t, { origin: origin.port });
  const client = lane.connect();
  client.write('GET / HTTP/1.0\r\nHost: a.test\r\nConnection: keep-alive\r\n\r\n');
  t.match(await client.until('ok'), /\r\nConnection: keep-alive\r\n/);
  client.write('GET / HTTP/1.0\r\nHost: a.test\r\n\r\n');
  await client.closed;
  t.equal(statusLines(client.text).length, 2);
});

await t.test(
  "header bytes of a response are the upstream's, Content-Disposition in UTF-8 among them",
  async (t) => {
    const answer = Buffer.concat([
      Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Disposition: attachment; filename="'),
      Buffer.from('pāṭan ü 中.txt'),
      Buffer.from('"\r\nX-Latin: \xe9\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\nok', 'latin1'),
    ]);
    const origin = await startRawOrigin(t, (socket) => socket.on('data', () => socket.write(answer)));
    const lane = await startLane(t, { origin: origin.port });
    const client = lane.connect();
    client.write(get);
    await client.until('ok');
    t.ok(client.bytes.includes(Buffer.from('filename="pāṭan ü 中.txt"')));
    t.ok(client.bytes.includes(Buffer.from('X-Latin: \xe9\r\n', 'latin1')));
    t.match(client.text, 'Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n');
  },
);

await t.test(
  'hop-by-hop headers of a response stay behind, trailers and their announcement too',
  async (t) => {
    const origin = await startRawOrigin(t, (socket) =>
      socket.on('data', () =>
        socket.write(
          'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\nKeep-Alive: timeout=9\r\n' +
            'Connection: x-private\r\nX-Private: 1\r\nX-Public: 1\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n',
        ),
      ),
    );
    const lane = await startLane(t, { origin: origin.port });
    const client = lane.connect();
    client.write(get);
    const text = await client.until('0\r\n\r\n');
    t.notMatch(text, /trailer|x-sum|keep-alive|x-private/i);
    t.match(text, 'X-Public: 1\r\n');
  },
);

await t.test('the head of a slow response is passed on before its body', async (t) => {
  const origin = await startOrigin(t, (_request, response) => response.flushHeaders());
  const lane = await startLane(t, { origin: origin.port });
  const client = lane.connect();
  client.write(get);
  t.match(await client.until('\r\n\r\n'), /^HTTP\/1\.1 200 /);
});

await t.test('large bodies come through whole in both directions at once', async (t) => {
  const origin = await startOrigin(t, (request, response) => request.pipe(response));
  const lane = await startLane(t, { origin: origin.port });
  const body = randomBytes(8 * 1024 * 1024);
  const client = lane.connect();
  client.write(`POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${body.length}\r\n\r\n`);
  client.write(body);
  await client.closed;
  const start = client.bytes.indexOf('\r\n\r\n') + 4;
  t.equal(sha256(unchunk(client.bytes.subarray(start))), sha256(body));
  // It began while the request was still being sent: what came behind it would not be read.
  t.match(client.text.slice(0, start), /\r\nConnection: close\r\n/);
});

await t.test(
  'upstream failures have their statuses and tell the client nothing of the upstream',
  async (t) => {
    const cases: [string, string | null, string, string][] = [
      ['garbage', 'NOT HTTP\r\n\r\n', '502', 'upstream_protocol'],
      ['closes', '', '502', 'upstream_reset'],
      [
        'two lengths',
        'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
        '502',
        'upstream_protocol',
      ],
      [
        'length and chunks',
        'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
        '502',
        'upstream_protocol',
      ],
      [
        'an upgrade nobody asked for',
        'HTTP/1.1 101 Go\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n',
        '502',
        'upstream_protocol',
      ],
      ['silence', null, '504', 'upstream_read_timeout'],
    ];
    for (const [name, answer, status, reason] of cases) {
      const origin = await startRawOrigin(t, (socket) =>
        socket.on('data', () => {
          if (answer === '') socket.end();
          else if (answer !== null) socket.write(answer);
        }),
      );
      const lane = await startLane(t, {
        origin: origin.port,
        route: { timeouts: { connectMs: 1000, sendMs: 1000, readMs: answer === null ? 50 : 5000 } },
      });
      const client = lane.connect();
      client.write(get);
      const text = await client.until('</html>');
      t.same(statusLines(text), [status], name);
      t.notMatch(text, /127\.0\.0\.1|upstream|ECONN/i, name);
      t.match(await lane.event(), { status: Number(status), reason }, name);
      t.notMatch(text, /Connection: close/, "the client's connection is not to blame");
    }
    const none = await startLane(t, { origin: null });
    t.match(
      await none.exchange(get.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n')),
      /^HTTP\/1\.1 503 /,
    );
    t.match(await none.event(), { reason: 'upstream_none', status: 503 });
  },
);

await t.test('an upstream body that is cut short breaks the connection', async (t) => {
  const cases: [string, string, string][] = [
    ['by length', get, 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf'],
    ['chunked', get, 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n'],
    [
      'chunked, to a client that reads until the end',
      'GET / HTTP/1.0\r\nHost: a.test\r\n\r\n',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n',
    ],
  ];
  for (const [name, request, answer] of cases) {
    let hangUp = (): void => {};
    const origin = await startRawOrigin(t, (socket) => {
      hangUp = () => socket.end();
      socket.once('data', () => socket.write(answer));
    });
    const lane = await startLane(t, { origin: origin.port });
    const client = lane.connect();
    client.write(request);
    await client.until('half');
    hangUp();
    t.equal(await client.closed, 'reset', name);
    t.notMatch(client.text, /0\r\n\r\n$/, name);
    t.match(await lane.event(), { reason: 'upstream_truncated', status: 200, bytesSent: 4 }, name);
  }
});

function unchunk(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; ;) {
    const line = bytes.indexOf('\r\n', at);
    const size = Number.parseInt(bytes.toString('latin1', at, line), 16);
    if (!(size > 0)) return Buffer.concat(parts);
    parts.push(bytes.subarray(line + 2, line + 2 + size));
    at = line + 2 + size + 2;
  }
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

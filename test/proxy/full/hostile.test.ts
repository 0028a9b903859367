import { once } from 'node:events';
import t from 'tap';
import { respond } from '../../../src/snapshot/respond.ts';
import { startLane, startOrigin, startRawOrigin, statusLines } from './harness.ts';

const host = 'Host: a.test\r\n';

/** Heads that must not reach an upstream: name, bytes, the one answer, the reason. */
const refused: [string, string, string, string][] = [
  ['no Host', 'GET / HTTP/1.1\r\n\r\n', '400', 'bad_host'],
  ['two Hosts', `GET / HTTP/1.1\r\n${host}Host: b.test\r\n\r\n`, '400', 'bad_host'],
  ['the same Host twice', `GET / HTTP/1.1\r\n${host}${host}\r\n`, '400', 'bad_host'],
  ['empty Host', 'GET / HTTP/1.1\r\nHost:\r\n\r\n', '400', 'bad_host'],
  ['HTTP/2.0', `GET / HTTP/2.0\r\n${host}\r\n`, '505', 'bad_version'],
  ['HTTP/0.9', 'GET /\r\n\r\n', '505', 'bad_version'],
  ['HTTP/1.2', `GET / HTTP/1.2\r\n${host}\r\n`, '400', 'bad_request'],
  ['the HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', '400', 'bad_request'],
  ['a contradicting absolute target', `GET http://b.test/ HTTP/1.1\r\n${host}\r\n`, '400', 'bad_host'],
  [
    'length twice',
    `POST / HTTP/1.1\r\n${host}Content-Length: 1\r\nContent-Length: 1\r\n\r\nx`,
    '400',
    'bad_framing',
  ],
  [
    'two lengths',
    `POST / HTTP/1.1\r\n${host}Content-Length: 1\r\nContent-Length: 2\r\n\r\nxy`,
    '400',
    'bad_framing',
  ],
  ['length as a list', `POST / HTTP/1.1\r\n${host}Content-Length: 1, 1\r\n\r\nx`, '400', 'bad_framing'],
  ['length with a sign', `POST / HTTP/1.1\r\n${host}Content-Length: +1\r\n\r\nx`, '400', 'bad_framing'],
  [
    'length and chunked',
    `POST / HTTP/1.1\r\n${host}Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX`,
    '400',
    'bad_framing',
  ],
  [
    'gzip, chunked',
    `POST / HTTP/1.1\r\n${host}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
    '400',
    'bad_framing',
  ],
  [
    'chunked, gzip',
    `POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n`,
    '400',
    'bad_framing',
  ],
  [
    'xchunked',
    `POST / HTTP/1.1\r\n${host}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`,
    '400',
    'bad_framing',
  ],
  [
    'chunked twice',
    `POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    '400',
    'bad_framing',
  ],
  [
    'chunked in HTTP/1.0',
    `POST / HTTP/1.0\r\n${host}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    '400',
    'bad_framing',
  ],
  ['a space before the colon', `POST / HTTP/1.1\r\n${host}Content-Length : 1\r\n\r\nx`, '400', 'bad_request'],
  ['a folded header', `GET / HTTP/1.1\r\n${host}X: a\r\n b\r\n\r\n`, '400', 'bad_request'],
  ['a bare LF', `GET / HTTP/1.1\n${host}\r\n`, '400', 'bad_request'],
  ['a bare LF in a header', `GET / HTTP/1.1\r\n${host}X: a\nY: b\r\n\r\n`, '400', 'bad_request'],
  ['a bare CR in a header', `GET / HTTP/1.1\r\n${host}X: a\rY: b\r\n\r\n`, '400', 'bad_request'],
  ['a NUL in a header', `GET / HTTP/1.1\r\n${host}X: a\0b\r\n\r\n`, '400', 'bad_request'],
  ['a NUL in the path', `GET /a\0b HTTP/1.1\r\n${host}\r\n`, '400', 'bad_request'],
  ['an empty header name', `GET / HTTP/1.1\r\n${host}: x\r\n\r\n`, '400', 'bad_request'],
  ['an unknown method', `FROB / HTTP/1.1\r\n${host}\r\n`, '400', 'bad_request'],
  ['TLS on a plain stream', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', '400', 'bad_request'],
  ['CONNECT', 'CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n', '405', 'method_refused'],
  [
    'CONNECT with bytes behind it',
    'CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\nGET / HTTP/1.1\r\n',
    '405',
    'method_refused',
  ],
  ['TRACE', `TRACE / HTTP/1.1\r\n${host}\r\n`, '405', 'method_refused'],
  ['OPTIONS *', `OPTIONS * HTTP/1.1\r\n${host}\r\n`, '400', 'bad_request'],
  [
    'an unknown expectation',
    `POST / HTTP/1.1\r\n${host}Expect: 200-ok\r\nContent-Length: 1\r\n\r\nx`,
    '417',
    'bad_expectation',
  ],
  [
    'an expectation among others',
    `POST / HTTP/1.1\r\n${host}Expect: x, 100-continue\r\nContent-Length: 1\r\n\r\nx`,
    '417',
    'bad_expectation',
  ],
  ['201 headers', `GET / HTTP/1.1\r\n${host}${'a: b\r\n'.repeat(200)}\r\n`, '431', 'head_too_large'],
  ['2005 headers', `GET / HTTP/1.1\r\n${host}${'a: b\r\n'.repeat(2004)}\r\n`, '431', 'head_too_large'],
  [
    'a head past its size',
    `GET / HTTP/1.1\r\n${host}X: ${'a'.repeat(33_000)}\r\n\r\n`,
    '431',
    'head_too_large',
  ],
  ['a target past the size', `GET /${'a'.repeat(33_000)} HTTP/1.1\r\n${host}\r\n`, '431', 'head_too_large'],
];

const smuggled = `GET /smuggled HTTP/1.1\r\n${host}\r\n`;

await t.test('what a proxy must not pass on is answered once, and the connection ends', async (t) => {
  const seen: string[] = [];
  const origin = await startOrigin(t, (request, response) => {
    seen.push(request.url ?? '');
    response.end();
  });
  const lane = await startLane(t, { origin: origin.port });
  for (const [name, bytes, status, reason] of refused) {
    const index = lane.events.length;
    // The request behind it must not be read, wherever an upstream would see the first one end.
    const text = await lane.exchange(bytes + smuggled);
    t.same(statusLines(text), [status], `${name}: ${status}`);
    t.match(text, /\r\nConnection: close\r\n/, name);
    t.match(await lane.event(index), { reason, status: Number(status) }, name);
    t.equal(lane.events.length, index + 1, `${name}: reported once`);
  }
  t.same(seen, []);
});

await t.test('a Content-Length hidden behind two thousand headers is not lost', async (t) => {
  let received = '';
  const origin = await startRawOrigin(t, (socket) =>
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1');
      if (received.endsWith(smuggled)) socket.write('HTTP/1.1 204 No Content\r\n\r\n');
    }),
  );
  // Past its default count node would drop it, see no body, and read the body as a request.
  const lane = await startLane(t, { origin: origin.port, limits: { headerCount: 100_000 } });
  const client = lane.connect();
  client.write(
    `POST /first HTTP/1.1\r\n${host}${'a: b\r\n'.repeat(2500)}Content-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
  );
  t.same(statusLines(await client.until('\r\n\r\n')), ['204']);
  t.equal(received.match(/ HTTP\/1\.1/g)?.length, 2, 'one head, and a body that looks like one');
  t.match(received, new RegExp(`content-length: ${smuggled.length}\r\n`, 'i'));
  t.equal((await lane.event()).bytesReceived, smuggled.length);
});

await t.test('headers named like parts of an object are headers', async (t) => {
  const origin = await startOrigin(t, (request, response) => response.end(request.rawHeaders.join('|')));
  const lane = await startLane(t, { origin: origin.port });
  const text = await lane.exchange(
    `GET / HTTP/1.1\r\n${host}constructor: a\r\n__proto__: b\r\nhasOwnProperty: c\r\nConnection: close\r\n\r\n`,
  );
  t.match(text, 'constructor|a|hasOwnProperty|c');
  t.notMatch(text, '__proto__', 'names with _ are dropped');
});

await t.test('a broken chunk ends the request at the upstream and is answered 400', async (t) => {
  const bodies = [
    'ZZ\r\n',
    '5\r\nhelloX\r\n',
    '-1\r\n',
    '5;\nhello\r\n',
    `5;${'x'.repeat(20_000)}\r\nhello\r\n`,
  ];
  for (const body of bodies) {
    const arrived = Promise.withResolvers<void>();
    const gone = Promise.withResolvers<void>();
    const origin = await startOrigin(t, (request) => {
      request.once('data', () => arrived.resolve());
      request.on('close', () => gone.resolve());
      request.on('error', () => {});
    });
    const lane = await startLane(t, { origin: origin.port });
    const client = lane.connect();
    client.write(`POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`);
    await arrived.promise;
    client.write(body + smuggled);
    await client.closed;
    t.same(statusLines(client.text), ['400'], body.slice(0, 10));
    t.match(await lane.event(), { reason: 'bad_framing', status: 400 });
    await gone.promise;
  }
});

await t.test('a broken body after the response has begun breaks the connection', async (t) => {
  const origin = await startOrigin(t, (request, response) => {
    request.resume();
    response.write('begun');
  });
  const lane = await startLane(t, { origin: origin.port });
  const client = lane.connect();
  client.write(`POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`);
  await client.until('begun');
  client.write('ZZ\r\n');
  t.equal(await client.closed, 'reset');
  t.same(statusLines(client.text), ['200']);
  t.match(await lane.event(), { reason: 'bad_framing', status: 200 });
});

await t.test("trailers cannot grow past the head's limit", async (t) => {
  const origin = await startOrigin(t, (request, response) => request.pipe(response));
  const lane = await startLane(t, { origin: origin.port });
  const client = lane.connect();
  client.write(`POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n0\r\n`);
  client.write(`X: ${'a'.repeat(40_000)}\r\n\r\n`);
  await client.closed;
  t.ok(['400', '431'].includes(statusLines(client.text)[0] ?? ''), client.text.slice(0, 40));
});

await t.test('a refusal carries a page by Accept, the request id and nothing of its detail', async (t) => {
  const lane = await startLane(t, {
    origin: null,
    decide: () => respond('policy_ou', null, null, 'OU was `Sales`, the rule wants `ITOps`'),
  });
  const client = lane.connect();
  client.write(`GET / HTTP/1.1\r\n${host}Accept: application/json\r\nX-Request-ID: my-id\r\n\r\n`);
  const text = await client.until('}\n');
  t.match(text, /^HTTP\/1\.1 403 Forbidden\r\n/);
  t.match(text, '\r\nX-Request-ID: my-id\r\n');
  t.match(text, '{"status":403,"error":"client certificate unauthorized","requestId":"my-id"}');
  t.notMatch(text, /Sales|ITOps|policy/);
  t.match(await lane.event(), {
    id: 'my-id',
    detail: 'OU was `Sales`, the rule wants `ITOps`',
    reason: 'policy_ou',
  });
  // The connection is good for more.
  client.write(`HEAD / HTTP/1.1\r\n${host}Connection: close\r\n\r\n`);
  await client.closed;
  const head = client.text.slice(text.length);
  t.match(head, /^HTTP\/1\.1 403 [\s\S]*Content-Length: [1-9][0-9]*\r\n[\s\S]*\r\n\r\n$/);
});

await t.test('an id that is more than an id is replaced', async (t) => {
  const lane = await startLane(t, { origin: null, decide: () => respond('no_route', null, null) });
  const text = await lane.exchange(
    `GET / HTTP/1.1\r\n${host}X-Request-ID: <script>alert(1)</script>\r\nConnection: close\r\n\r\n`,
  );
  t.notMatch(text, 'script');
});

await t.test('an exception while deciding is a 500 that says nothing, and closes', async (t) => {
  const lane = await startLane(t, {
    origin: null,
    decide: () => {
      throw new Error('secret');
    },
  });
  const text = await lane.exchange(`GET / HTTP/1.1\r\n${host}\r\n`);
  t.same(statusLines(text), ['500']);
  t.notMatch(text, /secret/);
  t.match(await lane.event(), { reason: 'internal', detail: /^Error: secret/ });
});

await t.test('a redirect tells where to', async (t) => {
  const lane = await startLane(t, {
    origin: null,
    decide: (_snapshot, _connection, head) =>
      respond('redirect_https', null, null, { location: `https://a.test${head.path}` }),
  });
  const client = lane.connect();
  client.write(`GET /x HTTP/1.1\r\n${host}\r\n`);
  t.match(await client.until('</html>'), /^HTTP\/1\.1 308 [\s\S]*\r\nLocation: https:\/\/a\.test\/x\r\n/);
});

await t.test('garbage of every kind leaves the lane serving', async (t) => {
  const origin = await startOrigin(t, (request, response) => request.pipe(response));
  const lane = await startLane(t, { origin: origin.port });
  let state = 12345;
  const random = (below: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % below;
  };
  const seeds = refused.map(([, bytes]) => bytes).filter((bytes) => bytes.length < 2000);
  for (let round = 0; round < 300; round++) {
    const bytes = Buffer.from(seeds[random(seeds.length)]! + seeds[random(seeds.length)]!, 'latin1');
    for (let flip = random(4); flip > 0; flip--) bytes[random(bytes.length)] = random(256);
    const client = lane.connect();
    await once(client.socket, 'connect');
    client.write(bytes.subarray(0, random(bytes.length)));
    client.socket.end();
    await client.closed;
  }
  t.match(await lane.exchange(`GET / HTTP/1.1\r\n${host}Connection: close\r\n\r\n`), /^HTTP\/1\.1 200 /);
});

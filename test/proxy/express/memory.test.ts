import t from 'tap';
import { startLane, startOrigin } from '../full/harness.ts';

// What the lane keeps of a request or an answer may serve the next one only where it would be made anew the same.

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a.test\r\nAccept: */*\r\n\r\n`;

await t.test('the same request goes out as the snapshot of its own moment has it', async (t) => {
  const origin = await startOrigin(t, (request, response) =>
    response.end(`<${String(request.headers['x-env'])}>`),
  );
  const lane = await startLane(t, {
    origin: origin.port,
    expressLane: true,
    decide: (_snapshot, _connection, head) => {
      const forward = lane.forward(head);
      const value = head.path === '/b' ? 'other route' : env;
      return { ...forward, route: routes.get(value) ?? lane.route };
    },
  });
  let env = 'one';
  const routes = new Map(
    ['one', 'two', 'other route'].map((value) => [
      value,
      { ...lane.route, requestHeaders: new Map([['x-env', ['X-Env', value] as const]]) },
    ]),
  );
  const client = lane.connect();
  client.write(get('/a'));
  await client.until('<one>');
  client.write(get('/b'));
  await client.until('<other route>');
  env = 'two';
  lane.snapshot = { ...lane.snapshot };
  client.write(get('/a'));
  await client.until('<two>');
  t.equal(lane.events.length, 3);
});

await t.test('the same answer is given as each route and method has it', async (t) => {
  const origin = await startOrigin(t, (_request, response) => {
    response.setHeader('Date', 'Tue, 24 Nov 2026 00:00:00 GMT').setHeader('X-Hide', 'secret').end('ok!');
  });
  const edits = {
    set: new Map(),
    remove: new Set(['x-hide']),
    hsts: null,
    locations: [],
    cookieDomains: [],
    cookiePaths: [],
  };
  const lane = await startLane(t, {
    origin: origin.port,
    expressLane: true,
    decide: (_snapshot, _connection, head) => {
      const forward = lane.forward(head);
      return head.path === '/hidden' ? { ...forward, route: hiding } : forward;
    },
  });
  const hiding = { ...lane.route, response: edits };
  const client = lane.connect();
  for (const [path, shown] of [
    ['/shown', true],
    ['/hidden', false],
    ['/shown', true],
    ['/hidden', false],
  ] as const) {
    const before = client.text.length;
    client.write(get(path));
    await lane.event(lane.events.length);
    const text = await client.until(new RegExp(`^[^]{${before}}[^]+ok!`));
    t.equal(text.slice(before).includes('X-Hide: secret'), shown, path);
  }
});

await t.test('an answer of one connection never closes another', async (t) => {
  const origin = await startOrigin(t, (_request, response) => {
    response.setHeader('Date', 'Tue, 24 Nov 2026 00:00:00 GMT').end('ok!');
  });
  const lane = await startLane(t, { origin: origin.port, expressLane: true });
  const closing = await lane.exchange(get('/').replace('Accept', 'Connection: close\r\nAccept'));
  t.match(closing, 'Connection: close\r\n');
  const client = lane.connect();
  client.write(get('/'));
  t.notMatch(await client.until('ok!'), /connection: close/i);
});

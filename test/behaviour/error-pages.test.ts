import t from 'tap';
import { request } from '../support/client.ts';
import { startBackend } from '../support/proxy.ts';
import { withRoutes } from '../support/routes.ts';

// ingress-nginx's custom-http-errors: another upstream's answers stand in for errors.

type Answer = NonNullable<Parameters<typeof startBackend>[1]>;

async function withPages(t: Parameters<typeof withRoutes>[0], answer: Answer, page: Answer) {
  const pages = await startBackend(t, page);
  const errorPages = { statuses: [403, 404, 503], upstream: 'pages', headers: { 'X-Namespace': 'shop' } };
  const setting = await withRoutes(
    t,
    [
      { path: '/', upstream: 'backend', errorPages },
      { path: '/denied', upstream: 'backend', errorPages, access: { allow: [] } },
      { path: '/nobody', upstream: 'nobody', errorPages },
    ],
    { answer, upstreams: { pages: { endpoints: [pages.endpoint] }, nobody: { endpoints: [] } } },
  );
  return { ...setting, pages };
}

await t.test('the page of another upstream is the answer, with its own status and headers', async (t) => {
  const { get, pages, proxy } = await withPages(
    t,
    (_, response) => response.writeHead(404, { 'X-Upstream': 'yes' }).end('upstream says no'),
    (asked, response) =>
      response.writeHead(404, { 'X-Page': 'yes' }).end(`page of ${String(asked.headers['x-code'])}`),
  );
  const answer = await get('/missing?x=1', ['Accept: text/html']);
  t.match(answer, { status: 404, body: 'page of 404', headers: { 'x-page': 'yes' } });
  t.equal(answer.headers['x-upstream'], undefined);
  t.match(pages.seen[0], {
    method: 'GET',
    url: '/',
    headers: {
      'x-code': '404',
      'x-format': 'text/html',
      'x-original-uri': '/missing?x=1',
      'x-namespace': 'shop',
      host: 'a.test',
    },
  });
  const posted = await request({
    port: proxy.port,
    serverName: 'a.test',
    host: 'a.test',
    method: 'POST',
    body: 'x'.repeat(100_000),
  });
  t.match(posted, { status: 404, body: 'page of 404' });
  const head = await request({ port: proxy.port, serverName: 'a.test', host: 'a.test', method: 'HEAD' });
  t.match(head, { status: 404, body: '' });
  t.notOk('x-format' in pages.seen.at(-1)!.headers, 'who accepts nothing in particular is not said to');
});

await t.test('our own refusals get a page as well, and are told as what they are in the log', async (t) => {
  const { get, proxy } = await withPages(
    t,
    (_, response) => response.end('ok'),
    (asked, response) => response.writeHead(Number(asked.headers['x-code'])).end('page'),
  );
  t.match(await get('/denied'), { status: 403, body: 'page' });
  t.match(await get('/nobody'), { status: 503, body: 'page' });
  t.match(await get('/'), { status: 200, body: 'ok' });
  const log = JSON.stringify(proxy.log);
  t.match(log, '"reason":"address_denied"');
  t.match(log, '"reason":"upstream_none"');
});

await t.test('a page that cannot be had leaves the error itself', async (t) => {
  const { get } = await withPages(
    t,
    (_, response) => response.writeHead(404).end('upstream says no'),
    (asked) => asked.socket.destroy(),
  );
  const answer = await get('/missing');
  t.equal(answer.status, 404);
  t.match(answer.body, /404 Not Found/);
  t.equal((await get('/denied')).status, 403);
});

await t.test('a page that is an error itself is not asked about again', async (t) => {
  const { get, pages } = await withPages(
    t,
    (_, response) => response.writeHead(404).end(),
    (_, response) => response.writeHead(503).end('the pages are down'),
  );
  t.match(await get('/'), { status: 503, body: 'the pages are down' });
  t.equal(pages.seen.length, 1);
});

await t.test('a page that breaks off midway is not taken for the whole', async (t) => {
  const { get } = await withPages(
    t,
    (_, response) => response.writeHead(404).end(),
    (_, response) => {
      response.writeHead(404, { 'Content-Length': '100' });
      response.write('half', () => response.destroy());
    },
  );
  const answer = await get('/');
  t.equal(answer.headers['content-length'], '100');
  t.ok(answer.body.length < 100);
});

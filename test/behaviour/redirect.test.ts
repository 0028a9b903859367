import t from 'tap';
import { exchange, openTcp, parseAnswer } from '../support/client.ts';
import { createAuthority } from '../support/pki.ts';
import { startBackend, startProxy } from '../support/proxy.ts';

await t.test('the plain listener redirects with 308 and proxies nothing', async (t) => {
  const root = await createAuthority({ cn: 'Root A' });
  const server = await root.issue({ cn: 'server', hosts: ['a.test'], usage: 'server' });
  const backend = await startBackend(t);
  const proxy = await startProxy(
    t,
    {
      listeners: { http: { address: '127.0.0.1', port: 0, redirectPort: 443 } },
      hosts: [
        {
          names: ['a.test'],
          certificate: { cert: 'server.pem', key: 'server.key' },
          clientAuth: { mode: 'require', ca: 'ca.pem' },
          routes: [{ path: '/', upstream: 'backend' }],
        },
        {
          names: ['public.test', '::1'],
          certificate: { cert: 'server.pem', key: 'server.key' },
          routes: [{ path: '/', upstream: 'backend' }],
        },
      ],
      upstreams: { backend: { endpoints: [backend.endpoint] } },
    },
    { 'server.pem': server.bundle, 'server.key': server.key, 'ca.pem': root.cert },
  );
  const { port } = proxy.addresses.http!;
  const ask = async (bytes: string) => parseAnswer(await exchange(openTcp(port), bytes));
  const cases: readonly (readonly [request: string, status: number, location?: string])[] = [
    ['GET /a/b?c=d HTTP/1.1\r\nHost: a.test', 308, 'https://a.test/a/b?c=d'],
    ['POST /x HTTP/1.1\r\nHost: a.test:8080\r\nContent-Length: 3', 308, 'https://a.test/x'],
    ['GET /x HTTP/1.1\r\nHost: PUBLIC.test.', 308, 'https://public.test/x'],
    ['GET http://a.test/x HTTP/1.1\r\nHost: a.test', 308, 'https://a.test/x'],
    ['GET /x HTTP/1.1\r\nHost: [::1]:8080', 308, 'https://[::1]/x'],
    ['GET //evil.test/x HTTP/1.1\r\nHost: a.test', 308, 'https://a.test/evil.test/x'],
    ['GET /x HTTP/1.1\r\nHost: nobody.test', 404],
    ['GET /%0d%0aSet-Cookie:x HTTP/1.1\r\nHost: a.test', 308, 'https://a.test/%0D%0ASet-Cookie:x'],
    ['GET /x HTTP/1.1\r\nHost: a.test\r\nHost: b.test', 400],
    ['CONNECT a.test:443 HTTP/1.1\r\nHost: a.test', 405],
    ['GET /x HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket', 308, 'https://a.test/x'],
    [
      'GET /x HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__',
      308,
    ],
  ];
  for (const [request, status, location] of cases) {
    const body = request.startsWith('POST') ? 'abc' : '';
    const close = /connection:/i.test(request) ? '' : '\r\nConnection: close';
    const answer = await ask(`${request}${close}\r\n\r\n${body}`);
    t.equal(answer.status, status, request);
    if (location !== undefined) t.equal(answer.headers['location'], location, request);
  }
  t.same(backend.seen, [], 'the backend saw none of it');
});

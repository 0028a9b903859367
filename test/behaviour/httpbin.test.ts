import t from 'tap';
import { request, type RawAnswer, type RequestOptions } from '../support/client.ts';
import { hasHttpbin, startHttpbin } from '../support/httpbin.ts';
import { createAuthority } from '../support/pki.ts';
import { startProxy } from '../support/proxy.ts';

const skip = process.env['CI'] !== 'true' && !hasHttpbin() ? 'needs python3-httpbin and gunicorn' : false;

await t.test('a walk through the real httpbin', { skip }, async (t) => {
  const root = await createAuthority({ cn: 'Root A' });
  const client = await root.issue({
    subject: [
      ['C', 'NP'],
      ['O', 'Logpoint Nepal'],
      ['OU', 'ITOps'],
      ['CN', 'roshankhatri'],
    ],
  });
  const server = await root.issue({ cn: 'server', hosts: ['in.logpoint.com.np'], usage: 'server' });
  const proxy = await startProxy(
    t,
    {
      hosts: [
        {
          names: ['in.logpoint.com.np'],
          certificate: { cert: 'server.pem', key: 'server.key' },
          clientAuth: { mode: 'require', ca: 'ca.pem' },
          routes: [
            {
              path: '/',
              upstream: 'httpbin',
              policy: { ou: 'ITOps' },
              identityHeaders: { dialects: ['nginx'], certificate: true },
            },
          ],
        },
      ],
      upstreams: { httpbin: { endpoints: [await startHttpbin(t)] } },
    },
    { 'server.pem': server.bundle, 'server.key': server.key, 'ca.pem': root.cert },
  );
  const host = 'in.logpoint.com.np';
  const ask = (path: string, more: Partial<RequestOptions> = {}): Promise<RawAnswer> =>
    request({ port: proxy.port, serverName: host, host, certificate: client, path, ...more });
  const json = (answer: RawAnswer): Record<string, Record<string, string>> =>
    JSON.parse(answer.body) as Record<string, Record<string, string>>;

  await t.test('/headers shows the four ssl-client headers, ours and no forged ones', async (t) => {
    const forged = [
      'ssl-client-verify: FORGED',
      'SSL_CLIENT_VERIFY: FORGED',
      'Ssl-Client-Subject-Dn: CN=FORGED',
    ];
    const { headers } = json(await ask('/headers', { headers: forged }));
    t.match(headers, {
      'Ssl-Client-Verify': 'SUCCESS',
      'Ssl-Client-Subject-Dn': 'CN=roshankhatri,OU=ITOps,O=Logpoint Nepal,C=NP',
      'Ssl-Client-Issuer-Dn': 'CN=Root A',
      'Ssl-Client-Cert': /^-----BEGIN%20CERTIFICATE-----%0A[^]*-----END%20CERTIFICATE-----%0A$/,
      Host: host,
    });
    t.notMatch(JSON.stringify(headers), 'FORGED');
  });

  await t.test('methods, queries and bodies arrive as they were sent', async (t) => {
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      const answer = await ask(`/${method.toLowerCase()}?a=1&a=2&b=%20x`, {
        method,
        headers: ['Content-Type: application/json'],
        body: '{"x":"é"}',
      });
      t.equal(answer.status, 200, method);
      t.match(json(answer), { args: { a: ['1', '2'], b: ' x' }, json: { x: 'é' } }, method);
    }
    t.match(
      json(await ask('/anything/a%20b/c?d=e')).url,
      /\/anything\/a b\/c\?d=e$|\/anything\/a%20b\/c\?d=e$/,
    );
  });

  await t.test('statuses pass through', async (t) => {
    for (const status of [200, 204, 206, 304, 400, 401, 404, 418, 429, 500, 503]) {
      t.equal((await ask(`/status/${status}`)).status, status, `${status}`);
    }
    t.equal((await ask('/get', { method: 'HEAD' })).body, '', 'HEAD has no body');
    t.equal((await ask('/get', { method: 'OPTIONS' })).headers['allow']?.includes('GET'), true);
  });

  await t.test('redirects, cookies, encodings and streams pass through', async (t) => {
    t.match(await ask('/redirect-to?url=/get'), { status: 302, headers: { location: '/get' } });
    t.match(await ask('/cookies/set?a=b'), { headers: { 'set-cookie': /^a=b/ } });
    t.match(await ask('/gzip', { headers: ['Accept-Encoding: gzip'] }), {
      headers: { 'content-encoding': 'gzip' },
    });
    t.equal((await ask('/stream/20')).body.trim().split('\n').length, 20);
    t.equal((await ask('/bytes/10000?seed=1')).body.length, 10_000);
    t.equal((await ask('/drip?numbytes=5&duration=1&delay=0')).body, '*****');
    t.match(await ask('/range/100', { headers: ['Range: bytes=0-9'] }), { status: 206, body: 'abcdefghij' });
    t.match(await ask('/basic-auth/u/p', { headers: [`Authorization: Basic ${btoa('u:p')}`] }), {
      status: 200,
    });
  });

  await t.test('/ip and X-Forwarded-For say who the client is, whatever it claims', async (t) => {
    const answer = json(
      await ask('/get?show_env=1', { headers: ['X-Forwarded-For: 6.6.6.6', 'X-Real-IP: 6.6.6.6'] }),
    );
    t.match(answer, {
      origin: '127.0.0.1',
      headers: { 'X-Real-Ip': '127.0.0.1', 'X-Original-Forwarded-For': '6.6.6.6' },
    });
  });
});

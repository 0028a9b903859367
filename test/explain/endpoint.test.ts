import t, { type Test } from 'tap';
import type { Report } from '../../src/explain/report.ts';
import { createAuthority } from '../support/pki.ts';
import { startProxy } from '../support/proxy.ts';

const root = await createAuthority({ cn: 'Root' });
const server = await root.issue({ cn: 'server', hosts: ['a.test'], usage: 'server' });
const sales = await root.issue({ cn: 'eve', ou: 'Sales' });

async function asking(
  t: Test,
): Promise<(body: unknown, query?: string) => Promise<{ status: number; text: string }>> {
  const proxy = await startProxy(
    t,
    {
      hosts: [
        {
          names: ['a.test'],
          certificate: { cert: 'server.pem', key: 'server.key' },
          clientAuth: { mode: 'require', ca: 'root.pem' },
          routes: [{ path: '/', upstream: 'u', policy: { ou: 'ITOps' } }],
        },
      ],
      upstreams: { u: { endpoints: ['127.0.0.1:9'] } },
    },
    { 'server.pem': server.bundle, 'server.key': server.key, 'root.pem': root.cert },
  );
  const url = `http://127.0.0.1:${proxy.addresses.admin.port}/explain`;
  return async (body, query = '') => {
    const response = await fetch(url + query, {
      method: 'POST',
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    return { status: response.status, text: await response.text() };
  };
}

await t.test('POST /explain answers by the configuration in force', async (t) => {
  const ask = await asking(t);
  const { status, text } = await ask({
    host: 'a.test',
    path: '/x',
    certificate: sales.bundle,
    headers: { Accept: '*/*' },
  });
  t.equal(status, 200);
  t.match(JSON.parse(text) as Report, {
    decision: { action: 'respond', reason: 'policy_ou', detail: 'OU was `Sales`, the rule wants `ITOps`' },
    handshake: { serverName: 'a.test', stores: [{ verdict: { status: 'success' } }] },
    request: { request: { path: '/x' }, connection: { identity: { subject: 'CN=eve,OU=Sales' } } },
  });
  t.match(JSON.parse((await ask({ host: 'a.test', serverName: null })).text), {
    handshake: { serverNameMatched: false },
    decision: { reason: 'no_certificate' },
  });
});

await t.test('in words where they are asked for, which move no cursor', async (t) => {
  const ask = await asking(t);
  const hostile = await root.issue({ subject: [['OU', 'x\u001b[2J']] });
  const { status, text } = await ask({ host: 'a.test', certificate: hostile.bundle }, '?format=text');
  t.equal(status, 200);
  t.match(text, /^answered with 403 client certificate unauthorized: policy_ou, OU was `x\\u\{1b\}\[2J`/);
  t.notMatch(text, '\u001b');
  t.match(await ask({ host: 'a.test' }, '?format=html'), { status: 400, text: 'format is json or text\n' });
});

await t.test('what is no question is refused, with the place', async (t) => {
  const ask = await asking(t);
  const wrong: readonly (readonly [unknown, RegExp])[] = [
    ['{', /not JSON/],
    [[], /^\/ must be/],
    [{}, /^\/ lacks `host`/],
    [{ host: 'a.test', hots: 1 }, /^\/hots unknown key `hots`, did you mean `host`\?/],
    [{ host: 'a.test', path: 'x' }, /^\/path begins with a slash/],
    [{ host: 'a.test', path: `/${'x'.repeat(8192)}` }, /^\/path /],
    [{ host: 'a.test', time: 'soon' }, /^\/time is none such as/],
    [{ host: 'a.test', address: 'x' }, /^\/address is no IP address/],
    [{ host: 'a.test', certificate: 'x' }, /^\/certificate: there is no certificate in it/],
    [{ host: 'a.test', certificate: sales.cert.repeat(33) }, /more than 32 certificates/],
    [{ host: 'a.test', plainHttp: true }, /no listener for plain HTTP/],
    [{ host: 'a.test', headers: { 'x\n': 1 } }, /^\/headers/],
    [
      { host: 'a.test', headers: Object.fromEntries(Array.from({ length: 101 }, (_, at) => [`h${at}`, ''])) },
      /^\/headers/,
    ],
  ];
  for (const [body, message] of wrong) {
    const { status, text } = await ask(body);
    t.equal(status, 400);
    t.match(text, message);
  }
  t.equal((await ask({ host: 'a.test', method: 'x'.repeat(300_000) })).status, 413);
});

await t.test('headers that no client could send are refused as they would be', async (t) => {
  const ask = await asking(t);
  for (const headers of [{ 'a b': '' }, { a: 'x\r\nHost: b.test' }, { Host: 'b.test' }]) {
    const { decision } = JSON.parse((await ask({ host: 'a.test', headers })).text) as Report;
    t.match(decision, { action: 'respond', status: 400 });
  }
});

import t, { type Test } from 'tap';
import { Html, html } from '../../src/admin/page/html.ts';
import { clock, count, daysLeft, latency, rate, span, utc } from '../../src/admin/page/numbers.ts';
import { policyText } from '../../src/admin/page/policy-text.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import { request } from '../support/client.ts';
import { createAuthority } from '../support/pki.ts';
import { type PartialConfig, type Proxy, startBackend, startProxy } from '../support/proxy.ts';
import { serve } from '../support/serve.ts';

const authority = await createAuthority({ cn: '<b>CA</b>' });
const server = await authority.issue({ cn: 'a.test', usage: 'server', hosts: ['a.test'] });
const sales = await authority.issue({ cn: 'sam', ou: 'Sales' });
const material = { 'server.pem': server.bundle, 'server.key': server.key, 'ca.pem': authority.cert };

const configOf = (endpoint: string): PartialConfig => ({
  hosts: [
    {
      names: ['a.test'],
      certificate: { cert: 'server.pem', key: 'server.key' },
      clientAuth: { mode: 'require', ca: 'ca.pem' },
      routes: [{ path: '/', upstream: 'app', policy: { ou: 'ITOps' } }],
    },
  ],
  upstreams: { app: { endpoints: [endpoint] } },
});

async function start(t: Test): Promise<Proxy & { readonly url: string }> {
  const backend = await startBackend(t);
  const proxy = await startProxy(t, configOf(backend.endpoint), material);
  return { ...proxy, url: `http://127.0.0.1:${proxy.addresses.admin.port}` };
}

void t.test(
  'the page is whole, allows itself nothing but its own style and script, and escapes what it shows',
  async (t) => {
    const { url, port } = await start(t);
    t.match(await request({ port, certificate: sales, serverName: 'a.test', host: 'a.test' }), {
      status: 403,
    });
    const answer = await fetch(url);
    t.equal(answer.status, 200);
    const policy = answer.headers.get('content-security-policy') ?? '';
    t.notMatch(policy, /unsafe|https?:|\*/);
    for (const directive of [
      "default-src 'none'",
      "frame-ancestors 'none'",
      "base-uri 'none'",
      "connect-src 'self'",
    ]) {
      t.match(policy, directive);
    }
    t.equal(policy.match(/'sha256-[A-Za-z0-9+/]{43}='/g)?.length, 2);
    const page = await answer.text();
    t.match(page, /^\s*<!doctype html>/i);
    t.match(page, 'policy_ou');
    t.match(page, 'OU is ITOps');
    t.match(
      page.replaceAll(/<[^>]*>/g, ' ').replaceAll(/\s+/g, ' '),
      /CN=sam,OU=Sales [0-9:]+ 1 1 /,
      'who it was',
    );
    t.match(page, 'the only CA that the host trusts');
    t.match(page, '&lt;b');
    t.notMatch(page, '<b>CA');
    t.equal(page.match(/<script/g)?.length, 1);
    t.notMatch(page, /\son[a-z]+=|style="|javascript:|https?:\/\/(?!www\.w3\.org)/i);
  },
);

void t.test('events bring every section once, and then what has changed', { timeout: 10_000 }, async (t) => {
  const { url, port } = await start(t);
  const controller = new AbortController();
  t.teardown(() => controller.abort());
  const answer = await fetch(`${url}/events`, { signal: controller.signal });
  t.match(answer.headers.get('content-type'), 'text/event-stream');
  const seen: string[] = [];
  let text = '';
  let asked = false;
  let came = false;
  const decoder = new TextDecoder();
  for await (const chunk of answer.body!) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    const whole = text.split('\n\n');
    text = whole.pop()!;
    for (const event of whole) {
      const data = /^event: section\ndata: (.*)$/.exec(event)?.[1];
      if (data === undefined) continue;
      const { id, html } = JSON.parse(data) as { id: string; html: string };
      t.match(html, new RegExp(`^<section id="${id}"`));
      seen.push(id);
      came ||= id === 'traffic' && html.includes('policy_ou');
    }
    if (came) break;
    if (asked) continue;
    asked = true;
    t.same(seen, [...new Set(seen)]);
    for (const id of ['head', 'traffic', 'hosts', 'upstreams', 'certificates', 'reloads', 'program']) {
      t.ok(seen.includes(id), id);
    }
    await request({ port, certificate: sales, serverName: 'a.test', host: 'a.test' });
  }
  t.ok(came, 'the refusal came');
});

void t.test('a host that only reports says so, and how many it would have turned away', async (t) => {
  const backend = await startBackend(t);
  const { hosts, ...rest } = configOf(backend.endpoint);
  const proxy = await startProxy(t, { ...rest, hosts: [{ ...hosts[0]!, mode: 'report' }] }, material);
  const { port } = proxy;
  t.match(await request({ port, certificate: sales, serverName: 'a.test', host: 'a.test' }), { status: 200 });
  await proxy.settled();
  const page = await (await fetch(`http://127.0.0.1:${proxy.addresses.admin.port}/`)).text();
  t.match(page, 'only reports: 1 would have been denied');
  t.match(page, /only reports: certificate, host policy, policy/);
});

void t.test('several workers are shown as one program', { timeout: 60_000 }, async (t) => {
  const backend = await startBackend(t);
  const program = await serve(
    t,
    `workers: 2
hosts:
  - names: [a.test]
    certificate: { cert: server.pem, key: server.key }
    clientAuth: { mode: require, ca: ca.pem }
    routes: [{ path: /, upstream: app, policy: { ou: ITOps } }]
upstreams: { app: { endpoints: ['${backend.endpoint}'] } }
`,
    material,
  );
  const at = { port: program.httpsPort, certificate: sales, serverName: 'a.test', host: 'a.test' };
  for (let index = 0; index < 20; index++) await request(at);
  const page = await (await fetch(`http://127.0.0.1:${program.adminPort}/`)).text();
  const plain = page.replaceAll(/<[^>]*>/g, ' ').replaceAll(/\s+/g, ' ');
  t.match(plain, /workers 2 of 2/);
  t.match(plain, /20 in all, 20 refused/);
  t.match(plain, /policy_ou 20 /);
  t.match(plain, /20 requests, 20 answered here/);
});

void t.test('a template escapes every value, wherever it stands', (t) => {
  const evil = `<script>alert("x")</script>'\`&`;
  t.equal(
    html`<a title="${evil}">${evil}</a>`.text,
    '<a title="&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&#39;&#96;&amp;">&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&#39;&#96;&amp;</a>',
  );
  t.equal(html`${[html`<i>${'<'}</i>`, null, undefined, false, 0, [1n, '>']]}`.text, '<i>&lt;</i>01&gt;');
  t.equal(html`${'a\u202eb\u0000\n'}`.text, 'a\\u{202e}b\\u{0}\\u{a}', 'nothing turns or ends a line');
  t.throws(() => html`${{ text: '<b>' }}`, 'only Html is HTML');
  t.equal(html`${new Html('<b>')}`.text, '<b>');
  t.end();
});

void t.test('policies in words', (t) => {
  const text = (config: Parameters<typeof compilePolicy>[0]): string => {
    const result = compilePolicy(config, '');
    return 'policy' in result ? policyText(result.policy) : 'wrong';
  };
  t.equal(text({ ou: ['ITOps', 'SecOps'] }), 'OU is ITOps or SecOps');
  t.equal(
    text({ o: 'Example', any: [{ cn: 'a*' }, { not: { ou: 'Sales' } }] }),
    'O is Example, and (CN is a*, or not (OU is Sales))',
  );
  t.equal(text({ ou: [] }), 'OU is nothing: nobody is let in');
  t.ok(text({ cn: Array.from({ length: 500 }, (_, index) => `name-${index}`) }).length <= 401);
  t.end();
});

void t.test('numbers are short, and dates that are none are told', (t) => {
  t.same([0, 999, 1234, 1_234_567, 2e9].map(count), ['0', '999', '1,234', '1.23 M', '2.00 G']);
  t.same([0, 0.04, 1.25, 253.4].map(rate), ['0', '0.0', '1.3', '253']);
  t.same([null, 0.34, 9.9, 12.3, 999, 12_000].map(latency), [
    '–',
    '0.3 ms',
    '9.9 ms',
    '12 ms',
    '1.0 s',
    '12 s',
  ]);
  t.same([5000, 65_000, 3_700_000, 90_000_000].map(span), ['5 s', '1 min', '1 h 1 min', '1 d 1 h']);
  const noon = Date.UTC(2026, 10, 24, 12);
  t.equal(utc(noon), '2026-11-24 12:00:00 UTC');
  t.equal(utc(1e20), 'never');
  t.equal(clock(noon, noon + 1000), '12:00:00');
  t.equal(clock(noon, noon + 86_400_000), '2026-11-24 12:00');
  t.same([daysLeft(noon + 86_400_000, noon), daysLeft(noon + 1, noon), daysLeft(noon - 1, noon)], [1, 0, -1]);
  t.end();
});

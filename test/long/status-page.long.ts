import { existsSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';
import t, { type Test } from 'tap';
import type { App } from '../../src/app.ts';
import type { Config } from '../../src/config/schema.ts';
import { openTls, request } from '../support/client.ts';
import { createAuthority } from '../support/pki.ts';
import { type PartialConfig, type Proxy, startBackend, startProxy } from '../support/proxy.ts';

// The status page in Debian's chromium. STATUS_PAGE_PNG=FILE writes the picture for the README, after STATUS_PAGE_SECONDS
// of traffic (30).
const program = '/usr/bin/chromium';
const skip = !existsSync(program) && process.env['CI'] !== 'true' ? 'needs chromium' : false;

const day = 86_400_000;
const evil = '<script>document.title="taken"</script>';
const evilAttribute = '" onfocus="document.title=\'taken\'" autofocus x="';
const [root, partners, hostile] = await Promise.all([
  createAuthority({ cn: 'Example Clients CA', names: [['O', 'Example']], notAfter: Date.now() + 1100 * day }),
  createAuthority({ cn: 'Partners CA 2024', names: [['O', 'Partner']], notAfter: Date.now() + 24 * day }),
  createAuthority({ cn: evil, names: [['OU', evilAttribute]] }),
]);
const issue = (cn: string, ou: string, days = 200) =>
  root.issue({ cn, ou, notAfter: Date.now() + days * day });
const [server, partnerServer, ada, ben, sam, old, xss] = await Promise.all([
  root.issue({
    cn: 'in.example.com',
    usage: 'server',
    hosts: ['in.example.com'],
    notAfter: Date.now() + 83 * day,
  }),
  root.issue({
    cn: 'partners',
    usage: 'server',
    hosts: ['partners.example.com'],
    notAfter: Date.now() + 5 * day,
  }),
  issue('ada', 'ITOps'),
  issue('ben', 'SecOps'),
  issue('sam', 'Sales'),
  root.issue({ cn: 'eve', ou: 'ITOps', notBefore: Date.now() - 400 * day, notAfter: Date.now() - 3 * day }),
  hostile.issue({ cn: evil, ou: evilAttribute }),
]);

const material = {
  'in.pem': server.bundle,
  'in.key': server.key,
  'partners.pem': partnerServer.bundle,
  'partners.key': partnerServer.key,
  'clients-ca.pem': root.cert,
  'partners-ca.pem': partners.cert + hostile.cert,
  'clients.crl': root.crl({ revoked: [], nextUpdate: Date.now() + 6.5 * day }),
};

const configOf = (live: string, dead: string): PartialConfig => ({
  hosts: [
    {
      names: ['in.example.com'],
      certificate: { cert: 'in.pem', key: 'in.key' },
      clientAuth: { mode: 'require', ca: 'clients-ca.pem', crl: 'clients.crl' },
      policy: { not: { cn: 'test-*' } },
      routes: [
        { path: '/', upstream: 'app', policy: { ou: ['ITOps', 'SecOps'] } },
        {
          path: '/admin',
          upstream: 'app',
          policy: { any: [{ cn: 'ada' }, { uri: 'spiffe://example.com/admin/*' }] },
        },
        { path: '/status', respond: { status: 204 } },
      ],
    },
    {
      names: ['partners.example.com', 'p.example.com'],
      certificate: { cert: 'partners.pem', key: 'partners.key' },
      clientAuth: { mode: 'optional', ca: 'partners-ca.pem' },
      routes: [{ path: '/api', upstream: 'api', policy: { cn: ['a*', { regex: 'svc-[0-9]+' }] } }],
    },
  ],
  upstreams: {
    app: { endpoints: [live] },
    api: { endpoints: [live, dead] },
  },
});

const browser =
  skip === false
    ? await chromium.launch({
        executablePath: program,
        args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
      })
    : null;
t.teardown(() => browser?.close());

interface Rig {
  readonly proxy: Proxy;
  readonly url: string;
  as(certificate: typeof ada | null, path?: string, host?: string): Promise<number>;
  open(options?: Parameters<Browser['newContext']>[0]): Promise<{ page: Page; violations: string[] }>;
}

async function start(t: Test, files = material): Promise<Rig> {
  const backend = await startBackend(t);
  // Port 9 of loopback: nobody listens.
  const proxy = await startProxy(t, configOf(backend.endpoint, '127.0.0.1:9'), files);
  const url = `http://127.0.0.1:${proxy.addresses.admin.port}/`;
  return {
    proxy,
    url,
    as: async (certificate, path = '/', host = 'in.example.com') =>
      (await request({ port: proxy.port, certificate, serverName: host, host, path })).status,
    async open(options = {}) {
      const context = await browser!.newContext(options);
      t.teardown(() => context.close());
      const page = await context.newPage();
      const violations: string[] = [];
      page.on('console', (message) => {
        if (['error', 'warning'].includes(message.type())) violations.push(message.text());
      });
      page.on('pageerror', (error) => violations.push(String(error)));
      page.on('request', (asked) => {
        if (!asked.url().startsWith(url) && !asked.url().startsWith('data:')) violations.push(asked.url());
      });
      await page.goto(url);
      await page.locator('#live[data-state=on]').waitFor();
      return { page, violations };
    },
  };
}

void t.test(
  'a refusal is on the page that is open within two seconds, and breaks none of its rules',
  { skip },
  async (t) => {
    const rig = await start(t);
    t.equal(await rig.as(ada), 200);
    const { page, violations } = await rig.open();
    t.equal(await page.locator('#traffic code', { hasText: 'policy_ou' }).count(), 0);
    t.equal(await rig.as(sam), 403);
    await page.locator('#traffic code', { hasText: 'policy_ou' }).waitFor({ timeout: 2000 });
    t.same(violations, []);
  },
);

void t.test('markup in the names of a CA is text, and nothing of it runs', { skip }, async (t) => {
  const rig = await start(t);
  const { page, violations } = await rig.open();
  // The certificate of its client comes to nothing here, and is shown wherever clients are.
  t.equal(await rig.as(xss, '/api', 'partners.example.com'), 403);
  await page.locator('#traffic code', { hasText: 'policy_cn' }).waitFor({ timeout: 2000 });
  t.match(await page.locator('#certificates').innerText(), /<script.>document\.title=/);
  for (const id of ['#denials', '#clients']) {
    t.match(await page.locator(id).innerText(), /<script.>document\.title=/, id);
  }
  t.equal(await page.title(), 'mtls-ingress');
  t.equal(await page.locator('main script, main [autofocus], main [onfocus]').count(), 0);
  t.same(violations, []);
});

void t.test(
  'a denial is there within two seconds, and unfolds to all that is known and what would become of it now',
  { skip },
  async (t) => {
    const rig = await start(t);
    const { page, violations } = await rig.open();
    t.equal(await rig.as(sam, '/reports?secret=1'), 403);
    const entry = page.locator('.denial', { hasText: 'policy_ou' });
    await entry.waitFor({ timeout: 2000 });
    t.match(
      await entry.locator('summary').innerText(),
      /CN=sam,OU=Sales[^]*in\.example\.com\/reports[^]*OU was `Sales`/,
    );
    t.notMatch(await page.content(), /secret/);
    await entry.locator('summary').click();
    t.match(await entry.locator('.pairs').innerText(), new RegExp(`serial\\s+${sam.serial}`));
    await entry.locator('textarea').fill(sam.bundle);
    await entry.locator('button').click();
    await entry.locator('pre', { hasText: 'policy_ou' }).waitFor({ timeout: 2000 });
    // Others come in above it, and leave what was typed and unfolded as it is.
    t.equal(await rig.as(old), 400);
    await page.locator('.denial', { hasText: 'expired' }).first().waitFor({ timeout: 2000 });
    t.match(await entry.locator('pre').innerText(), /policy_ou/);
    t.equal(await entry.locator('textarea').inputValue(), sam.bundle.trim() + '\n');
    t.same(violations, []);
  },
);

void t.test('without its script the page says all that it has to say', { skip }, async (t) => {
  const rig = await start(t);
  t.equal(await rig.as(sam), 403);
  const context = await browser!.newContext({ javaScriptEnabled: false });
  t.teardown(() => context.close());
  const page = await context.newPage();
  await page.goto(rig.url);
  t.match(await page.locator('#traffic').innerText(), /policy_ou/);
  t.match(await page.locator('#hosts').innerText(), /OU is ITOps or SecOps/);
  t.match(await page.locator('#certificates').innerText(), /Partners CA 2024/);
});

void t.test(
  'the keyboard reaches everything, in the order of the page, and what is unfolded stays',
  { skip },
  async (t) => {
    const rig = await start(t);
    const { page, violations } = await rig.open();
    const focused = (): Promise<string> =>
      page.evaluate(
        '(document.activeElement.getAttribute("href") ?? document.activeElement.innerText).trim()',
      );
    await page.keyboard.press('Tab');
    t.equal(await focused(), '#traffic', 'first a way past the head');
    const order: string[] = [];
    for (let index = 0; index < 40; index++) {
      await page.keyboard.press('Tab');
      const at = await focused();
      order.push(at);
      if (at === 'status') break;
    }
    t.ok(
      order.indexOf('#hosts') < order.findIndex((one) => one.startsWith('in.example.com')),
      order.join(' | '),
    );
    t.equal(order.at(-1), 'status', 'to the end of the page');
    const host = page.locator('details.host').first();
    const isOpen = (): Promise<boolean> => page.evaluate('document.querySelector("details.host").open');
    await host.locator('summary').focus();
    t.ok(await isOpen());
    await page.keyboard.press('Enter');
    t.notOk(await isOpen());
    // Its numbers change, and it is brought up to date where it stands.
    await rig.as(ada);
    await page.locator('details.host summary', { hasText: '1 requests' }).first().waitFor({ timeout: 2000 });
    t.notOk(await isOpen(), 'folded as it was');
    t.match(await focused(), /^in\.example\.com/, 'focused as it was');
    t.equal(
      await page.evaluate('getComputedStyle(document.activeElement).outlineStyle'),
      'solid',
      'and one sees where',
    );
    t.same(violations, []);
  },
);

void t.test('on a phone nothing has to be scrolled sideways', { skip }, async (t) => {
  const rig = await start(t);
  await rig.as(sam, `/${'a'.repeat(300)}`);
  for (const width of [320, 390, 768]) {
    const { page } = await rig.open({ viewport: { width, height: 800 }, hasTouch: true });
    await page.evaluate('document.querySelectorAll("details").forEach((one) => { one.open = true; })');
    const [inner, whole] = (await page.evaluate(
      '[window.innerWidth, document.documentElement.scrollWidth]',
    )) as [number, number];
    t.ok(whole <= inner, `${width}: ${whole} of ${inner}`);
    const outside = await page.evaluate(
      `[...document.querySelectorAll('main *')].filter((one) => one.getBoundingClientRect().right > ${width} + 1 && one.getClientRects().length > 0 && getComputedStyle(one.closest('thead') ?? one).position !== 'absolute').map((one) => one.outerHTML.slice(0, 80))`,
    );
    t.same(outside, [], `${width}`);
  }
});

/** WCAG's contrast of an element's text with what is behind it. */
const contrast = `(one) => {
  const rgb = (text) => text.match(/[0-9.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255).map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)).reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  let behind = one;
  while (behind !== null && (rgb(getComputedStyle(behind).backgroundColor)[3] ?? 1) === 0) behind = behind.parentElement;
  const [a, b] = [light(rgb(getComputedStyle(one).color)), light(rgb(getComputedStyle(behind ?? document.documentElement).backgroundColor))].sort((x, y) => y - x);
  return (a + 0.05) / (b + 0.05);
}`;

void t.test('light and dark follow the reader, and both can be read', { skip }, async (t) => {
  const rig = await start(t);
  t.equal(await rig.as(sam), 403);
  const grounds = new Set<unknown>();
  for (const colorScheme of ['light', 'dark'] as const) {
    const { page } = await rig.open({ colorScheme });
    grounds.add(await page.evaluate('getComputedStyle(document.documentElement).backgroundColor'));
    for (const selector of [
      'h1',
      '.soft',
      '.pill.good',
      '.pill.warn',
      '.pill.bad',
      '.pill.accent',
      'nav a',
      'td',
      'th',
    ]) {
      if ((await page.locator(selector).count()) === 0) continue;
      const ratio = (await page.evaluate(
        `(${contrast})(document.querySelector(${JSON.stringify(selector)}))`,
      )) as number;
      t.ok(ratio >= 4.5, `${colorScheme} ${selector}: ${ratio.toFixed(2)}`);
    }
  }
  t.equal(grounds.size, 2);
});

void t.test('a page whose program is gone says so', { skip }, async (t) => {
  const rig = await start(t);
  const { page } = await rig.open();
  await (rig.proxy.app as App).stop();
  await page.locator('#live[data-state=off]').waitFor({ timeout: 5000 });
  t.equal(await page.locator('#live').innerText(), 'not connected, trying again');
});

/** The same, with an admin listener of its own settings; gives where its page is. */
async function guarded(
  t: Test,
  scheme: 'http' | 'https',
  admin: Partial<NonNullable<Config['listeners']['admin']>>,
): Promise<{ readonly url: string; readonly proxy: Proxy }> {
  const backend = await startBackend(t);
  const config = configOf(backend.endpoint, '127.0.0.1:9');
  const proxy = await startProxy(
    t,
    { ...config, listeners: { admin: { address: '127.0.0.1', port: 0, ...admin } } },
    { ...material, tokens: `ops:${token}\n` },
  );
  return { proxy, url: `${scheme}://localhost:${proxy.addresses.admin.port}/` };
}

const token = 'a1b2c3d4e5f60718293a4b5c6d7e8f90';

void t.test(
  'behind mutual TLS the page is for those whom the policy lets in, and lives',
  { skip },
  async (t) => {
    const { url } = await guarded(t, 'https', {
      certificate: { cert: 'in.pem', key: 'in.key' },
      clientAuth: { ca: 'clients-ca.pem', crl: 'clients.crl' },
      reading: { policy: { ou: 'SecOps' } },
    });
    const visit = async (certificate: typeof ada) => {
      const { origin } = new URL(url);
      const context = await browser!.newContext({
        ignoreHTTPSErrors: true,
        clientCertificates: [
          { origin, cert: Buffer.from(certificate.bundle), key: Buffer.from(certificate.key) },
        ],
      });
      t.teardown(() => context.close());
      const page = await context.newPage();
      return { page, status: (await page.goto(url))?.status() };
    };
    t.equal((await visit(sam)).status, 403);
    const { page, status } = await visit(ben);
    t.equal(status, 200);
    await page.locator('#live[data-state=on]').waitFor();
  },
);

void t.test('a token is the password that a browser asks for', { skip }, async (t) => {
  const { url } = await guarded(t, 'http', { reading: { token: 'tokens' } });
  const visit = async (password: string) => {
    const context = await browser!.newContext({ httpCredentials: { username: 'me', password } });
    t.teardown(() => context.close());
    const page = await context.newPage();
    return { page, status: (await page.goto(url))?.status() };
  };
  t.equal((await visit('wrong')).status, 401);
  const { page, status } = await visit(token);
  t.equal(status, 200);
  await page.locator('#live[data-state=on]').waitFor();
});

void t.test(
  'a page that the same browser has open from elsewhere changes and reads nothing',
  { skip },
  async (t) => {
    const { url, proxy } = await guarded(t, 'http', { changing: { local: true } });
    const elsewhere = await startBackend(t, (_, response) => {
      response.setHeader('content-type', 'text/html');
      response.end(
        `<title>waiting</title><iframe name="frame"></iframe><form method="post" target="frame" action="${url}reload"></form>`,
      );
    });
    const context = await browser!.newContext();
    t.teardown(() => context.close());
    const page = await context.newPage();
    // Another port of this machine: to a browser the same site. Another name: another site.
    const { port } = new URL(`http://${elsewhere.endpoint}`);
    for (const host of ['localhost', '127.0.0.1']) {
      await page.goto(`http://${host}:${port}/`);
      await page.evaluate(
        `fetch('${url}reload', { method: 'POST', mode: 'no-cors' }).then(() => {}, () => {})`,
      );
      const read = await page.evaluate(
        `fetch('${url}status').then((answer) => answer.text(), () => 'not let in')`,
      );
      t.equal(read, 'not let in', host);
      const answered = page.waitForResponse(`${url}reload`);
      await page.evaluate('document.forms[0].submit()');
      t.equal((await answered).status(), 403, host);
    }
    t.same(
      proxy.log.filter(({ message }) => message === 'admin change'),
      [],
    );
    // From its own page it would have been done.
    await page.goto(url);
    t.equal(await page.evaluate("fetch('/reload', { method: 'POST' }).then((answer) => answer.status)"), 200);
  },
);

const picture = process.env['STATUS_PAGE_PNG'];
if (picture !== undefined) {
  const seconds = Number(process.env['STATUS_PAGE_SECONDS'] ?? 30);
  void t.test('a picture of it', { skip, timeout: (seconds + 60) * 1000 }, async (t) => {
    const rig = await start(t, { ...material, 'partners-ca.pem': partners.cert });
    const partner = await partners.issue({ cn: 'svc-42', notAfter: Date.now() + 20 * day });
    const { page } = await rig.open({ viewport: { width: 1160, height: 1020 } });
    const until = Date.now() + seconds * 1000;
    for (let turn = 0; Date.now() < until; turn++) {
      const times = Math.round(5 + 3 * Math.sin(turn / 90) + 2 * Math.sin(turn / 31));
      await Promise.all(
        Array.from({ length: times }, (_, index) => rig.as((turn + index) % 3 === 0 ? ben : ada)),
      );
      if (turn % 29 === 7) await rig.as(sam, '/reports/2026');
      if (turn % 53 === 11) await rig.as(ben, '/admin/users');
      if (turn % 71 === 3) await rig.as(old);
      if (turn % 97 === 5) await rig.as(null, '/orders');
      if (turn % 5 === 3) await rig.as(partner, '/api/orders', 'partners.example.com');
      if (turn % 61 === 13) await rig.as(null, '/api/orders', 'partners.example.com');
      await page.waitForTimeout(50);
    }
    const open = await Promise.all(
      Array.from({ length: 14 }, () =>
        openTls({ port: rig.proxy.port, certificate: ada, serverName: 'in.example.com' }),
      ),
    );
    for (const socket of open) t.teardown(() => socket.destroy());
    await page.waitForTimeout(1500);
    await page.screenshot({ path: picture });
  });
}

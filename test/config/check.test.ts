import t from 'tap';
import { CheckMemory } from '../../src/config/check-memory.ts';
import { checkMaterial, hostwiseSteps } from '../../src/config/check.ts';
import { readDocument } from '../../src/config/document.ts';
import { formatProblem } from '../../src/config/problem.ts';
import type { Config } from '../../src/config/schema.ts';
import { finish } from '../../src/steps.ts';
import { createAuthority } from '../support/pki.ts';
import { changed, material, valid } from './fixture.ts';

const day = 86_400_000;
const now = Date.parse('2026-06-15T12:00:00Z');
const files = await material();

/** What is said of the files at `now`, in an order that does not depend on who said it first. */
function said(contents: Readonly<Record<string, string>>, text = valid, at = now): string[] {
  const { data, place } = readDocument('c', text);
  return checkMaterial(data as Config, new Map(Object.entries(contents)), at)
    .map((finding) => formatProblem(place(finding)))
    .sort();
}

/** Files that are good at `now`, with some made otherwise. */
async function made(
  options: { ca?: object; server?: object; client?: object; crl?: object } = {},
): Promise<Record<string, string>> {
  const [notBefore, notAfter] = [now - 100 * day, now + 100 * day];
  const root = await createAuthority({ cn: 'Root', notBefore, notAfter, ...options.ca });
  const names = ['a.example.com', '*.b.example.com', '192.0.2.1', 'public.example.com'];
  const server = await root.issue({ usage: 'server', hosts: names, notBefore, notAfter, ...options.server });
  const client = await root.issue({ cn: 'client', notBefore, notAfter, ...options.client });
  return {
    'ca.pem': root.cert,
    'ca.crl': root.crl({ revoked: [], thisUpdate: notBefore, nextUpdate: notAfter, ...options.crl }),
    'server.pem': server.bundle,
    'server-key.pem': server.key,
    'client.pem': client.bundle,
    'client-key.pem': client.key,
  };
}

void t.test('good files have no findings', async (t) => {
  t.same(said(files, valid, Date.now()), []);
  t.same(said(await made()), []);
});

void t.test('files that are missing are passed over: loading told of them', async (t) => {
  t.same(said({}), []);
});

void t.test(
  'a certificate past its end is an error, near its end a warning, before its beginning an error',
  async (t) => {
    t.same(said(await made({ server: { notAfter: now - 1000 } })), [
      'c:32:26 /hosts/1/certificate/cert the certificate in `server.pem` expired on 2026-06-15T11:59:59Z',
      'c:7:26 /hosts/0/certificate/cert the certificate in `server.pem` expired on 2026-06-15T11:59:59Z',
    ]);
    t.match(said(await made({ server: { notAfter: now + 10.5 * day } })), [
      /cert warning: the certificate in `server.pem` expires in 10 days, on 2026-06-26T00:00:00Z$/,
      /warning/,
    ]);
    t.match(said(await made({ server: { notAfter: now + 1000 } })), [/expires today/, /expires today/]);
    t.same(said(await made({ server: { notAfter: now + 30 * day + 1000 } })), []);
    t.match(said(await made({ server: { notBefore: now + 1000 } })), [
      /cert the certificate in `server.pem` is not valid before 2026-06-15T12:00:01Z/,
      /is not valid before/,
    ]);
    t.match(said(await made({ client: { notAfter: now - day } })), [
      /^c:41:60 \/upstreams\/tls\/tls\/cert the certificate in `client.pem` expired on 2026-06-14T12:00:00Z$/,
    ]);
  },
);

void t.test('an intermediate past its end is told of too', async (t) => {
  const root = await createAuthority({ cn: 'Root', notAfter: now + 100 * day });
  const middle = await createAuthority({
    cn: 'Middle',
    parent: root,
    notBefore: now - 9 * day,
    notAfter: now - day,
  });
  const server = await middle.issue({
    usage: 'server',
    hosts: ['public.example.com'],
    notAfter: now + 100 * day,
    notBefore: now - day,
  });
  const good = await made();
  t.match(
    said(
      { ...good, 'server.pem': server.bundle },
      changed(["[a.example.com, '*.b.example.com', 192.0.2.1]", '[public.example.com]']),
    ),
    [
      /\/hosts\/1\/certificate\/cert the 2nd certificate in `server.pem` expired/,
      /\/hosts\/0\/certificate\/cert the 2nd certificate in `server.pem` expired/,
    ],
  );
});

void t.test('a chain out of order is a warning', async (t) => {
  const [root, other] = [await createAuthority({ cn: 'Root' }), await createAuthority({ cn: 'Other' })];
  const server = await root.issue({ usage: 'server', hosts: ['public.example.com'] });
  const text = changed(["[a.example.com, '*.b.example.com', 192.0.2.1]", '[public.example.com]']);
  const findings = said({ 'server.pem': server.cert + other.cert + root.cert }, text, Date.now());
  t.match(findings, [
    /warning: the 2nd certificate in `server.pem` did not issue the one before it/,
    /warning/,
  ]);
});

void t.test('a name that the certificate does not cover is an error at the name', async (t) => {
  const text = changed([
    "[a.example.com, '*.b.example.com', 192.0.2.1]",
    "[A.Example.Com, x.a.example.com, '*.b.example.com', '*.example.com', y.b.example.com, z.y.b.example.com, b.example.com, 192.0.2.1, 192.0.2.2, '2001:db8::1']",
  ]);
  t.same(
    said(await made(), text).map((problem) =>
      problem.replace(/ the certificate in `server.pem` does not cover /, ' ').replace(/: it has.*/, ''),
    ),
    [
      'c:6:117 /hosts/0/names/6 `b.example.com`',
      'c:6:143 /hosts/0/names/8 `192.0.2.2`',
      'c:6:154 /hosts/0/names/9 `2001:db8::1`',
      'c:6:28 /hosts/0/names/1 `x.a.example.com`',
      'c:6:64 /hosts/0/names/3 `*.example.com`',
      'c:6:98 /hosts/0/names/5 `z.y.b.example.com`',
    ],
  );
  const text2 = changed(['[public.example.com]', '[other.example.com]']);
  t.match(said(await made(), text2), [
    /it has `DNS:a.example.com, DNS:\*.b.example.com, IP Address:192.0.2.1, DNS:pu/,
  ]);
});

void t.test('a common name covers nothing, as for every client of today', async (t) => {
  const text = changed(["[a.example.com, '*.b.example.com', 192.0.2.1]", '[x.example.com]']);
  const findings = said(await made({ server: { hosts: [], cn: 'x.example.com' } }), text);
  t.match(findings, [
    /\/hosts\/1\/names\/0 .* it has no names at all/,
    /\/hosts\/0\/names\/0 .*does not cover `x.example.com`: it has no names at all/,
  ]);
});

void t.test('of several CAs an expired one is a warning, all of them an error', async (t) => {
  const good = await made();
  const old = await createAuthority({ cn: 'Old', notBefore: now - 50 * day, notAfter: now - day });
  const text = changed(['      crl: ca.crl\n', '']);
  t.match(said({ ...good, 'ca.pem': good['ca.pem']! + old.cert }, text), [
    /\/hosts\/0\/clientAuth\/ca warning: the CA `CN=Old` in `ca.pem` expired on 2026-06-14T12:00:00Z$/,
    /\/upstreams\/tls\/tls\/ca warning: the CA `CN=Old`/,
  ]);
  t.match(said({ ...good, 'ca.pem': old.cert }, text), [
    /\/hosts\/0\/clientAuth\/ca the CA `CN=Old` in `ca.pem` expired on 2026-06-14T12:00:00Z: nobody is verified$/,
    /\/upstreams\/tls\/tls\/ca the CA `CN=Old`.*: nobody is verified$/,
  ]);
  const ending = await made({ ca: { notAfter: now + 3 * day } });
  t.match(said(ending, text), [/warning: the CA `CN=Root` in `ca.pem` expires in 3 days/, /warning/]);
});

void t.test('a private key in a trust store is a warning', async (t) => {
  const good = await made();
  const findings = said({ ...good, 'ca.pem': good['ca.pem']! + good['server-key.pem']! });
  t.match(findings, [/warning: `ca.pem` holds a private key too/, /warning/]);
});

void t.test('a CRL that locks everyone out is a warning that says so', async (t) => {
  const late = await made({ crl: { nextUpdate: now - day } });
  t.same(said(late), [
    'c:12:12 /hosts/0/clientAuth/crl warning: the 1st CRL in `ca.crl` was due to be replaced by 2026-06-14T12:00:00Z: until it is, every client of `CN=Root` is refused',
  ]);
  const early = await made({ crl: { thisUpdate: now + day } });
  t.match(said(early), [
    /warning: the 1st CRL in `ca.crl` is not valid before 2026-06-16T12:00:00Z: until then every client of `CN=Root` is refused$/,
  ]);
});

void t.test('a CRL of none of the CAs, and a CA without a CRL, are warnings', async (t) => {
  const good = await made();
  const other = await createAuthority({ cn: 'Other', notBefore: now - day, notAfter: now + 100 * day });
  t.match(
    said({ ...good, 'ca.crl': other.crl({ revoked: [], thisUpdate: now - day, nextUpdate: now + day }) }),
    [
      /warning: `ca.crl` has no CRL of `CN=Root`: every client of that CA is refused$/,
      /warning: the 1st CRL in `ca.crl` is of none of the CAs in `ca.pem`: it revokes nothing here$/,
    ],
  );
  const both = good['ca.crl']! + other.crl({ revoked: [], thisUpdate: now - day, nextUpdate: now + day });
  t.same(said({ ...good, 'ca.pem': good['ca.pem']! + other.cert, 'ca.crl': both }), []);
});

void t.test('where client certificates are off, its CRL is not looked at', async (t) => {
  const late = await made({ crl: { nextUpdate: now - day } });
  t.same(said(late, changed(['mode: require', 'mode: off'])), []);
});

void t.test('a CRL that only routes inherit is looked at, and told of once', async (t) => {
  const late = await made({ crl: { nextUpdate: now - day } });
  const asking = (route: string) => [route, `${route}\n        clientAuth: { mode: require }`] as const;
  const routes = [asking('bodyLimit: 8m'), asking('pathType: Exact')];
  const told = [/^c:12:12 \/hosts\/0\/clientAuth\/crl warning: the 1st CRL in `ca.crl` was due/];
  t.match(said(late, changed(['mode: require', 'mode: off'], ...routes)), told);
  t.match(said(late, changed(...routes)), told);
  t.equal(said(late, changed(...routes)).length, 1);
});

void t.test('a route with a CA of its own is told of a CRL that is none of its', async (t) => {
  const good = await made();
  const other = await createAuthority({ cn: 'Other', notBefore: now - day, notAfter: now + 100 * day });
  const text = changed([
    'pathType: Exact',
    'pathType: Exact\n        clientAuth: { mode: require, ca: other.pem }',
  ]);
  t.match(said({ ...good, 'other.pem': other.cert }, text), [
    /^c:12:12 \/hosts\/0\/clientAuth\/crl warning: `ca.crl` has no CRL of `CN=Other`/,
    /^c:12:12 \/hosts\/0\/clientAuth\/crl warning: the 1st CRL in `ca.crl` is of none of the CAs in `other.pem`/,
  ]);
});

void t.test('host by host the same is found, also by who remembers what there was', async (t) => {
  const config = readDocument('c', valid).data as Config;
  const memory = new CheckMemory();
  const good = await made({ server: { notBefore: now - 5 * day, notAfter: now + 50 * day } });
  const others = [
    await made({ server: { hosts: ['other.example.com'] } }),
    await made({ ca: { notAfter: now + 2 * day } }),
    await made({ crl: { nextUpdate: now - day } }),
  ];
  let found = 0;
  for (const [index, contents] of [good, good, ...others.flatMap((other) => [other, good])].entries()) {
    for (const days of [0, 1, 19, 21, 49, 51, 10, -6, 0]) {
      const at = now + days * day;
      const material = new Map(Object.entries(contents));
      memory.begin();
      const hostwise = finish(hostwiseSteps(config, material, at, memory));
      memory.end();
      const whole = checkMaterial(config, material, at);
      found += whole.length;
      const inOrder = (findings: readonly object[]): string[] =>
        findings.map((finding) => JSON.stringify(finding)).sort();
      t.same(inOrder(hostwise), inOrder(whole), `contents ${index}, day ${days}`);
    }
  }
  t.ok(found > 0);
});

void t.test('what is remembered of a host names the place where it stands now', async (t) => {
  const config = readDocument('c', valid).data as Config;
  const memory = new CheckMemory();
  const other = await made({ server: { hosts: ['other.example.com'] } });
  const material = new Map(Object.entries(other));
  const [host] = config.hosts;
  const before = { ...config.hosts[0]!, names: ['other.example.com'] };
  for (const hosts of [[host!], [before, host!], [host!, before]]) {
    const moved = { ...config, hosts };
    memory.begin();
    const hostwise = finish(hostwiseSteps(moved, material, now, memory));
    memory.end();
    t.ok(hostwise.length > 0);
    t.same(hostwise, checkMaterial(moved, material, now), `${hosts.length} hosts`);
  }
});

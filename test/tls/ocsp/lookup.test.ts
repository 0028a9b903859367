import { X509Certificate } from 'node:crypto';
import type { RequestListener } from 'node:http';
import t from 'tap';
import { OcspLookup } from '../../../src/tls/ocsp/lookup.ts';
import { OcspTransport, responderOf } from '../../../src/tls/ocsp/transport.ts';
import { freePort } from '../../support/free-port.ts';
import { indexOf, startOpenssl, startResponder } from '../../support/ocsp.ts';
import { createAuthority, keyFromPem } from '../../support/pki.ts';
import { needs } from '../../support/program.ts';
import { accessTo, makeResponse, purposes } from './respond.ts';

interface Test {
  teardown(handler: () => unknown): void;
}

const hour = 3_600_000;
const ca = await createAuthority({ cn: 'CA' });
const client = await ca.issue({ cn: 'client' });
const other = await ca.issue({ cn: 'other' });
const lost = await ca.issue({ cn: 'lost' });
const issuer = new X509Certificate(ca.cert);
const answer = makeResponse({
  leaf: client.der,
  issuer: ca.der,
  signer: { der: ca.der, key: keyFromPem(ca.key) },
});

function lookup(t: Test, limit?: number) {
  const clock = { now: Date.now() };
  const transport = new OcspTransport();
  t.teardown(() => transport.close());
  return { clock, lookup: new OcspLookup(transport, () => clock.now, limit) };
}

const options = (responder: URL | null) => ({ responder, timeoutMs: 5000, maxAgeMs: 24 * hour });

await t.test(
  'an answer is remembered until it ends, by certificate, and asked for once at a time',
  async (t) => {
    const responder = await startResponder(t, (_, response) => response.end(answer));
    const { lookup: ocsp, clock } = lookup(t);
    const ask = () => ocsp.find(client.der, issuer, options(responder.url));
    const both = await Promise.all([ask(), ask()]);
    t.equal(responder.asked(), 1, 'one request for both');
    t.match(both, [{ status: 'good' }, { status: 'good' }]);
    t.ok(Math.abs(both[0].validUntil - clock.now - hour) < 5000, 'until nextUpdate');
    await ask();
    t.equal(responder.asked(), 1);
    const brief = await ocsp.find(client.der, issuer, { ...options(responder.url), maxAgeMs: 60_000 });
    t.equal(brief.validUntil, clock.now + 60_000, 'or for as long as the host lets it');
    clock.now += 61_000;
    await ocsp.find(client.der, issuer, { ...options(responder.url), maxAgeMs: 60_000 });
    t.equal(responder.asked(), 2);
    t.match(await ocsp.find(other.der, issuer, options(responder.url)), {
      status: 'unavailable',
      detail: /another certificate/,
    });
    clock.now += 2 * hour;
    t.match(await ask(), { status: 'unavailable', detail: /out of date/ }, 'a replay of it later');
  },
);

await t.test('no more certificates are remembered than the limit', async (t) => {
  const responder = await startResponder(t, (_, response) => response.end(answer));
  const { lookup: ocsp } = lookup(t, 2);
  for (const one of [client, other, lost]) await ocsp.find(one.der, issuer, options(responder.url));
  t.equal(ocsp.size, 2);
});

const failing: Record<string, [RequestListener, RegExp]> = {
  redirects: [(_, response) => response.writeHead(302, { location: '/elsewhere' }).end(), /it answered 302/],
  'answers 500': [(_, response) => response.writeHead(500).end(answer), /it answered 500/],
  'sends nonsense': [(_, response) => response.end('nonsense'), /malformed/],
  'sends nothing': [(_, response) => response.end(), /malformed/],
  'sends without end': [
    (_, response) => {
      const write = (): void => {
        if (!response.destroyed) response.write(Buffer.alloc(1024 ** 2));
      };
      response.on('drain', write);
      write();
    },
    /UND_ERR_RES_EXCEEDED_MAX_SIZE/,
  ],
  'breaks off': [
    (_, response) => response.writeHead(200).write(answer.subarray(0, 9), () => response.destroy()),
    /no response/,
  ],
};
for (const [name, [listener, detail]] of Object.entries(failing)) {
  await t.test(`a responder that ${name} is no answer, and is left alone for a while`, async (t) => {
    const responder = await startResponder(t, listener);
    const { lookup: ocsp, clock } = lookup(t);
    const ask = () => ocsp.find(client.der, issuer, options(responder.url));
    t.match(await ask(), { status: 'unavailable', detail });
    await ask();
    t.equal(responder.asked(), 1);
    clock.now += 11_000;
    await ask();
    t.equal(responder.asked(), 2);
  });
}

await t.test('a responder that says nothing is given up on after the time-out', async (t) => {
  const responder = await startResponder(t, () => {});
  const { lookup: ocsp } = lookup(t);
  const started = Date.now();
  const status = await ocsp.find(client.der, issuer, { ...options(responder.url), timeoutMs: 100 });
  t.match(status, { status: 'unavailable', detail: /nothing whole came within 100 ms/ });
  t.ok(Date.now() - started < 3000);
});

await t.test('a responder that answers nobody is left alone, whoever it would be asked about', async (t) => {
  const responder = await startResponder(t, (request) => request.socket.destroy());
  const { lookup: ocsp, clock } = lookup(t);
  const ask = (one: typeof client) => ocsp.find(one.der, issuer, options(responder.url));
  for (const one of [client, other, lost]) {
    t.match(
      await ask(one),
      { status: 'unavailable', detail: /no response/ },
      'a single failure proves little',
    );
  }
  t.equal(responder.asked(), 3);
  const fourth = await ca.issue({ cn: 'fourth' });
  t.match(await ask(fourth), { status: 'unavailable', detail: /no answer lately/ });
  t.equal(responder.asked(), 3);
  clock.now += 10_000;
  const both = await Promise.all([ask(client), ask(other)]);
  t.equal(responder.asked(), 4, 'one tries it for all');
  t.match(both, [{ detail: /no response/ }, { detail: /no answer lately/ }]);
});

await t.test('a responder that is not there is no answer', async (t) => {
  const { lookup: ocsp } = lookup(t);
  const url = new URL(`http://127.0.0.1:${await freePort()}/`);
  t.match(await ocsp.find(client.der, issuer, options(url)), {
    status: 'unavailable',
    detail: /ECONNREFUSED/,
  });
});

await t.test('only plain http URLs of certificates are asked', async (t) => {
  const none = [
    'https://a/',
    'file:///etc/passwd',
    'ftp://a/',
    'http://user@a/',
    'http://u:p@a/',
    'ldap:',
    '',
    'a',
  ];
  for (const address of none) t.equal(responderOf(address), null, address);
  t.equal(responderOf('http://a.test:81/b?c')?.href, 'http://a.test:81/b?c');
  const { lookup: ocsp } = lookup(t);
  t.match(await ocsp.find(client.der, issuer, options(null)), {
    detail: 'the certificate names no responder',
  });
  const odd = await ca.issue({
    cn: 'odd',
    extensions: [{ oid: '1.3.6.1.5.5.7.1.1', value: accessTo('file:///etc/passwd') }],
  });
  t.match(await ocsp.find(odd.der, issuer, options(null)), { detail: 'its responder is no http URL' });
});

const delegate = await ca.issue({
  cn: 'responder',
  extensions: [{ oid: '2.5.29.37', value: purposes('1.3.6.1.5.5.7.3.9') }],
});
const pretender = await ca.issue({ cn: 'pretender' });
for (const [name, signer] of Object.entries({
  'the CA': ca,
  'a delegate': delegate,
  'a mere certificate': pretender,
})) {
  await t.test(`openssl's responder, signing as ${name}`, needs('openssl', 'version'), async (t) => {
    const index = indexOf({ V: [client], R: [other] });
    const { url } = await startOpenssl(t, ca, signer, index);
    const { lookup: ocsp } = lookup(t);
    const where = options(url);
    const statuses = [];
    for (const one of [client, other, lost]) {
      const { status, detail } = await ocsp.find(one.der, issuer, where);
      if (status === 'unavailable') t.match(detail, /signed it/);
      statuses.push(status);
    }
    t.same(
      statuses,
      name === 'a mere certificate' ? statuses.map(() => 'unavailable') : ['good', 'revoked', 'unknown'],
    );
  });
}

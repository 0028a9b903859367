import * as fc from 'fast-check';
import t from 'tap';
import { readTold } from '../../src/proxy/headers/told.ts';
import { AddressRanges, parseCidr } from '../../src/tls/cidr.ts';

const ranges = (...texts: readonly string[]): AddressRanges =>
  new AddressRanges(texts.map((text) => parseCidr(text)!));
const near = ranges('10.0.0.0/8', '2001:db8:1::/48');

function address(forwardedFor: string | readonly string[], peer = '10.0.0.1', trust = near): string | null {
  const headers = [forwardedFor].flat().flatMap((value) => ['X-Forwarded-For', value]);
  return readTold(headers, peer, trust)?.address ?? null;
}

await t.test('nobody is believed but the proxies that are named', async (t) => {
  const headers = ['X-Forwarded-For', '192.0.2.1', 'X-Forwarded-Proto', 'https'];
  t.equal(readTold(headers, '10.0.0.1', null), null);
  t.equal(readTold(headers, '192.0.2.9', near), null);
  t.same(readTold(headers, '10.0.0.1', near), {
    address: '192.0.2.1',
    scheme: 'https',
    host: null,
    port: null,
  });
});

await t.test('the client is the last address that is no trusted proxy', async (t) => {
  t.equal(address('192.0.2.1'), '192.0.2.1');
  t.equal(address('192.0.2.66, 192.0.2.1, 10.9.9.9'), '192.0.2.1', 'what is in front of it may be forged');
  t.equal(address(['192.0.2.66', '192.0.2.1', '10.9.9.9']), '192.0.2.1', 'over several headers');
  t.equal(address('10.1.1.1, 10.2.2.2'), '10.1.1.1', 'all of them trusted: the first');
  t.equal(address(''), '10.0.0.1', 'nothing said: the proxy itself');
  t.equal(address('192.0.2.1, unknown, 10.2.2.2'), '10.2.2.2', 'the way ends where an entry is no address');
  t.equal(address('::ffff:192.0.2.1'), '192.0.2.1');
  t.equal(address('192.0.2.1:4711'), '192.0.2.1');
  t.equal(address('[2001:db8:9::1]:4711'), '2001:db8:9::1');
  t.equal(address('2001:DB8:9:0::1, 2001:db8:1::5'), '2001:db8:9::1');
  t.equal(
    address('192.0.2.1', '10.0.0.1', ranges('0.0.0.0/0')),
    '192.0.2.1',
    'everyone trusted, as ingress-nginx',
  );
});

await t.test(
  'scheme, host and port are the nearest proxy’s word, and only where they can be read',
  async (t) => {
    const told = (...headers: string[]): unknown => readTold(headers, '10.0.0.1', near);
    t.match(told('X-Forwarded-Proto', 'http, HTTPS'), { scheme: 'https' });
    t.match(told('X-Forwarded-Proto', 'javascript'), { scheme: null });
    t.match(told('X-Forwarded-Host', 'a.test:8443'), { host: 'a.test:8443' });
    t.match(told('X-Forwarded-Host', 'a.test/evil'), { host: null });
    t.match(told('X-Forwarded-Port', '8443'), { port: '8443' });
    t.match(told('X-Forwarded-Port', '70000'), { port: null });
  },
);

await t.test('no header makes it throw, and an address is always what comes out', async () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (forwardedFor, host) => {
      const told = readTold(['X-Forwarded-For', forwardedFor, 'X-Forwarded-Host', host], '10.0.0.1', near);
      if (told === null || !/^[0-9a-f.:]+$/.test(told.address)) throw new Error(String(told?.address));
    }),
  );
});

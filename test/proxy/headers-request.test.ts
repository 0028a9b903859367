import { isDeepStrictEqual } from 'node:util';
import * as fc from 'fast-check';
import t from 'tap';
import {
  foldHeaderName,
  allDialectHeaderNames,
  identityHeaderNamesOf,
} from '../../src/proxy/headers/names.ts';
import { checkTemplates, planIdentityHeaders } from '../../src/proxy/headers/identity.ts';
import { planRequestHeaders, type RequestHeadersInput } from '../../src/proxy/headers/request.ts';
import { chooseRequestId, clientRequestId } from '../../src/proxy/headers/request-id.ts';
import type { ClientAuth, IdentityHeaders } from '../../src/snapshot/snapshot.ts';
import { none } from '../../src/tls/verdict.ts';
import { authOff, testTrust } from '../support/client-auth.ts';
import { aConnection, anIdentity, testTrustKey } from '../support/identity.ts';
import { testRoute } from '../support/route.ts';
import { toMap } from './headers/decode.ts';

const clientAuth: ClientAuth = { mode: 'require', trust: testTrust(testTrustKey) };

const settings = (changes: Partial<IdentityHeaders> = {}): IdentityHeaders => ({
  dialects: ['nginx'],
  certificate: false,
  templates: new Map(),
  ...changes,
});

const input = (
  rawHeaders: readonly string[],
  changes: Partial<RequestHeadersInput> = {},
): RequestHeadersInput => ({
  rawHeaders: ['Host', 'A.test:8443', ...rawHeaders],
  head: { method: 'GET', path: '/', query: '', host: 'a.test', authority: 'A.test:8443' },
  connection: aConnection(),
  route: testRoute('a.test', '/', { clientAuth, identityHeaders: settings() }),
  snapshotIdentityHeaderNames: allDialectHeaderNames,
  requestId: 'id-1',
  scheme: 'https',
  appendForwardedFor: false,
  ...changes,
});

/** What we always set, for a request without forwarding headers of its own. */
const forwarded = [
  ['X-Request-ID', 'id-1'],
  ['X-Real-IP', '192.0.2.7'],
  ['X-Forwarded-For', '192.0.2.7'],
  ['X-Forwarded-Host', 'A.test:8443'],
  ['X-Forwarded-Port', '443'],
  ['X-Forwarded-Proto', 'https'],
  ['X-Forwarded-Scheme', 'https'],
  ['X-Scheme', 'https'],
].flat();
const identified = [
  ['ssl-client-verify', 'SUCCESS'],
  ['ssl-client-subject-dn', 'CN=roshankhatri,OU=ITOps,O=Logpoint Nepal,L=Lalitpur,ST=Nepal,C=NP'],
  ['ssl-client-issuer-dn', 'CN=Root A,O=Logpoint Nepal,C=NP'],
].flat();
const bare = ['Host', 'A.test:8443', ...forwarded, ...identified];

void t.test("Host is preserved, the client's headers keep their order, ours follow", async (t) => {
  const own = [
    'Accept',
    '*/*',
    'Cookie',
    'a=1',
    'cookie',
    'b=2',
    'X-Caf',
    '\xe9',
    'Authorization',
    'Bearer x',
  ];
  t.strictSame(planRequestHeaders(input(own)), ['Host', 'A.test:8443', ...own, ...forwarded, ...identified]);
});

void t.test("forwarding headers are ours; the client's are kept as the original ones", async (t) => {
  const planned = toMap(
    planRequestHeaders(
      input(
        [
          ['X-Forwarded-For', '6.6.6.6'],
          ['x-forwarded-for', '7.7.7.7, 8.8.8.8'],
          ['X-FORWARDED-HOST', 'evil.test'],
          ['X-Forwarded-Port', '1'],
          ['X-Forwarded-Proto', 'http'],
          ['X-Forwarded-Scheme', 'http'],
          ['X-Scheme', 'http'],
          ['X-Real-Ip', '6.6.6.6'],
          ['X-Request-Id', 'theirs'],
          ['X-Original-Forwarded-For', '9.9.9.9'],
          ['X-Original-Forwarded-Host', 'forged.test'],
        ].flat(),
      ),
    ),
  );
  t.equal(planned.get('x-forwarded-for'), '192.0.2.7');
  t.equal(planned.get('x-forwarded-host'), 'A.test:8443');
  t.equal(planned.get('x-forwarded-port'), '443');
  t.equal(planned.get('x-forwarded-proto'), 'https');
  t.equal(planned.get('x-forwarded-scheme'), 'https');
  t.equal(planned.get('x-scheme'), 'https');
  t.equal(planned.get('x-real-ip'), '192.0.2.7');
  t.equal(planned.get('x-request-id'), 'id-1');
  t.equal(planned.get('x-original-forwarded-for'), '6.6.6.6, 7.7.7.7, 8.8.8.8');
  t.equal(planned.get('x-original-forwarded-host'), 'evil.test');
});

void t.test('headers of one hop, framing, Expect and Proxy go no further', async (t) => {
  for (const name of [
    'Connection',
    'Keep-Alive',
    'Proxy-Connection',
    'Proxy-Authenticate',
    'Proxy-Authorization',
    'TE',
    'Trailer',
    'Transfer-Encoding',
    'Upgrade',
    'HTTP2-Settings',
    'Content-Length',
    'Expect',
    'Proxy',
  ]) {
    for (const spelling of [name, name.toLowerCase(), name.toUpperCase()]) {
      t.strictSame(planRequestHeaders(input([spelling, 'x', spelling, 'y'])), bare, spelling);
    }
  }
});

void t.test('headers that Connection names go no further', async (t) => {
  t.strictSame(
    planRequestHeaders(
      input(['X-Hop', '1', 'Connection', 'keep-alive, x-hOp', 'X-2', '2', 'connection', ' X-2\t,,']),
    ),
    bare,
  );
});

void t.test('Connection cannot name away what we set', async (t) => {
  const names = bare.filter((_, index) => index % 2 === 0);
  t.strictSame(planRequestHeaders(input(['Connection', names.join(', ')])), bare);
  t.strictSame(planRequestHeaders(input(names.flatMap((name) => ['Connection', name.toUpperCase()]))), bare);
});

void t.test('header names beyond letters, digits and hyphens are dropped, as nginx does', async (t) => {
  for (const name of [
    'a_b',
    'ssl_client_verify',
    'ssl.client.verify',
    'X_Forwarded_For',
    'a!b',
    'a~b',
    '__proto__',
    'x$y',
  ]) {
    t.strictSame(planRequestHeaders(input([name, 'x'])), bare, name);
  }
});

void t.test('headers of a template anywhere in the snapshot are removed on every host', async (t) => {
  const snapshotIdentityHeaderNames = identityHeaderNamesOf([
    settings({
      templates: new Map([
        ['X-Tenant.Id', '{o}'],
        ['X-User', '{cn}'],
      ]),
    }),
  ]);
  const forged = ['X-Tenant-Id', 'evil', 'x-user', 'admin', 'X_User', 'admin', 'X.Tenant.Id', 'evil'];
  t.strictSame(planRequestHeaders(input(forged, { snapshotIdentityHeaderNames })), bare);
});

void t.test('names that have no fixed list are removed by family', async (t) => {
  for (const name of [
    'SSL-Client-Anything',
    'X-SSL-Client-New',
    'Client-Cert-Foo',
    'X-Client-Cert-Foo',
    'X-Forwarded-Tls-Client-X',
  ]) {
    t.strictSame(planRequestHeaders(input([name, 'x'])), bare, name);
  }
  const innocent = ['X-Client-Version', '1', 'Client-Certainly-Not', '2', 'X-SSL', 'on'];
  t.strictSame(planRequestHeaders(input(innocent)), [
    'Host',
    'A.test:8443',
    ...innocent,
    ...forwarded,
    ...identified,
  ]);
});

/** A name as someone would write it who hopes to get past a filter. */
const disguise = (name: string): fc.Arbitrary<string> =>
  fc
    .array(fc.tuple(fc.boolean(), fc.constantFrom('-', '-', '_', '.', '~')), {
      minLength: name.length,
      maxLength: name.length,
    })
    .map((choices) =>
      name
        .split('')
        .map((character, index) => {
          const [upper, hyphen] = choices[index] ?? [false, '-'];
          return character === '-' ? hyphen : upper ? character.toUpperCase() : character;
        })
        .join(''),
    );

void t.test('no forged identity header passes, in any spelling, number or company, on any host', async () => {
  const names = [
    ...allDialectHeaderNames,
    'x-user',
    ...forwarded.filter((_, index) => index % 2 === 0).map(foldHeaderName),
  ];
  const field = fc.constantFrom(...names).chain((name) => fc.tuple(disguise(name), fc.constant('forged')));
  const connectionNaming = fc
    .array(fc.constantFrom(...names).chain(disguise), { maxLength: 3 })
    .map((names): [string, string] => ['Connection', names.join(', ')]);
  const innocent = fc.constantFrom(
    ['Accept', '*/*'] as [string, string],
    ['Cookie', 'a=1'] as [string, string],
  );
  const cases = fc.record({
    fields: fc.array(fc.oneof(field, field, connectionNaming, innocent), { maxLength: 8 }),
    verified: fc.boolean(),
    clientAuth: fc.constantFrom(clientAuth, authOff),
    dialects: fc.subarray(['nginx', 'xfcc', 'rfc9440', 'traefik', 'haproxy'] as const),
  });
  fc.assert(
    fc.property(cases, ({ fields, verified, clientAuth, dialects }) => {
      const templates = new Map([['X-User', '{cn}']]);
      const changes = {
        connection: aConnection(verified ? {} : { identity: null, verdict: none }),
        route: testRoute('a.test', '/', {
          clientAuth,
          identityHeaders: settings({ dialects, templates, certificate: true }),
        }),
        snapshotIdentityHeaderNames: identityHeaderNamesOf([settings({ templates })]),
      };
      const isForwarded = (name: string): boolean => /^x-forwarded-(?:for|host)$/i.test(name);
      const planned = planRequestHeaders(input(fields.flat(), changes));
      const clean = planRequestHeaders(
        input(
          fields.filter(([name]) => name === 'Accept' || name === 'Cookie' || isForwarded(name)).flat(),
          changes,
        ),
      );
      return (
        isDeepStrictEqual(planned, clean) && valuesBehind(planned, names).every((value) => value !== 'forged')
      );
    }),
    { numRuns: 1000 },
  );
});

/** What a backend that folds names would find under these, originals set aside. */
function valuesBehind(headers: readonly string[], names: readonly string[]): string[] {
  return headers.filter((_, index) => {
    const name = foldHeaderName(headers[index - 1] ?? '');
    return index % 2 === 1 && names.includes(name) && !name.startsWith('x-original-');
  });
}

void t.test('an identity goes only to a host for which it was verified', async (t) => {
  const connection = aConnection();
  for (const [host, what] of [
    [authOff, 'a host that asks for no certificates'],
    [{ ...clientAuth, trust: testTrust('another') }, 'a host with another trust store'],
  ] as const) {
    const dialects = ['nginx', 'xfcc', 'rfc9440', 'traefik', 'haproxy'] as const;
    const templates = new Map([
      ['X-User', '{cn}'],
      ['X-Verify', '{verify}'],
    ]);
    t.strictSame(
      planIdentityHeaders(connection, host, settings({ dialects, templates })),
      ['ssl-client-verify', 'NONE', 'X-Verify', 'NONE'],
      what,
    );
  }
  const neverAsked = aConnection({ trustKey: null });
  t.strictSame(planIdentityHeaders(neverAsked, authOff, settings()), ['ssl-client-verify', 'NONE']);
});

void t.test(
  'identity headers are planned once per connection and route, and never shared beyond',
  async (t) => {
    const first = aConnection();
    const second = aConnection({ identity: anIdentity({ subject: [] }) });
    const [a, b] = [settings(), settings({ dialects: ['rfc9440'] })];
    const host = clientAuth;
    const planned = planIdentityHeaders(first, host, a);
    t.equal(planIdentityHeaders(first, host, a), planned, 'the very same array');
    t.ok(Object.isFrozen(planned));
    t.not(planIdentityHeaders(second, host, a), planned);
    t.equal(planIdentityHeaders(first, host, b)[0], 'Client-Cert');
    t.strictSame(planIdentityHeaders(first, host, a), planned);
    t.strictSame(planIdentityHeaders(first, authOff, a), ['ssl-client-verify', 'NONE'], 'another host');
    t.strictSame(planIdentityHeaders(first, host, a), planned, 'and back');
  },
);

void t.test("a template takes the place of a dialect's header of the same name", async (t) => {
  const templates = new Map([['SSL-Client-Subject-Dn', '{cn}']]);
  const planned = toMap(planIdentityHeaders(aConnection(), clientAuth, settings({ templates })));
  t.equal(planned.get('ssl-client-subject-dn'), 'roshankhatri');
  t.equal(planned.get('ssl-client-verify'), 'SUCCESS');
});

void t.test('a template that does not compile stops the request', async (t) => {
  const identityHeaders = settings({ templates: new Map([['X-User', '{cm}']]) });
  t.throws(() => planIdentityHeaders(aConnection(), clientAuth, identityHeaders), /template of X-User/);
});

void t.test('templates are checked with their names', async (t) => {
  t.strictSame(
    checkTemplates([
      ['X-User', '{cn}'],
      ['Authorization', 'Cert {fingerprint}'],
    ]),
    [],
  );
  for (const name of [
    'Host',
    'content-length',
    'Transfer-Encoding',
    'Connection',
    'X-Forwarded-For',
    'X-Request-ID',
    'TE',
    'Expect',
  ]) {
    t.match(checkTemplates([[name, '{cn}']]), [{ name, problem: /not for a template/ }], name);
  }
  t.match(checkTemplates([['X_User', '{cn}']]), [{ name: 'X_User', problem: /_/ }]);
  t.match(checkTemplates([['X User', '{cn}']]), [{ problem: /no header name/ }]);
  t.match(
    checkTemplates([
      ['X-User', '{cn}'],
      ['x-user', '{ou}'],
    ]),
    [{ name: 'x-user', problem: /same header/ }],
  );
  t.match(checkTemplates([['X-User', '{nc}']]), [{ name: 'X-User', problem: /did you mean/ }]);
});

void t.test("the client's request id is kept if it is harmless", async (t) => {
  for (const id of ['a', 'A-z_0.9~+/=:@', 'x'.repeat(128), '4bf92f3577b34da6a3ce929d0e0e4736']) {
    t.equal(chooseRequestId(id, 'made'), id);
  }
  for (const id of [
    null,
    '',
    'x'.repeat(129),
    'a b',
    'a\tb',
    'a\r\nb',
    'a"b',
    '<script>',
    '${jndi:x}',
    'a,b',
    'é',
    'a\n',
    '%0a',
    '\\',
  ]) {
    t.equal(chooseRequestId(id, 'made'), 'made', JSON.stringify(id));
  }
  t.equal(clientRequestId(['x-REQUEST-id', ' a ']), 'a');
  t.equal(clientRequestId(['X-Request-ID', 'a', 'X-Request-ID', 'a']), null, 'two say nothing');
  t.equal(clientRequestId(['X_Request_ID', 'a']), null);
});

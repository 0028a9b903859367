import * as fc from 'fast-check';
import t from 'tap';
import { Settings } from 'typebox/system';
import { Check } from 'typebox/value';
import { readDocument } from '../../src/config/document.ts';
import { Config } from '../../src/config/schema.ts';
import { checkShape } from '../../src/config/shape.ts';
import { type Case, checkCases, problemsOf, valid } from './fixture.ts';

const cases: readonly Case[] = [
  {
    name: 'a missing section',
    change: [
      ['accessLog: false\n', ''],
      ['shutdown: ', 'shutdwn: '],
    ],
    problems: ['43:1 /shutdwn unknown key `shutdwn`, did you mean `shutdown`?'],
  },
  {
    name: 'an unknown key, near a known one',
    change: [['clientAuth:', 'cleintAuth:']],
    problems: ['8:5 /hosts/0/cleintAuth unknown key `cleintAuth`, did you mean `clientAuth`?'],
  },
  {
    name: 'an unknown key that belongs elsewhere',
    change: [
      [
        '    certificate: { cert: server.pem, key: server-key.pem }\n    routes: [',
        '    ca: ca.pem\n    certificate: { cert: server.pem, key: server-key.pem }\n    routes: [',
      ],
    ],
    problems: ['32:5 /hosts/1/ca unknown key `ca` here: it belongs into `clientAuth`'],
  },
  {
    name: 'an unknown key like none',
    change: [['accessLog: false', 'colour: red']],
    problems: [
      '44:1 /colour unknown key `colour`; here may stand listeners, include, tls, hosts, upstreams, forwarded, limits, shutdown, denyList, onTrustEnd, metrics, accessLog, expressLane, denials, inventory or workers',
    ],
  },
  {
    name: 'a key that is missing',
    change: [
      ['{ cert: server.pem, key: server-key.pem }\n    clientAuth', '{ cert: server.pem }\n    clientAuth'],
    ],
    problems: ['7:5 /hosts/0/certificate lacks `key`: a file, relative to the configuration file'],
  },
  {
    name: 'a word that is not one of those allowed',
    change: [['mode: require', 'mode: requires']],
    problems: [
      '9:13 /hosts/0/clientAuth/mode must be `require`, `optional`, `optional_no_ca` or `off`, not `requires`, did you mean `require`?',
    ],
  },
  {
    name: 'a word in the wrong case',
    change: [['pathType: Exact', 'pathType: exact']],
    problems: [
      '29:19 /hosts/0/routes/1/pathType must be `Exact`, `Prefix`, `RawPrefix` or `Regex`, not `exact`, did you mean `Exact`?',
    ],
  },
  {
    name: 'a number for a text',
    change: [['o: Example', 'o: 5']],
    problems: [
      '15:10 /hosts/0/policy/o must be text, { regex: … }, { exact: … } or a list, not `5`; put quotes around it: "5"',
    ],
  },
  {
    name: 'a text for a number',
    change: [['port: 8443', "port: '8443'"]],
    problems: ['2:38 /listeners/https/port must be a whole number, not `8443` in quotes'],
  },
  {
    name: 'a number out of range',
    change: [
      ['port: 8443', 'port: 84430'],
      ['verifyDepth: 2', 'verifyDepth: 0'],
    ],
    problems: [
      '2:38 /listeners/https/port must be 65535 or less, not `84430`',
      '13:20 /hosts/0/clientAuth/verifyDepth must be 1 or more, not `0`',
    ],
  },
  {
    name: 'half a number',
    change: [['port: 8443', 'port: 8443.5']],
    problems: ['2:38 /listeners/https/port must be a whole number, not `8443.5`'],
  },
  {
    name: 'a duration without a unit',
    change: [['headTimeout: 10s', 'headTimeout: 10']],
    problems: [
      '42:24 /limits/headTimeout must be a length of time: a whole number and a unit, one of ms, s, m, h, such as `60s`, not `10`',
    ],
  },
  {
    name: 'a duration in words',
    change: [['headTimeout: 10s', 'headTimeout: 10 seconds']],
    problems: [
      '42:24 /limits/headTimeout must be a length of time: a whole number and a unit, one of ms, s, m, h, such as `60s`, not `10 seconds`',
    ],
  },
  {
    name: 'a size as a number',
    change: [['bodyLimit: 8m', 'bodyLimit: 0']],
    problems: [
      '26:20 /hosts/0/routes/0/bodyLimit must be a number of bytes, with k, m or g for 1024, 1024², 1024³; "0" for no limit, such as `1m`, not `0`; put quotes around it: "0"',
    ],
  },
  {
    name: 'a size in megabytes',
    change: [['bodyLimit: 8m', 'bodyLimit: 8MB']],
    problems: [
      '26:20 /hosts/0/routes/0/bodyLimit must be a number of bytes, with k, m or g for 1024, 1024², 1024³; "0" for no limit, such as `1m`, not `8MB`',
    ],
  },
  {
    name: 'nothing where something should be',
    change: [['accessLog: false', 'accessLog:']],
    problems: ['44:1 /accessLog must be true or false, not empty'],
  },
  {
    name: 'a list where a map should be',
    change: [['limits: { headTimeout: 10s, headSize: 16k }', 'limits: [10s]']],
    problems: [
      '42:9 /limits must be a map with handshakeTimeout, handshakes, handshakesPerAddress, connections, connectionsPerAddress, headSize, headerCount, headTimeout, bodyTimeout, keepAliveTimeout and keepAliveRequests, not a list',
    ],
  },
  {
    name: 'one thing where a list should be',
    change: [["endpoints: ['backend.internal:443']", 'endpoints: backend.internal:443']],
    problems: [
      '40:16 /upstreams/tls/endpoints must be a list (endpoints as address:port. None: every request is answered 503), not `backend.internal:443`',
    ],
  },
  {
    name: 'an endpoint without a port',
    change: [['backend.internal:443', 'backend.internal']],
    problems: [
      '40:17 /upstreams/tls/endpoints/0 must be address:port, with brackets around an IPv6 address, such as `127.0.0.1:8000`, not `backend.internal`',
    ],
  },
  {
    name: 'an IPv6 endpoint without brackets',
    change: [['[::1]:8000', '::1:8000']],
    problems: [
      '36:35 /upstreams/app/endpoints/1 must be address:port, with brackets around an IPv6 address, such as `127.0.0.1:8000`, not `::1:8000`',
    ],
  },
  {
    name: 'a URL for an endpoint',
    change: [['backend.internal:443', 'https://backend.internal:443']],
    problems: [
      '40:17 /upstreams/tls/endpoints/0 must be address:port, with brackets around an IPv6 address, such as `127.0.0.1:8000`, not `https://backend.internal:443`',
    ],
  },
  {
    name: 'an empty list of names',
    change: [['[public.example.com]', '[]']],
    problems: [
      '31:12 /hosts/1/names must not be empty: write a list (host names, IP addresses, *.example.com for exactly one label, or * for all names of no other host)',
    ],
  },
  {
    name: 'a misspelt matcher',
    change: [["{ regex: 'c[0-9]+' }", "{ regx: 'c[0-9]+' }"]],
    problems: [
      '17:25 /hosts/0/policy/any/0/cn/2 must be { regex: … } or { exact: … }, did you mean `regex`?',
    ],
  },
  {
    name: 'two matchers in one',
    change: [["{ exact: '*' }", "{ exact: '*', regex: x }"]],
    problems: ['18:22 /hosts/0/policy/any/1/not/ou must be { regex: … } or { exact: … }'],
  },
  {
    name: 'a matcher of a kind there is not',
    change: [['o: Example', 'o: { glob: x }']],
    problems: ['15:10 /hosts/0/policy/o must be { regex: … } or { exact: … }'],
  },
  {
    name: 'an item in a list of matchers',
    change: [['[a, ', '[5, ']],
    problems: [
      '17:16 /hosts/0/policy/any/0/cn/0 must be text, { regex: … } or { exact: … }, not `5`; put quotes around it: "5"',
    ],
  },
  {
    name: 'an empty policy',
    change: [['policy: { ou: ITOps }', 'policy: {}']],
    problems: [
      '23:17 /hosts/0/routes/0/policy must not be empty: write a map with cn, ou, o, subject, issuer, dns, uri, email, ip, serial, fingerprint, spki, all, any and not',
    ],
  },
  {
    name: 'a policy that is a word',
    change: [['policy: { ou: ITOps }', 'policy: ITOps']],
    problems: [
      '23:17 /hosts/0/routes/0/policy must be a map with cn, ou, o, subject, issuer, dns, uri, email, ip, serial, fingerprint, spki, all, any and not, not `ITOps`',
    ],
  },
  {
    name: 'an unknown rule deep within',
    change: [['not: { ou:', 'not: { oou:']],
    problems: ['18:18 /hosts/0/policy/any/1/not/oou unknown key `oou`, did you mean `ou`?'],
  },
  {
    name: 'an attribute that no name has',
    change: [['L: Kathmandu', "'L,O': x"]],
    problems: [
      '19:20 /hosts/0/policy/any/2/subject must be { regex: … }, { exact: … } or a map where each key is an attribute by its short name (C, ST, L, O, OU, CN, emailAddress, serialNumber, …) or dotted OID',
    ],
  },
  {
    name: 'a header name that cannot be one',
    change: [['X-Client:', 'X_Client:']],
    problems: [
      '20:81 /hosts/0/identityHeaders/templates/X_Client `X_Client` is not a header name: letters, digits and -, and no _, which backends take for -',
    ],
  },
  {
    name: 'an upstream name that cannot be one',
    change: [
      ['  tls:\n    endpoints', '  a/b:\n    endpoints'],
      ['upstream: tls', 'upstream: a/b'],
    ],
    problems: [
      '39:3 /upstreams/a~1b `a/b` is not a name of letters, digits, ., _ and -, at most 128 of them',
    ],
  },
  {
    name: 'a path without its slash',
    change: [['path: /exact', 'path: exact']],
    problems: ['28:15 /hosts/0/routes/1/path must be a path that starts with /, not `exact`'],
  },
  {
    name: 'an unknown dialect',
    change: [['[nginx, xfcc]', '[nginx, xffc]']],
    problems: [
      '20:42 /hosts/0/identityHeaders/dialects/1 must be `nginx`, `xfcc`, `rfc9440`, `traefik` or `haproxy`, not `xffc`, did you mean `xfcc`?',
    ],
  },
];

void t.test('what does not fit the schema is told in words, where it stands', async (t) => {
  checkCases(t, cases);
});

const validData = (): unknown => readDocument('c.yaml', valid).data;

void t.test('what fits has no findings', async (t) => {
  t.same(checkShape(validData()), []);
});

void t.test('every misfit is told, not only the first eight', async (t) => {
  const keys = Array.from({ length: 50 }, (_, index) => `zz${index}: 1`).join('\n');
  t.equal(problemsOf(`${valid}${keys}\n`).length, 50);
  t.equal(Settings.Get().maxErrors, 8, 'and the setting of the process is as it was');
});

void t.test('a list of a million misfits is told up to a bound', async (t) => {
  const text = valid.replace("['backend.internal:443']", `[${'x, '.repeat(20_000)}x]`);
  const started = performance.now();
  t.ok(problemsOf(text).length <= 2000);
  t.ok(performance.now() - started < 20_000);
});

void t.test('a free key that misses its pattern does not carry its value past the checks', async (t) => {
  for (const key of ['"a\\nb"', '""', '"a b"', '"<<"', '"-a"']) {
    const problems = problemsOf(
      valid.replace('  tls:\n', `  ${key}: { endpoints: 5, anything: 1 }\n  tls:\n`),
    );
    t.equal(problems.length, 1, key);
    t.match(problems[0], /is not a name of letters/);
  }
  for (const name of ['"X-A\\r\\nX-B"', '"X A"', '""', '"X:"', '"X_A"']) {
    t.match(
      problemsOf(valid.replace("{ X-Client: '{cn}' }", `{ ${name}: 5 }`))[0],
      /is not a header name/,
      name,
    );
  }
});

void t.test('data of any kind is judged as the schema judges it, without an exception', async () => {
  const keys = fc.oneof(
    fc.constantFrom(
      'hosts',
      'names',
      'clientAuth',
      'mode',
      'policy',
      'any',
      'not',
      'cn',
      'upstreams',
      'x',
      '',
      '~/',
    ),
    fc.string({ maxLength: 3 }),
  );
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small' },
      fc.oneof(
        fc.constantFrom('require', 'ITOps', '60s', '/'),
        fc.integer(),
        fc.boolean(),
        fc.constant(null),
        fc.double(),
      ),
      fc.array(tie('tree'), { maxLength: 3 }),
      fc.dictionary(keys, tie('tree'), { maxKeys: 4, noNullPrototype: true }),
    ),
  }));
  const places = fc.constantFrom<(data: Config, value: unknown) => unknown>(
    (_, value) => value,
    (data, value) => ({ ...data, hosts: value }),
    (data, value) => ({ ...data, limits: value }),
    (data, value) => ({ ...data, upstreams: { app: value } }),
    (data, value) => ({ ...data, hosts: [{ ...data.hosts[0], policy: value }] }),
    (data, value) => ({ ...data, hosts: [{ ...data.hosts[0], clientAuth: value }] }),
  );
  fc.assert(
    fc.property(places, tree, (put, value) => {
      const data = put(validData() as Config, value);
      return (checkShape(data).length === 0) === Check(Config, data);
    }),
    { numRuns: 300 },
  );
});

import t from 'tap';
import { type Case, checkCases, problemsOf, valid } from './fixture.ts';

const cases: readonly Case[] = [
  {
    name: 'report mode on a strict host, and on a route and a policy where it is told loudly',
    change: [
      ['  - names: [a.example.com', '  - mode: report\n    names: [a.example.com'],
      ['upstream: tls', 'upstream: tls\n        policyMode: report'],
    ],
    problems: [
      '6:11 /hosts/0/mode a strict host ends the handshake, so there is nothing that could be served',
      '32:21 /hosts/0/routes/1/policyMode warning: unused: there is no policy here',
    ],
  },
  {
    name: 'a policy that only reports',
    change: [['policy: { ou: ITOps }', 'policy: { ou: ITOps }\n        policyMode: report']],
    problems: [
      '24:21 /hosts/0/routes/0/policyMode warning: REPORT MODE: whom the policy would refuse is served, and only logged and counted',
    ],
  },
  {
    name: 'a default host that there is not',
    change: [['accessLog: false', 'tls: { defaultHost: publik.example.com }']],
    problems: [
      '44:21 /tls/defaultHost no host has the name `publik.example.com`, did you mean `public.example.com`?',
    ],
  },
  {
    name: 'a default host by a name that only a wildcard covers, or that is none',
    change: [['accessLog: false', 'tls: { defaultHost: x.b.example.com }']],
    problems: ['44:21 /tls/defaultHost …'],
  },
  {
    name: 'a default host by a URL',
    change: [['accessLog: false', 'tls: { defaultHost: https://public.example.com }']],
    problems: ['44:21 /tls/defaultHost `https://public.example.com` is a URL: write its host name alone'],
  },
  {
    name: 'a default host that nothing leads to',
    change: [
      [
        'accessLog: false',
        'tls: { defaultHost: PUBLIC.example.com, unknownServerName: refuse, absentServerName: refuse }',
      ],
    ],
    problems: [
      '44:21 /tls/defaultHost warning: unused: unknownServerName and absentServerName refuse whoever it could stand in for',
    ],
  },
  {
    name: 'an upstream that is not there',
    change: [['upstream: tls', 'upstream: tsl']],
    problems: [
      '30:19 /hosts/0/routes/1/upstream there is no upstream `tsl`, did you mean `tls`?',
      '39:3 /upstreams/tls warning: no route leads to this upstream',
    ],
  },
  {
    name: 'an upstream that is like none',
    change: [['upstream: tls', 'upstream: elsewhere']],
    problems: [
      '30:19 /hosts/0/routes/1/upstream there is no upstream `elsewhere`: add it to /upstreams',
      '39:3 /upstreams/tls warning: no route leads to this upstream',
    ],
  },
  {
    name: 'an upstream named like something every object has',
    change: [['upstream: tls', 'upstream: constructor']],
    problems: [
      '30:19 /hosts/0/routes/1/upstream there is no upstream `constructor`: add it to /upstreams',
      '39:3 /upstreams/tls warning: no route leads to this upstream',
    ],
  },
  {
    name: 'a name of two hosts',
    change: [['[public.example.com]', '[A.EXAMPLE.com.]']],
    problems: [
      '31:13 /hosts/1/names/0 `A.EXAMPLE.com.` stands at /hosts/0/names/0 already: a name leads to one host',
    ],
  },
  {
    name: 'a name twice in one host',
    change: [['[public.example.com]', '[public.example.com, PUBLIC.example.com]']],
    problems: [
      '31:33 /hosts/1/names/1 `PUBLIC.example.com` stands at /hosts/1/names/0 already: a name leads to one host',
    ],
  },
  {
    name: 'a wildcard of two hosts',
    change: [['[public.example.com]', "['*.B.example.com.']"]],
    problems: [
      '31:13 /hosts/1/names/0 `*.B.example.com.` stands at /hosts/0/names/1 already: a name leads to one host',
    ],
  },
  {
    name: 'names that are none',
    change: [
      [
        '[public.example.com]',
        "['**', '*.*.c.d', 'a.*.b', 'a*.b', '*.', '*.192.0.2.1', 'https://a.b', 'a.b/c', 'a.b:443', 'ü.example', 'a b', '127.1']",
      ],
    ],
    problems: [
      '31:13 /hosts/1/names/0 `**`: a wildcard stands for one whole label in front, as in `*.example.com`, and `*` alone for every other name',
      '31:19 /hosts/1/names/1 `*.*.c.d`: a wildcard stands for one whole label in front, as in `*.example.com`, and `*` alone for every other name',
      '31:30 /hosts/1/names/2 `a.*.b`: a wildcard stands for one whole label in front, as in `*.example.com`, and `*` alone for every other name',
      '31:39 /hosts/1/names/3 `a*.b`: a wildcard stands for one whole label in front, as in `*.example.com`, and `*` alone for every other name',
      '31:47 /hosts/1/names/4 `*.`: a wildcard stands for one whole label in front, as in `*.example.com`, and `*` alone for every other name',
      '31:53 /hosts/1/names/5 `*.192.0.2.1`: a wildcard stands for one whole label in front, as in `*.example.com`, and `*` alone for every other name',
      '31:68 /hosts/1/names/6 `https://a.b` is a URL: write its host name alone',
      '31:83 /hosts/1/names/7 `a.b/c` has a path: that belongs into a route',
      '31:92 /hosts/1/names/8 `a.b:443` has a port: leave it out, a host answers on every listener',
      '31:103 /hosts/1/names/9 `ü.example`: write the name as it stands in DNS, `xn--…`',
      '31:116 /hosts/1/names/10 `a b` is no host name or IP address',
      '31:123 /hosts/1/names/11 `127.1` is no host name or IP address',
    ],
  },
  {
    name: 'a mode without a CA',
    change: [['      ca: ca.pem\n', '']],
    problems: [
      '8:5 /hosts/0/clientAuth mode require lacks `ca`: the file with the CAs that client certificates are verified against',
    ],
  },
  {
    name: 'revocation without a CRL',
    change: [['      crl: ca.crl\n', '      revocation: { check: leaf }\n']],
    problems: [
      '12:7 /hosts/0/clientAuth/revocation asks nothing without `crl`: name the files of CRLs there, or take it away',
    ],
  },
  {
    name: 'a grace that is not given',
    change: [['crl: ca.crl', 'crl: ca.crl\n      revocation: { stale: allow }']],
    problems: [
      '13:28 /hosts/0/clientAuth/revocation/stale allow needs `grace`: for how long past its nextUpdate a CRL still counts',
    ],
  },
  {
    name: 'a grace that does not count',
    change: [['crl: ca.crl', 'crl: [ca.crl]\n      revocation: { stale: report, grace: 1h }']],
    problems: ['13:43 /hosts/0/clientAuth/revocation/grace counts only with `stale: allow`'],
  },
  {
    name: 'a grace that is too long to count',
    change: [['crl: ca.crl', 'crl: ca.crl\n      revocation: { stale: allow, grace: 99999h }']],
    problems: [
      '13:42 /hosts/0/clientAuth/revocation/grace longer than 596h, the longest time that can be measured',
    ],
  },
  {
    name: 'strict without require',
    change: [['mode: require', 'mode: optional']],
    problems: [
      '10:15 /hosts/0/clientAuth/strict strict aborts whoever is not verified, so it needs mode require',
    ],
  },
  {
    name: 'a policy where no certificate is asked for',
    change: [['mode: require', 'mode: off']],
    problems: [
      '10:15 /hosts/0/clientAuth/strict strict aborts whoever is not verified, so it needs mode require',
      '11:11 /hosts/0/clientAuth/ca warning: unused: no client certificate is asked for while mode is off',
      '12:12 /hosts/0/clientAuth/crl warning: unused: no client certificate is asked for while mode is off',
      '13:20 /hosts/0/clientAuth/verifyDepth warning: unused: no client certificate is asked for while mode is off',
      '15:7 /hosts/0/policy a policy needs client certificates: set clientAuth with `mode: require` and a ca, or take the policy away',
      '23:17 /hosts/0/routes/0/policy a policy needs client certificates: set clientAuth with `mode: require` and a ca, or take the policy away',
    ],
  },
  {
    name: 'a host policy without clientAuth',
    change: [
      [
        '    routes: [{ path: /, upstream: app }]',
        '    policy: { cn: x }\n    routes: [{ path: /, upstream: app }]',
      ],
    ],
    problems: [
      '33:13 /hosts/1/policy a policy needs client certificates: set clientAuth with `mode: require` and a ca, or take the policy away',
    ],
  },
  {
    name: 'routes that ask for certificates in place of a host that does not',
    change: [
      ['      mode: require\n      strict: true\n', '      mode: off\n'],
      [
        "    policy:\n      o: Example\n      any:\n        - cn: [a, 'b*', { regex: 'c[0-9]+' }]\n        - not: { ou: { exact: '*' } }\n        - subject: { L: Kathmandu }\n",
        '',
      ],
      [
        'policy: { ou: ITOps }\n        upstream: app',
        'policy: { ou: ITOps }\n        clientAuth: { mode: require, verifyDepth: 1 }\n        upstream: app',
      ],
    ],
    problems: [
      '12:20 /hosts/0/clientAuth/verifyDepth warning: unused: no client certificate is asked for while mode is off',
    ],
  },
  {
    name: "a policy of a host that not all of its routes' clients can meet",
    change: [
      ['mode: require\n      strict: true', 'mode: require'],
      ['pathType: Exact\n', 'pathType: Exact\n        clientAuth: { mode: off, ca: ca.pem }\n'],
    ],
    problems: [
      "29:29 /hosts/0/routes/1/clientAuth/mode the host's policy needs client certificates: ask for them here too, or move the policy to routes",
      '29:38 /hosts/0/routes/1/clientAuth/ca warning: unused: no client certificate is asked for while mode is off',
    ],
  },
  {
    name: 'a route that is laxer than its strict host',
    change: [['pathType: Exact\n', 'pathType: Exact\n        clientAuth: { mode: optional }\n']],
    problems: [
      '30:29 /hosts/0/routes/1/clientAuth/mode a strict host ends every connection without a verified certificate: its routes can only require',
    ],
  },
  {
    name: 'a route that asks without any CA',
    change: [
      [
        'routes: [{ path: /, upstream: app }]',
        'routes: [{ path: /, upstream: app, clientAuth: { mode: require } }]',
      ],
    ],
    problems: [
      '33:40 /hosts/1/routes/0/clientAuth mode require lacks `ca`: the file with the CAs that client certificates are verified against',
    ],
  },
  {
    name: 'a CORS policy that is never asked for, or says what it cannot mean',
    change: [
      ['pathType: Exact\n', 'pathType: Exact\n        cors: {}\n'],
      [
        'routes: [{ path: /, upstream: app }]',
        "routes: [{ path: /, upstream: app, cors: { origins: ['*', https://a.example], credentials: true, maxAge: 9999h } }]",
      ],
    ],
    problems: [
      '30:15 /hosts/0/routes/1/cors warning: a browser shows no certificate with a preflight, and strict ends its connection: none is ever answered',
      '34:57 /hosts/1/routes/0/cors/origins warning: `*` stands for every origin: the others say nothing more',
      '34:96 /hosts/1/routes/0/cors/credentials warning: browsers send no credentials where every origin may: name the origins that need them',
      '34:110 /hosts/1/routes/0/cors/maxAge longer than 596h, the longest time that can be measured',
    ],
  },
  {
    name: 'two routes for the same paths',
    change: [
      [
        '      - path: /exact\n        pathType: Exact',
        '      - path: /x\n        upstream: app\n      - path: /x/',
      ],
    ],
    problems: [
      '30:15 /hosts/0/routes/2/path covers the same as /hosts/0/routes/1/path, which is found first: keep one, or make one of them Exact',
    ],
  },
  {
    name: 'two exact routes',
    change: [
      [
        '      - path: /exact\n',
        '      - path: /exact\n        pathType: Exact\n        upstream: app\n      - path: /exact\n',
      ],
    ],
    problems: [
      '31:15 /hosts/0/routes/2/path covers the same as /hosts/0/routes/1/path, which is found first: keep one, or make one of them Exact',
    ],
  },
  {
    name: 'exact and prefix of one path',
    change: [
      [
        'path: /exact\n        pathType: Exact',
        'path: /x\n        upstream: app\n      - path: /x\n        pathType: Exact',
      ],
    ],
    problems: [],
  },
  {
    name: 'paths that no request has',
    change: [['path: /exact', 'path: /a/../exact']],
    problems: [
      '28:15 /hosts/0/routes/1/path no request has the path `/a/../exact` once it is normalised: write `/exact`',
    ],
  },
  {
    name: 'a path with a query',
    change: [['path: /exact', 'path: /exact?x=1']],
    problems: [
      '28:15 /hosts/0/routes/1/path `/exact?x=1` is no path that a request can have: no ?, #, spaces or %00, and no .. above /',
    ],
  },
  {
    name: 'a regular expression that does not compile',
    change: [["'c[0-9]+'", "'c[0-9'"]],
    problems: ['17:25 /hosts/0/policy/any/0/cn/2 not …'],
  },
  {
    name: 'an attribute there is not',
    change: [['L: Kathmandu', 'Lo: Kathmandu']],
    problems: ['19:26 /hosts/0/policy/any/2/subject/Lo …'],
  },
  {
    name: 'an empty list',
    change: [['ou: ITOps', 'ou: []']],
    problems: ['23:23 /hosts/0/routes/0/policy/ou warning: an empty list matches nothing: nobody is let in'],
  },
  {
    name: 'an empty list under not',
    change: [["not: { ou: { exact: '*' } }", 'not: { any: [] }']],
    problems: [
      '18:23 /hosts/0/policy/any/1/not/any an empty list matches nothing, so `not` lets everyone in: write what is not allowed',
    ],
  },
  {
    name: 'a template that does not compile',
    change: [["'{cn}'", "'{cnn}'"]],
    problems: ['20:91 /hosts/0/identityHeaders/templates/X-Client …'],
  },
  {
    name: 'a template for a header that is not ours to set',
    change: [['X-Client:', 'Content-Length:']],
    problems: ['20:97 /hosts/0/identityHeaders/templates/Content-Length …'],
  },
  {
    name: 'upgrade to h2c',
    change: [['[websocket]', '[websocket, h2c]']],
    problems: ['27:30 /hosts/0/routes/0/upgrade/1 h2c never passes: requests inside it would not be seen'],
  },
  {
    name: 'upgrade to no token',
    change: [['[websocket]', "['web socket']"]],
    problems: ['27:19 /hosts/0/routes/0/upgrade/0 `web socket` is no protocol name such as `websocket`'],
  },
  {
    name: 'an upstream that nothing uses',
    change: [['upstream: tls', 'upstream: app']],
    problems: ['39:3 /upstreams/tls warning: no route leads to this upstream'],
  },
  {
    name: 'an upstream without endpoints',
    change: [["['backend.internal:443']", '[]']],
    problems: ['40:16 /upstreams/tls/endpoints warning: no endpoints: every request is answered 503'],
  },
  {
    name: 'an endpoint twice',
    change: [["'[::1]:8000'", "'127.0.0.1:8000'"]],
    problems: [
      '36:35 /upstreams/app/endpoints/1 warning: stands at /upstreams/app/endpoints/0 already: it gets a double share',
    ],
  },
  {
    name: 'endpoints that cannot be',
    change: [
      [
        "['127.0.0.1:8000', '[::1]:8000']",
        "['127.0.0.1:0', 'a:99999', 'a b:1', '[1.2.3.4]:5', '300.1.1.1:80']",
      ],
    ],
    problems: [
      '36:17 /upstreams/app/endpoints/0 `127.0.0.1:0`: a port is 1 to 65535',
      '36:32 /upstreams/app/endpoints/1 `a:99999`: a port is 1 to 65535',
      '36:43 /upstreams/app/endpoints/2 `a b` is no host name or IP address',
      '36:52 /upstreams/app/endpoints/3 `[1.2.3.4]` is no host name or IP address',
      '36:67 /upstreams/app/endpoints/4 `300.1.1.1` is no host name or IP address',
    ],
  },
  {
    name: 'half a client certificate',
    change: [['cert: client.pem, ', '']],
    problems: ['41:59 /upstreams/tls/tls/key a client certificate is a pair: add `cert`'],
  },
  {
    name: 'a server name that is none',
    change: [['serverName: backend.internal', 'serverName: "*.internal"']],
    problems: ['41:36 /upstreams/tls/tls/serverName `*.internal` is no host name or IP address'],
  },
  {
    name: 'verification skipped',
    change: [['ca: ca.pem, serverName', 'dangerouslySkipVerification: true, serverName']],
    problems: [
      '41:41 /upstreams/tls/tls/dangerouslySkipVerification warning: whoever answers is taken for the backend, and can read every request',
    ],
  },
  {
    name: 'verification skipped, with a CA',
    change: [['ca: ca.pem, serverName', 'dangerouslySkipVerification: true, ca: ca.pem, serverName']],
    problems: [
      '41:41 /upstreams/tls/tls/dangerouslySkipVerification contradicts `ca`: take one of them away',
    ],
  },
  {
    name: 'a health path that cannot be asked for',
    change: [['/healthz?full', '/healthz#x']],
    problems: ['37:21 /upstreams/app/health/path `/healthz#x` is no path that can be asked for'],
  },
  {
    name: 'a health host that would split a header',
    change: [['host: app.internal', 'host: "a\\r\\nX: y"']],
    problems: [
      '37:42 /upstreams/app/health/host `a\\u{d}\\u{a}X: y` is no Host header: a host name, perhaps with a port',
    ],
  },
  {
    name: 'a health check longer than its interval',
    change: [['interval: 5s, timeout: 1s', 'timeout: 9s']],
    problems: [
      '37:65 /upstreams/app/health/timeout warning: checks overlap: the timeout is longer than the interval',
    ],
  },
  {
    name: 'an ejection longer than its longest',
    change: [['maxDuration: 1m', 'maxDuration: 1s']],
    problems: ['38:58 /upstreams/app/ejection/maxDuration duration must not be longer than maxDuration'],
  },
  {
    name: 'times of zero',
    change: [
      ['headTimeout: 10s', 'headTimeout: 0s'],
      ['connect: 1s', 'connect: 0ms'],
      ['interval: 5s', 'interval: 0h'],
    ],
    problems: [
      '42:24 /limits/headTimeout must be longer than 0: without a limit anyone can wait forever',
      '25:30 /hosts/0/routes/0/timeouts/connect must be longer than 0: without a limit anyone can wait forever',
      '37:66 /upstreams/app/health/interval must be longer than 0: without a limit anyone can wait forever',
    ],
  },
  {
    name: 'times beyond a timer',
    change: [
      ['headTimeout: 10s', 'headTimeout: 597h'],
      ['grace: 0s', 'grace: 99999999999999999999h'],
    ],
    problems: [
      '42:24 /limits/headTimeout longer than 596h, the longest time that can be measured',
      '43:31 /shutdown/grace longer than 596h, the longest time that can be measured',
    ],
  },
  {
    name: 'sizes beyond counting',
    change: [['bodyLimit: 8m', 'bodyLimit: "99999999999999999999"']],
    problems: ['26:20 /hosts/0/routes/0/bodyLimit larger than can be counted; "0" means no limit'],
  },
  {
    name: 'heads without limit',
    change: [['headSize: 16k', 'headSize: "0"']],
    problems: ['42:39 /limits/headSize must be 1k to 1m'],
  },
  {
    name: 'an address that is a name',
    change: [['https: { address: 127.0.0.1', 'https: { address: localhost']],
    problems: ['2:21 /listeners/https/address `localhost` is no IP address: write 127.0.0.1'],
  },
  {
    name: 'an address that is none',
    change: [['https: { address: 127.0.0.1', 'https: { address: 127.0.0.1:80']],
    problems: [
      '2:21 /listeners/https/address `127.0.0.1:80` is no IP address: write 0.0.0.0, :: or 127.0.0.1',
    ],
  },
  {
    name: 'an admin listener open to all',
    change: [['admin: { address: 127.0.0.1', 'admin: { address: 0.0.0.0']],
    problems: [
      '4:21 /listeners/admin/address whoever reaches this address would read metrics and status: write 127.0.0.1, or who may read, as in `reading: { token: admin.token }`, or `reading: off` for /healthz and /readyz alone',
    ],
  },
  {
    name: 'tokens for an admin listener over plain HTTP, and changes for everyone',
    change: [
      [
        'admin: { address: 127.0.0.1',
        'admin: { address: 0.0.0.0, reading: { token: a.token }, changing: { local: true }',
      ],
    ],
    problems: [
      '4:48 /listeners/admin/reading/token would be sent over plain HTTP, for all to read on the way: write `certificate`, or `dangerouslyWithoutTls: true` if none can',
      '4:78 /listeners/admin/changing/local counts on a loopback address only: write who may change, as in `changing: { token: admin.token }`',
    ],
  },
  {
    name: 'certificates of an admin listener without TLS, and policies without certificates',
    change: [
      [
        'admin: { address: 127.0.0.1',
        'admin: { address: 127.0.0.1, clientAuth: { ca: ca.pem }, changing: { local: true }',
      ],
    ],
    problems: [
      '4:44 /listeners/admin/clientAuth needs `certificate`, the listener’s own: without it there is no TLS, and nobody shows one',
      '4:44 /listeners/admin/clientAuth lets nobody in: write whom, as in `reading: { policy: { ou: Operations } }`',
    ],
  },
  {
    name: 'a policy of an admin listener that asks for no certificate, and does not compile',
    change: [
      [
        'admin: { address: 127.0.0.1',
        "admin: { address: 127.0.0.1, reading: { policy: { cn: { regex: '(' } } }",
      ],
    ],
    problems: [
      '4:51 /listeners/admin/reading/policy needs `clientAuth`: whose certificates are verified before the policy judges them',
      '4:57 /listeners/admin/reading/policy/cn not a regular expression (RE2 syntax, so without look-around and \\1): missing closing ): `(`',
    ],
  },
  {
    name: 'OCSP of the admin listener that cannot be asked',
    change: [
      [
        'admin: { address: 127.0.0.1',
        'admin: { address: 127.0.0.1, certificate: { cert: server.pem, key: server-key.pem }, clientAuth: { ca: ca.pem, ocsp: { mode: hard, timeout: 0s } }, reading: { policy: { ou: Ops } }',
      ],
    ],
    problems: [
      '4:143 /listeners/admin/clientAuth/ocsp/timeout must be longer than 0: a responder may never answer',
    ],
  },
  {
    name: 'tokens over plain HTTP on purpose',
    change: [
      [
        'admin: { address: 127.0.0.1',
        'admin: { address: "::", dangerouslyWithoutTls: true, reading: { token: a.token }',
      ],
    ],
    problems: [
      '4:74 /listeners/admin/reading/token warning: is sent over plain HTTP: whoever reads it on the way can use it',
    ],
  },
  {
    name: 'two listeners on one port',
    change: [['port: 8080', 'port: 8443']],
    problems: [
      '3:37 /listeners/http/port 8443 is taken by /listeners/https: listeners need ports of their own',
    ],
  },
  {
    name: 'two listeners on one port by a wildcard',
    change: [['admin: { address: 127.0.0.1, port: 9090', 'admin: { address: "::", port: 8443']],
    problems: [
      '4:21 /listeners/admin/address whoever reaches this address would read metrics and status: write 127.0.0.1, or who may read, as in `reading: { token: admin.token }`, or `reading: off` for /healthz and /readyz alone',
      '4:33 /listeners/admin/port 8443 is taken by /listeners/https: listeners need ports of their own',
    ],
  },
];

void t.test('parts that do not fit each other are told in words, where they stand', async (t) => {
  checkCases(t, cases);
});

void t.test('a configuration with one of everything and nothing wrong has no problems', async (t) => {
  t.same(problemsOf(valid), []);
});

void t.test('a wildcard and an exact name under it may be two hosts', async (t) => {
  t.same(problemsOf(valid.replace('public.example.com', 'x.b.example.com')), []);
});

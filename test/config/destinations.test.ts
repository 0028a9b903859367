import t from 'tap';
import { type Case, checkCases } from './fixture.ts';

const route = '        upstream: app\n        timeouts:';
const add = (text: string) => [[route, `        upstream: app\n        ${text}\n        timeouts:`]] as const;

const cases: readonly Case[] = [
  {
    name: 'a canary that can be',
    change: add('canary: [{ upstream: tls, header: X-Canary, headerPattern: "^v[0-9]", weight: 10 }]'),
    problems: [],
  },
  {
    name: 'a canary that leads nowhere',
    change: add('canary: [{ upstream: apps, weight: 10 }]'),
    problems: ['25:30 /hosts/0/routes/0/canary/0/upstream there is no upstream `apps`, did you mean `app`?'],
  },
  {
    name: 'more than all requests',
    change: add('canary: [{ upstream: tls, weight: 60 }, { upstream: tls, weight: 41 }]'),
    problems: ['25:17 /hosts/0/routes/0/canary the weights are more than all requests'],
  },
  {
    name: 'a pattern that is none',
    change: add('canary: [{ upstream: tls, header: X-C, headerPattern: "a(?=b)" }]'),
    problems: ['25:63 /hosts/0/routes/0/canary/0/headerPattern …'],
  },
  {
    name: 'a value of no header',
    change: add('canary: [{ upstream: tls, headerValue: x }]'),
    problems: ['25:48 /hosts/0/routes/0/canary/0/headerValue says not of which header: add `header`'],
  },
  {
    name: 'a canary that no request goes to',
    change: add('canary: [{ upstream: tls }]'),
    problems: [
      '25:18 /hosts/0/routes/0/canary/0 warning: no request goes there: add a header, a cookie or a weight',
    ],
  },
  {
    name: 'a cookie that browsers drop',
    change: add('affinity: { sameSite: None, secure: false }'),
    problems: ['25:31 /hosts/0/routes/0/affinity/sameSite warning: …'],
  },
  {
    name: 'a cookie whose path would end it',
    change: add('affinity: { path: "/a; Domain=evil.test" }'),
    problems: ['25:27 /hosts/0/routes/0/affinity/path …'],
  },
  {
    name: 'a cookie name that would end the line',
    change: add('affinity: { cookie: "a=b;" }'),
    problems: ['25:29 /hosts/0/routes/0/affinity/cookie …'],
  },
  {
    name: 'TLS to a backend that cannot be',
    change: [
      [
        'serverName: backend.internal,',
        'serverName: backend.internal, ciphers: [ALL, NULL-SHA], minVersion: TLSv1.3, maxVersion: TLSv1.2,',
      ],
    ],
    problems: [
      '41:64 /upstreams/tls/tls/ciphers/0 …',
      '41:69 /upstreams/tls/tls/ciphers/1 …',
      '41:113 /upstreams/tls/tls/maxVersion is before `minVersion`: no version is left',
    ],
  },
  {
    name: 'a key that is the same for all',
    change: [
      [
        "    endpoints: ['backend.internal:443']",
        "    endpoints: ['backend.internal:443']\n    balance: { hash: all }",
      ],
    ],
    problems: ['41:22 /upstreams/tls/balance/hash …'],
  },
];

void t.test('canaries and affinity', (t) => {
  checkCases(t, cases);
  t.end();
});

import t from 'tap';
import type { PolicyConfig } from '../../src/config/schema.ts';
import { compilePolicy, type PolicyProblem } from '../../src/policy/compile.ts';
import { evaluate } from '../../src/policy/evaluate.ts';

const problemsOf = (config: unknown, path = '/p'): readonly PolicyProblem[] => {
  const compiled = compilePolicy(config as PolicyConfig, path);
  return 'problems' in compiled ? compiled.problems : [];
};
const placesOf = (config: unknown): string[] => problemsOf(config).map(({ path }) => path);

void t.test('a policy that compiles is frozen to its leaves', async (t) => {
  const compiled = compilePolicy({ any: [{ ou: ['ITOps', 'S*'] }, { not: { cn: 'x' } }] }, '');
  if (!('policy' in compiled) || compiled.policy.kind !== 'any') throw new Error('not compiled');
  const { policy } = compiled;
  const [rule, not] = policy.parts;
  if (rule?.kind !== 'rule' || not?.kind !== 'not') throw new Error('other parts');
  for (const part of [policy, policy.parts, rule, rule.matchers, rule.matchers[0], not, not.part]) {
    t.ok(Object.isFrozen(part));
  }
});

void t.test('every problem is told at once, each at its place', async (t) => {
  const problems = problemsOf(
    {
      ou: ['ITOps', { regex: '(' }, 'Sales'],
      subject: { emailAdress: 'x', OU: { regex: '[' }, 'a/b~c': 'x' },
      issuer: '/C=NP/CN=Root',
      ip: ['10.0.0.1', '10.0.0.0.0'],
      serial: 'twelve',
      any: [{ fingerprint: 'ab' }, { not: { spki: '*' } }],
      uo: 'ITOps',
    },
    '/hosts/0/policy',
  );
  t.same(
    problems.map(({ path }) => path),
    [
      '/hosts/0/policy/ou/1',
      '/hosts/0/policy/subject/emailAdress',
      '/hosts/0/policy/subject/OU',
      '/hosts/0/policy/subject/a~1b~0c',
      '/hosts/0/policy/issuer',
      '/hosts/0/policy/ip/1',
      '/hosts/0/policy/serial',
      '/hosts/0/policy/any/0/fingerprint',
      '/hosts/0/policy/any/1/not/spki',
      '/hosts/0/policy/uo',
    ],
  );
  t.match(problems[1]!.message, 'did you mean `emailAddress`?');
  t.match(problems[9]!.message, /unknown rule `uo`, did you mean `o(?:u)?`\?/);
});

void t.test('a message says what to write instead', async (t) => {
  const table: readonly (readonly [config: unknown, message: RegExp])[] = [
    [
      { subject: { departement: 'x' } },
      /unknown attribute `departement`.*short name such as OU, or a dotted OID/,
    ],
    [{ subject: { commonname: 'x', organisationName: 'x' } }, /did you mean `organizationName`/],
    [{ subject: { '2.5.4.': 'x' } }, /unknown attribute/],
    [{ subject: { '2.5.04.3': 'x' } }, /unknown attribute/],
    [{ subject: 'CN=x, OU=y' }, /RFC2253/],
    [{ subject: 'CN=é' }, /RFC2253/],
    [{ subject: 'CN=*\uE02C*' }, /RFC2253/],
    [{ subject: '*, OU=y' }, /no space after a comma/],
    [{ subject: 'CN = x' }, /RFC2253/],
    [{ subject: { regex: ['a'] } }, /one text each, or a list/],
    [{ ou: 5 }, /no matcher/],
    [{ ou: null }, /no matcher/],
    [{ ou: { regex: 'a', exact: 'a' } }, /no matcher/],
    [{ ou: { like: 'a' } }, /no matcher/],
    [{ ou: [['a']] }, /no matcher/],
    [{ ou: '\ud800' }, /surrogate/],
    [{ ou: 'x'.repeat(4097) }, /longer than 4096/],
    [{ ip: '10.0.*' }, /such as `10.1.0.0\/16`/],
    [{ ip: '10.0.0.0/33' }, /no network/],
    [{ ip: '::/129' }, /no network/],
    [{ ip: '10.0.0.0/08' }, /no network/],
    [{ ip: '10.1.2.3/16' }, /write `10.1.0.0\/16`/],
    [{ ip: '2001:db8::1/33' }, /write `2001:db8::\/33`/],
    [{ ip: '::ffff:10.0.0.0/104' }, /of IPv4 in the form of IPv6: write `10.0.0.0\/8`/],
    [{ ip: '[::1]' }, /no IP address/],
    [{ email: 'example.com' }, /write `\*@example.com`/],
    [{ email: '*.example.com' }, /lacks an @/],
    [{ dns: 'münchen.example' }, /xn--/],
    [{ dns: '' }, /no DNS name/],
    [{ serial: '0x' }, /in hex/],
    [{ serial: '12*' }, /compared whole/],
    [{ serial: { regex: '12.*' } }, /compared whole/],
    [{ fingerprint: 'a'.repeat(63) }, /64 hex digits/],
    [{ spki: 'a'.repeat(40) }, /64 hex digits/],
    [{ any: { ou: 'x' } }, /no list/],
    [{ all: 'x' }, /no list/],
    [{ not: ['x'] }, /no rules/],
    [{ any: ['x'] }, /no rules/],
    ['ou', /no rules/],
    [null, /no rules/],
  ];
  for (const [config, message] of table) {
    const problems = problemsOf(config);
    t.equal(problems.length, 1, JSON.stringify(config));
    t.match(problems[0]?.message, message);
    t.match(problems[0]?.message, /^[\x20-\x7e…]*$/);
  }
});

void t.test('keys that only look like ours, or come from a prototype, are no rules', async (t) => {
  t.same(placesOf(JSON.parse('{"__proto__": {"ou": "x"}, "constructor": 1, "toString": "x", "OU": "x"}')), [
    '/p/__proto__',
    '/p/constructor',
    '/p/toString',
    '/p/OU',
  ]);
  t.same(placesOf({ subject: JSON.parse('{"__proto__": "x", "constructor": "y"}') }), [
    '/p/subject/__proto__',
    '/p/subject/constructor',
  ]);
});

void t.test('depth, rules, values and regular expressions have bounds, each told once', async (t) => {
  let deep: unknown = { ou: 'x' };
  for (let i = 0; i < 16; i++) deep = { not: deep };
  t.same(placesOf(deep), []);
  t.match(problemsOf({ any: [deep] })[0]?.message, /nested more than 16 deep/);

  const rules = Array.from({ length: 600 }, () => ({ ou: 'x' }));
  t.same(placesOf({ any: rules.slice(0, 500) }), []);
  t.match(problemsOf({ any: rules })[0]?.message, /more than 1000 rules/);
  t.equal(problemsOf({ any: rules, all: rules }).length, 1);

  const values = Array.from({ length: 10_000 }, (_, i) => `user-${i}`);
  t.same(placesOf({ cn: values }), []);
  t.match(problemsOf({ cn: [...values, 'x'] })[0]?.message, /more than 10000 values/);

  const regexes = Array.from({ length: 101 }, (_, i) => ({ regex: `x{${i}}` }));
  t.same(placesOf({ cn: regexes.slice(1) }), []);
  t.match(problemsOf({ cn: regexes })[0]?.message, /more than 100 regular expressions/);
});

void t.test(
  'a tree of aliases that stands for more rules than there are atoms is refused at once',
  async (t) => {
    let tree: unknown = { ou: 'x' };
    for (let i = 0; i < 12; i++) tree = { any: Array.from({ length: 100 }, () => tree) };
    const start = process.cpuUsage();
    t.match(problemsOf(tree)[0]?.message, /more than 1000 rules/);
    const { user } = process.cpuUsage(start);
    t.ok(user < 500_000, `${user} µs`);
  },
);

void t.test('a list of hostile regular expressions does not keep the compiler busy', async (t) => {
  const regexes = Array.from({ length: 10_000 }, () => ({ regex: `(${'ab?'.repeat(330)}){1000}` }));
  const start = process.cpuUsage();
  t.not(problemsOf({ ou: regexes }).length, 0);
  t.equal(problemsOf({ ou: regexes.slice(0, 100) }).length, 100);
  const { user } = process.cpuUsage(start);
  t.ok(user < 1_000_000, `${user} µs`);
});

void t.test('an empty policy compiles, and denies', async (t) => {
  for (const config of [
    {},
    { any: [] },
    { all: [] },
    { ou: [] },
    { subject: {} },
    { any: [{}] },
    { not: {} },
  ]) {
    const compiled = compilePolicy(config, '');
    t.ok('policy' in compiled && typeof evaluate === 'function', JSON.stringify(config));
  }
});

import * as fc from 'fast-check';
import t from 'tap';
import type { PolicyConfig } from '../../src/config/schema.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import { evaluate } from '../../src/policy/evaluate.ts';
import { explainPolicy, type Explanation } from '../../src/policy/explain.ts';
import type { Policy, PolicyResult } from '../../src/policy/policy.ts';
import { maximumValueLength } from '../../src/policy/regex.ts';
import type { Identity } from '../../src/tls/identity.ts';
import { identityOf, nameOf } from './identity.ts';

function policyOf(config: PolicyConfig): Policy {
  const compiled = compilePolicy(config, '');
  if ('problems' in compiled) throw new Error(JSON.stringify(compiled.problems));
  return compiled.policy;
}
const ask = (config: PolicyConfig, identity: Identity): PolicyResult => evaluate(policyOf(config), identity);
const allows = (config: PolicyConfig, identity: Identity): boolean => ask(config, identity).allowed;

const roshan = identityOf({
  subject: nameOf(
    ['C', 'NP'],
    ['O', 'Logpoint Nepal'],
    ['OU', 'ITOps'],
    ['OU', 'On Call'],
    ['emailAddress', 'r@logpoint.example'],
    ['CN', 'roshankhatri'],
  ),
  issuer: nameOf(['O', 'Logpoint Nepal'], ['CN', 'Intermediate']),
  san: {
    dns: ['Host.Example.com', '*.wild.example.com'],
    uri: ['spiffe://td/ns/x'],
    email: ['Roshan@Example.COM'],
    ip: ['10.1.2.3', '2001:db8::1'],
  },
  serial: '0A1B2C',
});

void t.test('each fact is compared in its own way', async (t) => {
  const sha1 = 'b'.repeat(40);
  const table: readonly (readonly [config: PolicyConfig, allowed: boolean])[] = [
    [{ cn: 'roshankhatri' }, true],
    [{ cn: 'Roshankhatri' }, false],
    [{ cn: 'roshan*' }, true],
    [{ cn: { regex: 'roshan.*' } }, true],
    [{ cn: { regex: 'roshan' } }, false],
    [{ cn: 'roshan' }, false],
    [{ ou: 'ITOps' }, true],
    [{ ou: 'On Call' }, true],
    [{ ou: 'On' }, false],
    [{ ou: ['Sales', 'ITOps'] }, true],
    [{ o: 'Logpoint Nepal' }, true],
    [
      {
        subject: 'CN=roshankhatri,emailAddress=r@logpoint.example,OU=On Call,OU=ITOps,O=Logpoint Nepal,C=NP',
      },
      true,
    ],
    [{ subject: 'CN=roshankhatri,*' }, true],
    [{ subject: { regex: 'CN=[a-z]+,.*OU=ITOps,.*' } }, true],
    [{ subject: { c: 'NP', E: 'r@logpoint.example' } }, true],
    [{ subject: { C: 'NP', L: 'Lalitpur' } }, false],
    [{ subject: { '2.5.4.11': 'ITOps' } }, true],
    [{ issuer: { CN: 'Intermediate' } }, true],
    [{ issuer: { CN: 'roshankhatri' } }, false],
    [{ issuer: 'CN=Intermediate,O=Logpoint Nepal' }, true],
    [{ dns: 'HOST.example.COM' }, true],
    [{ dns: 'host.example.com.' }, true],
    [{ dns: '*.EXAMPLE.com' }, true],
    [{ dns: { regex: 'HOST\\.example\\..*' } }, true],
    [{ dns: 'a.wild.example.com' }, false],
    [{ dns: { exact: '*.wild.example.com' } }, true],
    [{ dns: { exact: '*.example.com' } }, false],
    [{ dns: 'spiffe://td/ns/x' }, false],
    [{ uri: 'spiffe://td/ns/x' }, true],
    [{ uri: 'SPIFFE://td/ns/x' }, false],
    [{ uri: 'spiffe://td/*' }, true],
    [{ uri: 'host.example.com' }, false],
    [{ email: 'Roshan@example.com' }, true],
    [{ email: 'Roshan@EXAMPLE.com' }, true],
    [{ email: 'roshan@example.com' }, false],
    [{ email: '*@Example.com' }, true],
    [{ email: '*' }, true],
    [{ email: 'r@logpoint.example' }, false],
    [{ ip: '10.1.2.3' }, true],
    [{ ip: '2001:0db8:0:0::0001' }, true],
    [{ ip: '10.1.0.0/16' }, true],
    [{ ip: '10.1.2.2/31' }, true],
    [{ ip: '10.1.2.4/30' }, false],
    [{ ip: '10.2.0.0/16' }, false],
    [{ ip: '0.0.0.0/0' }, true],
    [{ ip: '2001:db8::/32' }, true],
    [{ ip: '2001:db9::/32' }, false],
    [{ ip: '::ffff:10.1.2.3' }, false],
    [{ serial: '0a1b2c' }, true],
    [{ serial: 'A:1B:2C' }, true],
    [{ serial: '0x000A1B2C' }, true],
    [{ serial: 'A1B2' }, false],
    [{ serial: '-0A1B2C' }, false],
    [{ fingerprint: 'AA:'.repeat(31) + 'aa' }, true],
    [{ fingerprint: sha1 }, true],
    [{ fingerprint: 'a'.repeat(40) }, false],
    [{ spki: 'C'.repeat(64) }, true],
    [{ spki: 'a'.repeat(64) }, false],
    [{ cn: 'roshankhatri', ou: 'Sales' }, false],
    [{ any: [{ ou: 'Sales' }, { cn: 'roshan*' }] }, true],
    [{ all: [{ ou: 'ITOps' }, { ou: 'On Call' }] }, true],
    [{ not: { ou: 'Sales' } }, true],
    [{ not: { ou: 'ITOps' } }, false],
    [{ not: { subject: { L: '*' } } }, true],
    [{ ou: 'ITOps', not: { cn: 'roshan*' } }, false],
  ];
  for (const [config, allowed] of table) t.equal(allows(config, roshan), allowed, JSON.stringify(config));
});

void t.test('a short list and a long one, which is asked as a set, answer alike', async (t) => {
  for (const length of [1, 7, 8, 9, 5000]) {
    const names = Array.from({ length }, (_, i) => `user-${i}`);
    const last = identityOf({ subject: nameOf(['CN', `user-${length - 1}`]) });
    const none = identityOf({ subject: nameOf(['CN', `user-${length}`]) });
    t.ok(allows({ cn: names }, last));
    t.ok(allows({ cn: ['x*', ...names] }, last));
    t.notOk(allows({ cn: names }, none));
    t.notOk(allows({ not: { cn: names } }, last));
  }
});

void t.test('nothing that stands for several names in a certificate matches one of them', async (t) => {
  const wild = identityOf({ san: { dns: ['*.example.com', '*'] } });
  t.notOk(allows({ dns: 'a.example.com' }, wild));
  t.notOk(allows({ dns: ['a.example.com', 'b.*'] }, wild));
  t.ok(allows({ not: { dns: 'a.example.com' } }, wild));
  const text = identityOf({ subject: nameOf(['CN', '*'], ['OU', '.*']) });
  t.notOk(allows({ any: [{ cn: 'roshankhatri' }, { ou: { regex: 'IT.*' } }] }, text));
});

void t.test('a value that carries the syntax of another stays a value', async (t) => {
  const hostile = [
    'x,OU=ITOps',
    'x+OU=ITOps',
    'x\nOU=ITOps',
    'ITOps\0',
    'ITOps ',
    ' ITOps',
    'ITOps\n',
    '#0C05',
    'OU=ITOps',
  ];
  for (const value of hostile) {
    for (const type of ['CN', 'OU', 'O']) {
      const identity = identityOf({ subject: nameOf([type, value]) });
      t.notOk(allows({ ou: 'ITOps' }, identity), JSON.stringify(value));
      t.notOk(allows({ subject: { OU: { regex: 'ITOps' } } }, identity), JSON.stringify(value));
      t.notOk(allows({ subject: '*,OU=ITOps' }, identity), JSON.stringify(value));
    }
  }
});

void t.test('a star in the text of a name does not end within an escape', async (t) => {
  const named = (...attributes: (readonly [string, string])[]): Identity =>
    identityOf({ subject: nameOf(...attributes) });
  const table: readonly (readonly [pattern: string, identity: Identity, allowed: boolean])[] = [
    ['*,OU=ITOps', named(['OU', 'ITOps'], ['CN', 'x']), true],
    ['*,OU=ITOps', named(['CN', 'x,OU=ITOps']), false],
    ['*,OU=ITOps', named(['CN', 'x\\,OU=ITOps']), false],
    ['*,OU=ITOps', named(['OU', 'ITOps'], ['CN', 'x\\']), true],
    ['*0A*', named(['CN', 'x\ny']), false],
    ['*\\0A*', named(['CN', 'x\ny']), true],
    ['*\\0A*', named(['CN', 'x\\0A']), false],
    ['CN=a\\,b*', named(['CN', 'a,b,c']), true],
    ['CN=a*', named(['CN', 'a,b\nc é']), true],
    ['*\\*', named(['CN', 'a,b']), false],
  ];
  for (const [subject, identity, allowed] of table) {
    t.equal(allows({ subject }, identity), allowed, `${subject} ~ ${identity.subjectText}`);
  }
});

void t.test('an empty list lets no one in, under not as little as by itself', async (t) => {
  const empty: PolicyConfig[] = [{}, { ou: [] }, { any: [] }, { all: [] }, { subject: {} }, { any: [{}] }];
  for (const config of empty) {
    for (const around of [
      config,
      { not: config },
      { not: { not: config } },
      { all: [config] },
      { any: [{ ou: 'x' }, config] },
      { cn: '*', ...config, not: { ou: [] } },
    ]) {
      t.notOk(allows(around, roshan), JSON.stringify(around));
    }
  }
  t.match(ask({ ou: [] }, roshan), { reason: 'policy_ou', detail: /empty/ });
  t.match(ask({ any: [] }, roshan), { reason: 'policy_empty', detail: /empty `any`/ });
  t.ok(allows({ any: [{ any: [] }, { ou: 'ITOps' }] }, roshan), 'a certain yes beside it still counts');
});

void t.test('a value too long for a regular expression denies on either side of not', async (t) => {
  const long = identityOf({ subject: nameOf(['OU', 'a'.repeat(maximumValueLength + 1)], ['CN', 'x']) });
  const short = identityOf({ subject: nameOf(['OU', 'a'.repeat(maximumValueLength)], ['CN', 'x']) });
  t.ok(allows({ ou: { regex: 'a*' } }, short));
  t.ok(allows({ not: { ou: { regex: 'b*' } } }, short));
  for (const config of [
    { ou: { regex: 'a*' } },
    { not: { ou: { regex: 'a*' } } },
    { not: { ou: { regex: 'b' } } },
    { not: { any: [{ ou: { regex: 'b' } }] } },
    { not: { not: { ou: { regex: 'a*' } } } },
  ]) {
    t.notOk(allows(config, long), JSON.stringify(config));
  }
  t.match(ask({ not: { ou: { regex: 'b' } } }, long), {
    reason: 'policy_not',
    detail: /too long to be tried/,
  });
  t.ok(allows({ ou: 'a*' }, long), 'a wildcard has no such bound');
  t.ok(allows({ any: [{ ou: { regex: 'a*' } }, { cn: 'x' }] }, long));
  t.notOk(allows({ all: [{ not: { ou: { regex: 'b' } } }, { cn: 'x' }] }, long));
  t.ok(allows({ ou: [{ regex: 'b' }, 'a*'] }, long), 'another matcher may still match it');
});

void t.test('a denial names the rule that missed by the least', async (t) => {
  const table: readonly (readonly [config: PolicyConfig, reason: string, detail: string])[] = [
    [{ ou: 'Sales' }, 'policy_ou', 'OU was `ITOps` and `On Call`, the rule wants `Sales`'],
    [{ o: 'Other' }, 'policy_o', 'O was `Logpoint Nepal`, the rule wants `Other`'],
    [
      { cn: ['a', 'b*', { regex: 'c+' }] },
      'policy_cn',
      'CN was `roshankhatri`, the rule wants one of `a`, `b*` and `/c+/`',
    ],
    [{ subject: { L: 'Lalitpur' } }, 'policy_subject', 'no subject L, the rule wants `Lalitpur`'],
    [{ subject: { CN: 'x' } }, 'policy_cn', 'CN was `roshankhatri`, the rule wants `x`'],
    [{ issuer: { CN: 'Root' } }, 'policy_issuer', 'issuer CN was `Intermediate`, the rule wants `Root`'],
    [
      { dns: 'x' },
      'policy_dns',
      'DNS name was `host.example.com` and `*.wild.example.com`, the rule wants `x`',
    ],
    [
      { ip: '10.9.0.0/16' },
      'policy_ip',
      'IP address was `10.1.2.3` and `2001:db8::1`, the rule wants `10.9.0.0/16`',
    ],
    [{ not: { ou: 'IT*' } }, 'policy_not', 'OU was `ITOps` and `On Call`, ruled out by `IT*`'],
    [
      { any: [{ cn: 'alice' }, { cn: 'roshankhatri', ou: 'Sales' }] },
      'policy_ou',
      'OU was `ITOps` and `On Call`, the rule wants `Sales`',
    ],
    [
      { any: [{ cn: 'alice', ou: 'Sales' }, { o: 'Other' }] },
      'policy_o',
      'O was `Logpoint Nepal`, the rule wants `Other`',
    ],
    [
      { any: [{ subject: { L: 'x' } }, { uri: 'x' }] },
      'policy_uri',
      'URI was `spiffe://td/ns/x`, the rule wants `x`',
    ],
    [
      { all: [{ cn: 'roshankhatri' }, { ou: 'Sales' }] },
      'policy_ou',
      'OU was `ITOps` and `On Call`, the rule wants `Sales`',
    ],
    [
      { not: { all: [{ ou: 'ITOps' }, { cn: 'roshan*' }] } },
      'policy_not',
      'OU was `ITOps` and `On Call`, ruled out by `ITOps`',
    ],
    [{ not: { not: { cn: 'x' } } }, 'policy_cn', 'CN was `roshankhatri`, the rule wants `x`'],
    [{ serial: '01' }, 'policy_serial', 'serial number was `a1b2c`, the rule wants `01`'],
  ];
  for (const [config, reason, detail] of table) {
    t.same(ask(config, roshan), { allowed: false, reason, detail }, JSON.stringify(config));
  }
});

void t.test('a detail is one line of bounded length, whatever is in the certificate', async (t) => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc.string({ unit: fc.constantFrom('`', '\n', '\0', '\u202e', '\u2028', '🏔'), maxLength: 200 }),
  );
  fc.assert(
    fc.property(fc.array(text, { maxLength: 40 }), text, (values, wanted) => {
      const identity = identityOf({ subject: nameOf(...values.map((value) => ['OU', value] as const)) });
      const config: PolicyConfig = { ou: { exact: wanted.toWellFormed() || 'x' } };
      for (const each of [config, { not: config }]) {
        const result = ask(each, identity);
        if (result.allowed) continue;
        if (/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(result.detail) || result.detail.length > 5000)
          throw new Error(result.detail);
      }
    }),
  );
  const forged = identityOf({ subject: nameOf(['OU', 'a`, the rule wants `b']) });
  t.match(ask({ ou: 'ITOps' }, forged), {
    detail: 'OU was `a\\u{60}, the rule wants \\u{60}b`, the rule wants `ITOps`',
  });
});

const words = ['a', 'b', 'ab', 'A', '*', 'a*', '', '\n', '🏔'];
const value = fc.oneof(fc.constantFrom(...words), fc.string({ unit: 'binary', maxLength: 6 }));
const matcherText = fc.oneof(
  fc.constantFrom('a', 'b', 'a*', '*b', '*', 'ab'),
  value.map((text) => text.toWellFormed() || 'a'),
);
const matcher = fc.oneof(
  matcherText,
  matcherText.map((exact) => ({ exact })),
  fc.constantFrom('a|b', '.*', 'a+', '[^a]*').map((regex) => ({ regex })),
);
const matchers = fc.oneof(matcher, fc.array(matcher, { maxLength: 3 }));
const leaf: fc.Arbitrary<PolicyConfig> = fc.oneof(
  fc.constantFrom('cn', 'ou', 'o', 'uri').chain((key) => matchers.map((value) => ({ [key]: value }))),
  matchers.map((OU) => ({ subject: { OU } })),
  fc.record({ cn: matchers, ou: matchers }),
);
const { policy: anyPolicy } = fc.letrec<{ policy: PolicyConfig }>((tie) => ({
  policy: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    leaf,
    fc.array(tie('policy'), { maxLength: 3 }).map((all) => ({ all })),
    fc.array(tie('policy'), { maxLength: 3 }).map((any) => ({ any })),
    tie('policy').map((not) => ({ not })),
  ),
}));
const anyIdentity = fc
  .tuple(
    fc.array(fc.tuple(fc.constantFrom('CN', 'OU', 'O'), value), { maxLength: 4 }),
    fc.array(value, { maxLength: 2 }),
  )
  .map(([subject, uri]) => identityOf({ subject: nameOf(...subject), san: { uri } }));

void t.test('De Morgan’s laws hold, of empty groups too', async (t) => {
  let allowed = 0;
  fc.assert(
    fc.property(fc.array(anyPolicy, { maxLength: 4 }), anyIdentity, (parts, identity) => {
      const negated = parts.map((not) => ({ not }));
      const pairs: readonly (readonly [PolicyConfig, PolicyConfig])[] = [
        [{ not: { all: parts } }, { any: negated }],
        [{ not: { any: parts } }, { all: negated }],
        [{ not: { not: { any: parts } } }, { any: parts }],
      ];
      return pairs.every(([one, other]) => {
        const answer = allows(one, identity);
        if (answer) allowed++;
        return answer === allows(other, identity);
      });
    }),
    { numRuns: 1000 },
  );
  t.ok(allowed > 100, `${allowed} of them allowed`);
});

void t.test('a policy and its negation never both allow', async (t) => {
  fc.assert(
    fc.property(
      anyPolicy,
      anyIdentity,
      (policy, identity) => !(allows(policy, identity) && allows({ not: policy }, identity)),
    ),
    { numRuns: 1000 },
  );
  t.pass();
});

/** What an explanation's parts come to by the rules' own results, worked out anew. */
function consistent(part: Explanation): boolean {
  if (part.kind === 'rule') return part.wants.count > 0 || part.holds === null;
  if (part.kind === 'not')
    return consistent(part.part) && part.holds === (part.part.holds === null ? null : !part.part.holds);
  const results = part.parts.map(({ holds }) => holds);
  const decisive = part.kind === 'any';
  const expected = results.includes(decisive)
    ? decisive
    : results.length === 0 || results.includes(null)
      ? null
      : !decisive;
  return part.parts.every(consistent) && part.holds === expected;
}

void t.test('the explanation of a policy comes to what evaluate decides', async (t) => {
  let denied = 0;
  fc.assert(
    fc.property(anyPolicy, anyIdentity, (config, identity) => {
      const policy = policyOf(config);
      const explanation = explainPolicy(policy, identity);
      const result = evaluate(policy, identity);
      if (!result.allowed) denied++;
      return result.allowed === (explanation.holds === true) && consistent(explanation);
    }),
    { numRuns: 2000 },
  );
  t.ok(denied > 100);
});

void t.test('an explanation shows each rule with what it saw and wants, and is plain data', async (t) => {
  const policy = policyOf({ ou: ['Sales', 'IT*'], not: { subject: { L: 'x' } } });
  const explanation = explainPolicy(policy, roshan);
  t.same(JSON.parse(JSON.stringify(explanation)), {
    kind: 'all',
    holds: true,
    parts: [
      {
        kind: 'rule',
        holds: true,
        fact: 'OU',
        reason: 'policy_ou',
        saw: { texts: ['ITOps', 'On Call'], count: 2 },
        wants: { texts: ['Sales', 'IT*'], count: 2 },
      },
      {
        kind: 'not',
        holds: true,
        part: {
          kind: 'rule',
          holds: false,
          fact: 'subject L',
          reason: 'policy_subject',
          saw: { texts: [], count: 0 },
          wants: { texts: ['x'], count: 1 },
        },
      },
    ],
  });
  const many = identityOf({ san: { uri: Array.from({ length: 1000 }, () => 'x'.repeat(5000)) } });
  t.ok(JSON.stringify(explainPolicy(policyOf({ uri: 'y' }), many)).length < 10_000);
});

void t.test('exact text, wildcard and regular expression agree where they say the same', async (t) => {
  fc.assert(
    fc.property(value, value, (wanted, seen) => {
      const text = wanted.toWellFormed() || 'x';
      const identity = identityOf({ subject: nameOf(['OU', seen.toWellFormed()]) });
      const escaped = Array.from(text, (c) => `\\x{${c.codePointAt(0)!.toString(16)}}`).join('');
      const exact = allows({ ou: { exact: text } }, identity);
      if (exact !== (text === seen.toWellFormed())) return false;
      if (!text.includes('*') && allows({ ou: text }, identity) !== exact) return false;
      return allows({ ou: { regex: escaped } }, identity) === exact;
    }),
    { numRuns: 500 },
  );
  t.pass();
});

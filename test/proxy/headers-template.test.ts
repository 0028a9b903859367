import { isDeepStrictEqual } from 'node:util';
import * as fc from 'fast-check';
import t from 'tap';
import type { Proof } from '../../src/proxy/headers/dialects/dialect.ts';
import { compileTemplate, placeholders, type Template } from '../../src/proxy/headers/template.ts';
import { attributeTypeName } from '../../src/tls/attribute-type.ts';
import type { Identity } from '../../src/tls/identity.ts';
import { none, success, type Verdict } from '../../src/tls/verdict.ts';
import { aName, anIdentity } from '../support/identity.ts';
import { decodePercent } from './headers/decode.ts';
import { hostileIdentity, pairsOf } from './headers/hostile.ts';

const failed: Verdict = {
  status: 'failed',
  reason: 'expired',
  detail: 'certificate has expired',
  untrustedOnly: false,
};
const proven = (identity: Identity): Proof => ({ verdict: success, identity, certificate: false });

function template(text: string): Template {
  const compiled = compileTemplate(text);
  if ('problem' in compiled) throw new Error(compiled.problem);
  return compiled;
}
const render = (text: string, identity = anIdentity()): string | null =>
  template(text).render(proven(identity));

void t.test('each placeholder stands for its fact', async (t) => {
  const identity = anIdentity({
    der: Uint8Array.of(0xfb, 0xff, 1),
    san: {
      dns: ['a.test', 'b.test'],
      uri: ['spiffe://a/b?x=1'],
      email: ['x@a.test'],
      ip: ['192.0.2.1', '2001:db8::1'],
    },
  });
  for (const [text, expected] of [
    ['{cn}', 'roshankhatri'],
    ['{ou}', 'ITOps'],
    ['{o}', 'Logpoint Nepal'],
    ['{c}', 'NP'],
    ['{st}', 'Nepal'],
    ['{l}', 'Lalitpur'],
    ['{subject}', 'CN=roshankhatri,OU=ITOps,O=Logpoint Nepal,L=Lalitpur,ST=Nepal,C=NP'],
    ['{issuer}', 'CN=Root A,O=Logpoint Nepal,C=NP'],
    ['{serial}', '01AB'],
    ['{fingerprint}', identity.sha256],
    ['{sha256}', identity.sha256],
    ['{sha1}', identity.sha1],
    ['{spki}', identity.spki],
    ['{dns}', 'a.test,b.test'],
    ['{uri}', 'spiffe://a/b?x=1'],
    ['{email}', 'x@a.test'],
    ['{ip}', '192.0.2.1,2001:db8::1'],
    ['{notBefore}', '2026-01-01T00:00:00Z'],
    ['{notAfter}', '2027-01-01T00:00:00Z'],
    ['{verify}', 'SUCCESS'],
    ['{certificate}', '+/8B'],
  ] as const) {
    t.equal(render(text, identity), expected, text);
  }
  t.equal(placeholders.length, 21, 'all of them are in this table');
});

void t.test('text and braces around placeholders', async (t) => {
  t.equal(render('user {cn} of {o}'), 'user roshankhatri of Logpoint%20Nepal');
  t.equal(render('{{{cn}}}'), '{roshankhatri}');
  t.equal(render('{{cn}}'), '{cn}');
  t.equal(render('yes'), 'yes');
  t.equal(render('50%, always'), '50%, always');
});

void t.test("a value cannot bring what the template's own text means", async (t) => {
  const evil = (cn: string): Identity => anIdentity({ subject: aName(['OU', 'Sales'], ['CN', cn]) });
  t.equal(render('cn={cn};ou={ou}', evil('x;ou=ITOps')), 'cn=x%3Bou%3DITOps;ou=Sales');
  t.equal(render('CN="{cn}"', evil('x", OU="y\\')), 'CN="x%22%2C OU%3D%22y%5C"');
  t.equal(render('{cn} {ou}', evil('x ITOps')), 'x%20ITOps Sales');
  t.equal(render('{cn}', evil('a,b')), 'a%2Cb', 'a comma is no second value');
  t.equal(render('{cn}', evil('100%2C')), '100%252C', 'an escape is no escape');
  t.equal(render('{cn}', evil(' admin ')), '%20admin%20', 'spaces at the ends would get lost');
  t.equal(render('{cn}', evil('a\r\nX-Admin: yes\0')), 'a%0D%0AX-Admin: yes%00');
  t.equal(render('{cn}', evil('Zoë 😀')), 'Zo%C3%AB %F0%9F%98%80');
  t.equal(render('{cn}', evil('a\uD800')), 'a%EF%BF%BD');
  t.equal(render('{subject}', evil('a,b')), 'CN=a\\,b,OU=Sales', 'RFC 2253 has its own escapes');
  t.equal(render('{subject};{serial}', evil('a;b')), 'CN=a\\%3Bb,OU=Sales;01AB');
});

void t.test('several values are joined by commas', async (t) => {
  const subject = aName(
    ['OU', 'a'],
    ['OU', 'b,c'],
    [
      ['OU', 'd'],
      ['CN', 'x'],
    ],
  );
  t.equal(render('{ou}', anIdentity({ subject })), 'a,b%2Cc,d');
});

void t.test('a header whose placeholders are all empty is not sent', async (t) => {
  const nobody = anIdentity({ subject: [], san: {} });
  t.equal(render('{cn}', nobody), null);
  t.equal(render('cn={cn};ou={ou}', nobody), null);
  t.equal(render('{cn};{serial}', nobody), ';01AB');
  t.equal(render('{notAfter}', anIdentity({ notAfter: Number.NaN })), null);
});

void t.test('nothing of a certificate that is not verified is told', async (t) => {
  for (const proof of [
    { verdict: none, identity: null, certificate: true },
    { verdict: failed, identity: anIdentity(), certificate: true },
    { verdict: none, identity: anIdentity(), certificate: true },
    { verdict: success, identity: null, certificate: true },
  ] as const) {
    for (const name of placeholders) {
      const value = template(`{${name}}`).render(proof);
      if (name !== 'verify') t.equal(value, null, `${name}, ${proof.verdict.status}`);
    }
    t.equal(template('{verify}; {cn}').render(proof), null);
    t.equal(template('constant').render(proof), null);
  }
  t.equal(template('{verify}').render({ verdict: none, identity: null, certificate: false }), 'NONE');
  t.equal(template('{verify}').render({ verdict: success, identity: null, certificate: false }), 'NONE');
  t.equal(
    template('{verify}').render({ verdict: failed, identity: anIdentity(), certificate: false }),
    'FAILED:certificate has expired',
  );
});

void t.test('what is wrong with a template is said', async (t) => {
  for (const [text, problem] of [
    ['{nc}', /no `\{nc\}`, did you mean `cn`/],
    ['{CN}', /did you mean `cn`/],
    ['{fingerprnt}', /did you mean `fingerprint`/],
    ['{}', /no `\{\}`/],
    ['{xyzzyplugh}', /no `\{xyzzyplugh\}`$/],
    ['{__proto__}', /no `/],
    ['{constructor}', /no `/],
    ['{cn', /not closed/],
    ['cn}', /closes nothing/],
    ['{{cn}', /closes nothing/],
    ['{c{n}}', /not closed/],
    ['', /not empty/],
    ['a\r\nX: y', /one line/],
    ['é', /ASCII/],
    [' {cn}', /begin or end/],
    ['{cn} ', /begin or end/],
    ['{cn}%20', /`%`/],
    ['{cn},{serial}', /several values/],
    ['{serial}{subject}', /between them/],
    ['{serial}x{subject}', /between them/],
    ['{serial};{subject}and{issuer}', /between them/],
  ] as const) {
    const compiled = compileTemplate(text);
    t.match('problem' in compiled ? compiled.problem : 'fine', problem, JSON.stringify(text));
  }
  t.ok('render' in compileTemplate('{serial},{issuer}'), 'a comma between facts that are single');
});

void t.test('a reader who splits by the text and decodes finds the values, whatever they are', async () => {
  fc.assert(
    fc.property(
      hostileIdentity,
      fc.constantFrom(...';|:/&=<"'.split('')),
      fc.subarray(['cn', 'ou', 'o', 'dns', 'uri', 'email'], { minLength: 1 }),
      (identity, separator, names) => {
        const text = names.map((name) => `{${name}}`).join(separator);
        const value = render(text, identity);
        const expected = names.map((name) => {
          const type = name.toUpperCase();
          if (name === 'dns' || name === 'uri' || name === 'email') return identity.san[name];
          return pairsOf(identity.subject, attributeTypeName).flatMap(([found, value]) =>
            found === type ? [value] : [],
          );
        });
        if (value === null) return expected.every((values) => values.length === 0);
        const found = (names.length === 1 ? [value] : value.split(separator)).map((part) =>
          part === '' ? [] : part.split(',').map(decodePercent),
        );
        return /^[!-~](?:[ -~]*[!-~])?$/.test(value) && isDeepStrictEqual(found, expected);
      },
    ),
    { numRuns: 1000 },
  );
});

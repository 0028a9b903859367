import * as fc from 'fast-check';
import t from 'tap';
import { compileDenyList, deniedBy, type DenyList } from '../../src/policy/deny-list.ts';
import { readIdentity } from '../../src/tls/identity-reader.ts';
import { createAuthority } from '../support/pki.ts';

const one = await createAuthority({ cn: 'One' });
const two = await createAuthority({ cn: 'Two' });
const identity = readIdentity((await one.issue({ ou: 'ITOps', cn: 'roshankhatri', hosts: ['a.test'] })).der);
const other = readIdentity((await two.issue({ ou: 'Sales', cn: 'somebody' })).der);
const twin = readIdentity(
  (await two.issue({ cn: 'twin', serial: Buffer.from(`00${identity.serial}`, 'hex') })).der,
);

function compiled(text: string): DenyList {
  const result = compileDenyList('denied.yaml', text);
  if ('problems' in result) throw new Error(result.problems.join('\n'));
  return result.list;
}

void t.test('an entry denies whom it means, and nobody else', (t) => {
  const colons = identity.sha256.toUpperCase().replaceAll(/(..)(?=.)/g, '$1:');
  const entries: Record<string, string> = {
    serial: `- serial: '${identity.serial}'\n  issuer: CN=One`,
    fingerprint: `- fingerprint: ${colons}`,
    'SHA-1 fingerprint': `- fingerprint: '${identity.sha1}'`,
    'public key': `- spki: '${identity.spki}'`,
    'whole subject': `- subject: ${identity.subjectText}`,
    attribute: '- subject: { OU: ITOps }',
    CN: '- cn: roshan*',
    'regular expression': '- cn: { regex: "rosh.*" }',
    'alternative name': '- dns: A.test',
    'two keys': '- { ou: ITOps, cn: roshankhatri }',
    'a list of serials': `- serial: ['01', '${identity.serial}']\n  issuer: CN=One`,
    'behind another entry': `- serial: '${identity.serial}'\n  issuer: CN=Nobody\n- cn: roshankhatri`,
  };
  for (const [name, text] of Object.entries(entries)) {
    const list = compiled(text);
    t.match(deniedBy(list, identity), /^entry [12] of the deny list$/, name);
    t.equal(deniedBy(list, other), null, `${name}: another`);
    t.equal(deniedBy(list, twin), null, `${name}: the same serial of another CA`);
    t.equal(deniedBy(list, null), null);
  }
  t.equal(
    deniedBy(compiled(`- serial: '${identity.serial}'`), twin),
    'entry 1 of the deny list',
    'of any CA',
  );
  t.equal(deniedBy(compiled('- { ou: ITOps, cn: somebody }'), identity), null, 'every key must hold');
  t.equal(deniedBy(compiled('[]'), identity), null);
  t.equal(deniedBy(null, identity), null);
  t.end();
});

void t.test('whoever cannot be judged is denied', async (t) => {
  const long = readIdentity((await one.issue({ cn: 'x'.repeat(20_000) })).der);
  t.ok(deniedBy(compiled('- cn: { regex: "y+" }'), long));
});

void t.test('a file that does not say who is denied is refused', (t) => {
  const faults: Record<string, RegExp> = {
    '# nobody\n': /no list of entries/,
    'serial: 01': /no list of entries/,
    '- []': /an entry is one or more of/,
    '- {}': /an entry is one or more of/,
    '- text': /an entry is one or more of/,
    '- cn: []': /empty list/,
    '- cn: x\n- serail: 01': /line 2: .*`serail` is none of them/,
    '- not: { cn: x }': /`not` is none of them/,
    '- serial: zz': /line 1: no serial number/,
    '- fingerprint: abcd': /line 1: no fingerprint/,
    "- cn: { regex: '(' }": /line 1/,
    '- cn: [x': /./,
  };
  for (const [text, message] of Object.entries(faults)) {
    const result = compileDenyList('denied.yaml', text);
    t.match('problems' in result ? result.problems.join('\n') : 'taken', message, text);
  }
  t.end();
});

void t.test('fifty thousand entries are asked in no time', (t) => {
  const lines = Array.from({ length: 50_000 }, (_, index) => `- serial: 'F${index.toString(16)}'`);
  const list = compiled(lines.join('\n'));
  t.equal(list.entries, 50_000);
  const began = performance.now();
  for (let i = 0; i < 1000; i++) deniedBy(list, identity);
  t.ok(performance.now() - began < 100);
  t.end();
});

void t.test('no text makes it throw', (t) => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      compileDenyList('denied.yaml', text);
    }),
  );
  t.end();
});

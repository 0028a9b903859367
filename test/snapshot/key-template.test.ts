import t from 'tap';
import { compileKeyTemplate, type KeyFacts } from '../../src/snapshot/key-template.ts';
import { anIdentity, aName } from '../support/identity.ts';

const facts: KeyFacts = {
  path: '/a/b',
  query: '?x=1&User=ann&user=bob',
  host: 'a.test',
  address: '192.0.2.1',
  rawHeaders: ['X-User', 'carl', 'Cookie', 'sid=42; other=1'],
  identity: null,
};

function render(text: string, changes: Partial<KeyFacts> = {}): string {
  const template = compileKeyTemplate(text);
  if ('problem' in template) throw new Error(template.problem);
  return template.render({ ...facts, ...changes });
}

void t.test('a key is made from the request', (t) => {
  for (const [text, key] of [
    ['{path}', '/a/b'],
    ['{uri}', '/a/b?x=1&User=ann&user=bob'],
    ['{host} {address}', 'a.test 192.0.2.1'],
    ['{header:x-user}', 'carl'],
    ['{header:X-Nobody}', ''],
    ['{cookie:sid}', '42'],
    ['{arg:user}', 'ann'],
    ['{arg:nobody}', ''],
    ['user {header:X-Nobody}', ''],
    ['{header:X-Nobody}{path}', '/a/b'],
  ] as const) {
    t.equal(render(text), key, text);
  }
  t.end();
});

void t.test('a key is made from a proven identity, and from no other', (t) => {
  const identity = anIdentity({ subject: aName(['CN', 'ann']) });
  t.equal(render('{cn}', { identity }), 'ann');
  t.equal(render('{fingerprint}', { identity }), identity.sha256);
  t.equal(render('{cn}{subject}{spki}'), '');
  t.end();
});

void t.test('what cannot be a key is told', (t) => {
  for (const text of ['', 'all', '{nothing}', '{header:}', '{header:a b}', '{header:X', '{__proto__}']) {
    t.match(compileKeyTemplate(text), { problem: String }, text);
  }
  t.end();
});

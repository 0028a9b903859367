import * as fc from 'fast-check';
import t from 'tap';
import { readDocument } from '../../src/config/document.ts';
import { parseJson } from '../../src/ingress/parse-json.ts';

/** Keys and texts that look like something else. */
const odd = fc.constantFrom(
  '',
  '"',
  '\\',
  '\\"',
  '":',
  '": "',
  '{',
  '}',
  '---',
  '...',
  '# no',
  '&a',
  '*a',
  '!!x',
  '~',
  '/',
  'on',
  '1',
  '\u2028',
  '\u0085',
  '\ufeff',
  '\ud83d\ude00',
);
const value = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    odd,
    fc.string({ unit: 'binary' }),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.maxSafeInteger(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value')),
    fc.dictionary(fc.oneof(odd, fc.string()), tie('value'), { noNullPrototype: true }),
  ),
})).value;
const object = fc.dictionary(fc.oneof(odd, fc.string()), value, { noNullPrototype: true });

void t.test('what it reads, the YAML reader reads the same', (t) => {
  let read = 0;
  fc.assert(
    fc.property(
      object,
      fc.constantFrom('', '---\n', '---\r\n', '--- '),
      fc.constantFrom(0, 2),
      (data, marker, indent) => {
        const text = `${marker}${JSON.stringify(data, null, indent)}\n`;
        const json = parseJson(text);
        const yaml = readDocument('', text);
        if (json === undefined) return;
        read++;
        // Where YAML is stricter (a tab, a key of more than 1,024 characters) JSON is JSON.
        if (yaml.problems.length === 0) t.strictSame(json, yaml.data);
      },
    ),
    { numRuns: 1000 },
  );
  t.ok(read > 200, `${read} were read`);
  t.end();
});

void t.test('a key that stands twice is left to the YAML reader, wherever and however it is written', (t) => {
  for (const text of [
    '{"a":1,"a":2}',
    '{"a":{"b":[{"c":1, "c" : 1}]}}',
    '{"a":{"b":1,"c":2},"a":{}}',
    '{"a\\"":1,"a\\u0022":2}',
    '{"\\u0061":1,"a":2}',
    '{"a"\n:1,"b":"\\\\","a"\t:2}',
  ]) {
    t.equal(parseJson(text), undefined, text);
    t.match(readDocument('', text).problems[0]?.message, /stands here twice/, text);
  }
  t.end();
});

void t.test('a key with an escape is left to the YAML reader: V8 takes some for others it has met', (t) => {
  for (const key of ['\\"', '":', '\n']) {
    const text = JSON.stringify({ ' ': '', [key]: '' });
    t.equal(parseJson(text), undefined, text);
    t.strictSame(readDocument('', text).data, { ' ': '', [key]: '' }, text);
  }
  t.strictSame(parseJson('{"a":"\\":"}'), { a: '":' }, 'a value may have one');
  t.end();
});

void t.test('what YAML refuses is no JSON either', (t) => {
  for (const text of [
    '{"__proto__":{}}',
    '{"a":[{"\\u005f_proto__":1}]}',
    `${'{"a":'.repeat(65)}1${'}'.repeat(65)}`,
    `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
    '{"a":1} {}',
    '{"a":1}\n...',
    '{a: 1}',
    '[]',
    '"a"',
    '----{}',
    '---{}',
    '{"a":',
  ])
    t.equal(parseJson(text), undefined, text.slice(0, 40));
  t.strictSame(parseJson(`${'{"a":'.repeat(64)}1${'}'.repeat(64)}`)?.constructor, Object);
  t.end();
});

void t.test('texts that end in an escape, and keys that look like texts, are told apart', (t) => {
  for (const text of [
    '{"a":"b\\\\"}',
    '{"a":"\\":"}',
    '{"a":"x\\\\","b":["c:"]}',
    ' \r\n{"a":"b"\n}',
    '--- {}',
  ])
    t.strictSame(parseJson(text), JSON.parse(text.replace('---', '')), text);
  t.end();
});

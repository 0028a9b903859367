import * as fc from 'fast-check';
import t from 'tap';
import { readDocument } from '../../src/config/document.ts';
import { error, formatProblem, pointer } from '../../src/config/problem.ts';

const read = (text: string): { data: unknown; problems: string[] } => {
  const { data, problems } = readDocument('c.yaml', text);
  return { data, problems: problems.map(formatProblem) };
};

void t.test('YAML 1.2 makes plain data: no and off are texts', async (t) => {
  t.same(read('a: no\nb: off\nc: 1\nd: 0x10\ne: true\nf:\n8080: [x, {y: z}]\ng: !!str 5\n').data, {
    a: 'no',
    b: 'off',
    c: 1,
    d: 16,
    e: true,
    f: null,
    8080: ['x', { y: 'z' }],
    g: '5',
  });
  t.same(read('\uFEFFa: 1').data, { a: 1 }, 'a byte order mark is not a key');
  t.equal(read('').data, null);
});

void t.test('aliases stand for what they name where they stand', async (t) => {
  t.same(read('a: &x {k: [1]}\nb: *x\nc: &x 2\nd: [*x]\n').data, {
    a: { k: [1] },
    b: { k: [1] },
    c: 2,
    d: [2],
  });
});

void t.test('what is no plain YAML is refused, with its place', async (t) => {
  const cases: Record<string, string> = {
    'a: 1\n---\nb: 2': '2:1 / a second document starts here: keep one, and no --- between its parts',
    '%YAML 1.1\n---\na: off': '1:1 / YAML 1.1 reads `off` as false: leave the %YAML line out',
    'a:\n  b: !env HOME': '2:6 / tags are not taken: write the plain value without the !',
    'a: !!binary aGk=': '1:13 /a tags are not taken: write the plain value without the !!',
    'a: !!set {b}': '1:10 /a tags are not taken: write the plain value without the !!',
    'a: !!omap [b: 1]': '1:11 /a tags are not taken: write the plain value without the !!',
    '? [a, b]\n: 1': '1:3 / a key must be plain text',
    'a: {~: 1}': '1:5 /a a key must be plain text',
    'a: &x b\n*x : 1': '2:1 / a key must be plain text',
    'a: 1\nb:\n  c: 1\n  c: 2': '4:3 /b/c the key `c` stands here twice: keep one',
    'a: 1\n"a": 2': '2:1 /a the key `a` stands here twice: keep one',
    'a:\n  __proto__: {b: 1}': '2:3 /a/__proto__ no key may be called __proto__',
    'a: *b': '1:4 /a there is no anchor &`b` above: set it before using it',
    'a: *b\nb: &b 1': '1:4 /a there is no anchor &`b` above: set it before using it',
    'a: &a [1, *a]': '1:11 /a/1 `*a` contains itself',
    'a: &a {b: {c: *a}}': '1:15 /a/b/c `*a` contains itself',
    'a:\n\tb: 1': '2:1 / a tab indents this line: use spaces',
    'a: "b': '1:6 / not YAML: missing closing "quote',
    'a: [1, 2\nb: 3':
      '2:1 / not YAML: flow sequence in block collection must be sufficiently indented and end with a ]',
  };
  for (const [text, expected] of Object.entries(cases)) {
    const { data, problems } = read(text);
    t.equal(problems[0], `c.yaml:${expected}`, JSON.stringify(text));
    t.equal(data, undefined);
  }
});

void t.test('several mistakes are told at once', async (t) => {
  t.same(read('a: !!set {b}\nc: *d\ne: 1\ne: 2\n').problems, [
    'c.yaml:1:10 /a tags are not taken: write the plain value without the !!',
    'c.yaml:2:4 /c there is no anchor &`d` above: set it before using it',
    'c.yaml:4:1 /e the key `e` stands here twice: keep one',
  ]);
});

void t.test('a billion laughs are refused, in no time', async (t) => {
  const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
  for (let i = 1; i < 30; i++) lines.push(`a${i}: &a${i} [${`*a${i - 1}, `.repeat(9)}*a${i - 1}]`);
  const { problems } = read(lines.join('\n'));
  t.equal(problems.length, 1);
  t.match(problems[0], /aliases repeat more than 10000 values/);
});

void t.test('nesting without end is refused, whatever it is made of', async (t) => {
  const bombs = {
    lists: '['.repeat(100_000),
    closedLists: '['.repeat(500) + ']'.repeat(500),
    maps: '{a: '.repeat(50_000),
    blocks: Array.from({ length: 1500 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n'),
    dashes: '- '.repeat(50_000),
    questions: '? '.repeat(20_000),
    a65: '['.repeat(65) + ']'.repeat(65),
  };
  for (const [name, text] of Object.entries(bombs)) {
    const { problems } = read(text);
    t.ok(problems.length > 0 && problems.length <= 20, `${name}: ${problems.length}`);
  }
  t.match(read(bombs.closedLists).problems[0], /nested deeper than 64 levels/);
  t.same(read('['.repeat(64) + ']'.repeat(64)).problems, []);
});

void t.test('a map of a hundred thousand keys takes linear time', async (t) => {
  const text = Array.from({ length: 100_000 }, (_, i) => `key${i}: 1\n`).join('');
  const { data, problems } = read(`${text}key0: 2\n`);
  t.equal(data, undefined);
  t.same(problems, ['c.yaml:100001:1 /key0 the key `key0` stands here twice: keep one']);
});

void t.test('mistakes beyond counting are told up to a bound', async (t) => {
  t.ok(read('a: 1\n'.repeat(50_000)).problems.length <= 1000);
  t.ok(read('"'.repeat(10_000)).problems.length <= 20);
});

void t.test('a place is found by its pointer: values, keys, empty values, and through aliases', async (t) => {
  const { place } = readDocument('c.yaml', 'a:\n  - b: 1\n    c:\n  - x\nd: &k {e/f~g: 5}\nh: *k\n');
  const at = (path: string, atKey = false): string => {
    const { line, column } = place({ ...error(path, ''), atKey });
    return `${line}:${column}`;
  };
  t.equal(at(''), '1:1');
  t.equal(at('/a'), '2:3');
  t.equal(at('/a', true), '1:1');
  t.equal(at('/a/0/b'), '2:8');
  t.equal(at('/a/0/b', true), '2:5');
  t.equal(at('/a/0/c'), '3:5', 'an empty value is at its key');
  t.equal(at('/a/1'), '4:5');
  t.equal(at(pointer('d', 'e/f~g')), '5:15');
  t.equal(at(pointer('h', 'e/f~g')), '5:15', 'what an alias repeats is where it was written');
  t.equal(at('/h'), '6:4');
  t.equal(at('/a/0/missing/deeper'), '2:5', 'as deep as the file goes');
  t.equal(at('/a/7'), '2:3');
});

void t.test('lines end as they do on any system', async (t) => {
  const { place } = readDocument('c.yaml', 'a: 1\r\nb:\r\n  c: 2\r\n');
  t.match(place(error('/b/c', '')), { line: 3, column: 6 });
});

void t.test(
  'hostile text ends in data or in problems, never in an exception, and places lie in the text',
  async () => {
    const piece = fc.oneof(
      fc.constantFrom(
        'a: ',
        '- ',
        '? ',
        ': ',
        '\n',
        '\n  ',
        '&x ',
        '*x ',
        '!!str ',
        '!t ',
        '[',
        ']',
        '{',
        '}',
        ',',
        '"',
        "'",
      ),
      fc.constantFrom(
        '|',
        '>',
        '---\n',
        '...\n',
        '%YAML 1.2\n',
        '<<',
        '#',
        '\t',
        '\r',
        '\0',
        '\uFEFF',
        '__proto__: ',
        '~',
      ),
      fc.string({ maxLength: 4, unit: 'binary' }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        const text = pieces.join('');
        const { problems, place } = readDocument('c.yaml', text);
        const lines = text.replace(/^\uFEFF/, '').split('\n');
        return [...problems, place(error('/a/0/b', 'x'))].every(
          ({ line, column }) =>
            line >= 1 && line <= lines.length && column >= 1 && column <= lines[line - 1]!.length + 1,
        );
      }),
      { numRuns: 600 },
    );
  },
);

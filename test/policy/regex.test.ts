import * as fc from 'fast-check';
import t from 'tap';
import { compileRegex, maximumValueLength } from '../../src/policy/regex.ts';
import { estimateRegexSize } from '../../src/policy/regex-size.ts';

function testOf(pattern: string, ignoreCase = false): (value: string) => boolean {
  const compiled = compileRegex(pattern, ignoreCase);
  if ('problem' in compiled) throw new Error(compiled.problem);
  return compiled.test;
}

void t.test('a regular expression matches the whole value or not at all', async (t) => {
  const table: readonly (readonly [
    pattern: string,
    matching: readonly string[],
    other: readonly string[],
  ])[] = [
    ['ITOps', ['ITOps'], ['xITOps', 'ITOpsx', 'ITOps\n', '\nITOps']],
    ['a|b', ['a', 'b'], ['ab', 'ax', 'xb']],
    ['a|ab', ['a', 'ab'], ['abb']],
    ['^ITOps$', ['ITOps'], ['ITOps\n', 'x\nITOps']],
    ['(?m)^ITOps$', ['ITOps'], ['x\nITOps', 'ITOps\nx']],
    ['.*', ['', 'x', 'é🏔'], ['a\nb']],
    ['(?s).*', ['a\nb'], []],
    ['(?i)itops', ['ITOPS'], []],
    ['', [''], ['x']],
    ['a||b', ['', 'a'], ['x']],
    ['[^,]+', ['a'], ['a,b']],
    ['\\p{Devanagari}+', ['नेपाल'], ['nepal']],
    ['.', ['🏔'], ['🏔🏔']],
  ];
  for (const [pattern, matching, other] of table) {
    const test = testOf(pattern);
    for (const value of matching) t.equal(test(value), true, `${pattern} ~ ${JSON.stringify(value)}`);
    for (const value of other) t.equal(test(value), false, `${pattern} !~ ${JSON.stringify(value)}`);
  }
});

void t.test('small patterns mean what they mean in JavaScript, anchored', async (t) => {
  const pattern = fc
    .array(
      fc.constantFrom(
        'a',
        'b',
        '.',
        '[ab]',
        '[^a]',
        'a*',
        'b+',
        'a?',
        '|',
        '(a|b)',
        '(?:ab)*',
        'a{2,3}',
        '^',
        '$',
        '\\w',
        '(a*|b)?',
      ),
      { maxLength: 6 },
    )
    .map((parts) => parts.join(''));
  const value = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '\n'), maxLength: 8 });
  fc.assert(
    fc.property(
      pattern,
      value,
      (pattern, value) => testOf(pattern)(value) === new RegExp(`^(?:${pattern})$`).test(value),
    ),
    { numRuns: 3000 },
  );
  t.pass();
});

void t.test('patterns that stop a backtracking engine for good return at once', async (t) => {
  const evil = `${'a'.repeat(maximumValueLength - 1)}!`;
  const patterns = [
    '(a+)+',
    '(a|aa)+',
    '(a|a?)+',
    '([a-z]+)*',
    '(.*a){20}',
    '(a*)*b',
    '(?:a?){200}a{200}',
    '(x+x+)+y',
    '^(([a-z])+.)+[A-Z]([a-z])+$',
  ];
  const start = process.cpuUsage();
  for (const pattern of patterns) t.equal(testOf(pattern)(evil), false, pattern);
  const { user } = process.cpuUsage(start);
  t.ok(user < 1_500_000, `${user} µs`);
});

void t.test('what is no pattern, or too large a one, is a problem with words for it, soon', async (t) => {
  const problem = (pattern: string): string => {
    const compiled = compileRegex(pattern);
    return 'problem' in compiled ? compiled.problem : 'compiled';
  };
  t.match(problem('(?=a)'), /without look-around.*\(\?=/);
  t.match(problem('(a)\\1'), /not a regular expression/);
  t.match(problem('('), /not a regular expression/);
  t.match(problem('*a'), /not a regular expression/);
  t.match(problem('a{1001}'), /not a regular expression/);
  t.match(problem('a(\n\u202e'), /^[^\n\u202e]*$/);
  t.match(problem('a'.repeat(1001)), /more than 1000 characters/);
  const start = process.cpuUsage();
  const large = [
    `(${'a'.repeat(990)}){1000}`,
    `(${'ab?'.repeat(330)}){1000}`,
    'a{1000}'.repeat(140),
    '(a{30}){30}b{990}c{900}',
    `(?:${'[^ab\\]]'.repeat(120)}){500}`,
    `(?P<n>${'a?'.repeat(400)}){500}`,
    `(?i:${'a?'.repeat(400)}){500}`,
    `(\\Q${'{*('.repeat(300)}\\E){9}`,
    `((((((((((a{10}){10}){10}|${'b'.repeat(100)}){1000}`,
  ];
  for (const pattern of large) t.match(problem(pattern), /too large|not a regular/, pattern.slice(0, 20));
  const { user } = process.cpuUsage(start);
  t.ok(user < 300_000, `${user} µs`);
});

void t.test('patterns that people write are not too large', async (t) => {
  const patterns = [
    '[a-z0-9-]{1,63}(\\.[a-z0-9-]{1,63}){0,5}',
    '(CN=[^,]{1,64}),(OU=(ITOps|Sales|[A-Z]{3,20})),.*',
    'spiffe://[a-z0-9.-]+/ns/[a-z0-9-]{1,63}/sa/[a-z0-9-]{1,63}',
    '[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}',
    '\\{[0-9]{1,3}\\}[{}]\\x{10FFFF}?',
  ];
  for (const pattern of patterns) t.notOk('problem' in compileRegex(pattern), pattern);
});

void t.test('the estimate never fails and never runs away, whatever the text', async (t) => {
  const text = fc.string({
    unit: fc.constantFrom(...Array.from('a()[]{}?*+|\\Q:^<>,19pPxE-')),
    maxLength: 60,
  });
  fc.assert(
    fc.property(text, (pattern) => {
      const size = estimateRegexSize(pattern);
      return size >= 0 && !Number.isNaN(size);
    }),
    { numRuns: 5000 },
  );
  t.equal(estimateRegexSize('a{20}'), 20);
  t.equal(estimateRegexSize('(ab){20}'), 80);
  t.equal(estimateRegexSize('[]{9}]\\{9}'), 4);
  t.equal(estimateRegexSize('\\p{Greek}{3}'), 3);
});

import * as fc from 'fast-check';
import t from 'tap';
import { compileWildcard } from '../../src/policy/wildcard.ts';

void t.test(
  'a star stands for any run of characters, and the rest for itself, from end to end',
  async (t) => {
    const table: readonly (readonly [
      pattern: string,
      matching: readonly string[],
      other: readonly string[],
    ])[] = [
      ['*', ['', 'x', 'a\nb\0', '🏔'], []],
      ['**', ['', 'x'], []],
      ['a*', ['a', 'ab', 'a\n'], ['', 'ba', '\na', 'A']],
      ['*a', ['a', 'ba', '\na'], ['', 'ab', 'a\n']],
      ['a*a', ['aa', 'aba'], ['a']],
      ['a*b*c', ['abc', 'axbxc', 'abcbc', 'abbc'], ['ac', 'acb', 'abcx', 'xabc']],
      ['*ab*ab*', ['abab', 'xabxabx', 'aabab'], ['ab', 'aba', 'abxa']],
      ['a.c*', ['a.c', 'a.cd'], ['abc']],
      ['\\*', ['\\', '\\x'], ['*']],
      ['a?*', ['a?', 'a?b'], ['ab']],
      ['[a-z]*', ['[a-z]'], ['a']],
      ['^a*$', ['^a$'], ['a']],
      ['(a+)+*', ['(a+)+'], ['aa']],
      [
        'spiffe://td/*/sa',
        ['spiffe://td/x/sa', 'spiffe://td/x/y/sa'],
        ['spiffe://td/sa', 'spiffe://td/x/sa/'],
      ],
      ['plain', ['plain'], ['plain ', ' plain', 'plai']],
    ];
    for (const [pattern, matching, other] of table) {
      const test = compileWildcard(pattern);
      for (const text of matching) t.equal(test(text), true, `${pattern} ~ ${JSON.stringify(text)}`);
      for (const text of other) t.equal(test(text), false, `${pattern} !~ ${JSON.stringify(text)}`);
    }
  },
);

/** Wildcards by their definition, slowly. */
function byDefinition(pattern: string, text: string): boolean {
  let reachable = new Set([0]);
  for (const character of pattern) {
    const next = new Set<number>();
    for (const at of reachable) {
      if (character === '*') for (let to = at; to <= text.length; to++) next.add(to);
      else if (text[at] === character) next.add(at + 1);
    }
    reachable = next;
  }
  return reachable.has(text.length);
}

void t.test('the test says what the definition of a wildcard says', async (t) => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '\n', '.'), maxLength: 14 });
  const pattern = fc.string({ unit: fc.constantFrom('a', 'a', 'b', '*', '*', '.'), maxLength: 9 });
  let matches = 0;
  fc.assert(
    fc.property(pattern, text, (pattern, text) => {
      const expected = byDefinition(pattern, text);
      if (expected) matches++;
      return compileWildcard(pattern)(text) === expected;
    }),
    { numRuns: 5000 },
  );
  t.ok(matches > 100, `${matches} matches`);
});

void t.test('patterns and texts made to take for ever take milliseconds', async (t) => {
  const patterns = [
    `${'a*'.repeat(2000)}b`,
    `*${'a'.repeat(2000)}b*`,
    `${'*a'.repeat(1000)}*b*`,
    `*${'ab'.repeat(1000)}a*c`,
  ];
  const texts = ['a'.repeat(100_000), 'ab'.repeat(50_000), `${'a'.repeat(1999)}c`.repeat(50)];
  const start = process.cpuUsage();
  for (const pattern of patterns) for (const text of texts) compileWildcard(pattern)(text);
  const { user } = process.cpuUsage(start);
  t.ok(user < 500_000, `${user} µs for 12`);
});

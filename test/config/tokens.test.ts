import { createHash } from 'node:crypto';
import t from 'tap';
import { readTokens } from '../../src/config/tokens.ts';

const hex = '0123456789abcdef0123456789abcdef';

void t.test('a token a line, with a name or without, comments aside', (t) => {
  const { tokens, problems } = readTokens(
    `# for Prometheus\nprometheus:${hex}\r\n\n  AAECAwQFBgcICQoLDA0ODw==  \n`,
  );
  t.same(problems, []);
  t.same(
    tokens.map(({ name }) => name),
    ['prometheus', '4'],
  );
  t.same(tokens[0]!.digest, createHash('sha256').update(hex).digest());
  t.end();
});

void t.test('what has fewer than 128 bits is refused, and never repeated', (t) => {
  const weak = [
    hex.slice(1),
    'AAECAwQFBgcICQoLDA0OD',
    'correct-horse-battery',
    'a'.repeat(64),
    `me:${'01'.repeat(40)}`,
    'hunter2',
  ];
  for (const token of weak) {
    const { tokens, problems } = readTokens(token);
    t.equal(tokens.length, 0, token);
    t.match(problems, [/the 1st line: a token needs 128 bits/]);
    t.notMatch(problems[0], token.slice(3));
  }
  t.end();
});

void t.test('an empty file, a line that is none and too many tokens are problems', (t) => {
  t.match(readTokens('# none\n').problems, ['it holds no token']);
  t.match(readTokens(`Bearer ${hex}`).problems, [/the 1st line is not/]);
  t.match(readTokens(`${'n'.repeat(65)}:${hex}`).problems, [/the 1st line is not/]);
  t.match(readTokens(`${hex}\n`.repeat(65)).problems, ['it holds 65 tokens: at most 64']);
  t.end();
});

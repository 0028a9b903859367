import * as fc from 'fast-check';
import t from 'tap';
import { didYouMean, editDistance, listOf, nearest, printable, quote } from '../../src/config/text.ts';
import { formatProblem, pointer, pointerKeys } from '../../src/config/problem.ts';

void t.test('nearest finds the word that was meant', async (t) => {
  const keys = ['names', 'certificate', 'clientAuth', 'policy', 'identityHeaders', 'routes'];
  t.equal(nearest('name', keys), 'names');
  t.equal(nearest('cleintAuth', keys), 'clientAuth', 'swapped letters count once');
  t.equal(nearest('clientauth', keys), 'clientAuth', 'letter case counts nothing');
  t.equal(nearest('client_auth', keys), 'clientAuth');
  t.equal(nearest('rotues', keys), 'routes');
});

void t.test('nearest keeps quiet where nothing is near', async (t) => {
  t.equal(nearest('backend', ['names', 'routes']), null);
  t.equal(nearest('xx', ['cn', 'ou']), null);
  t.equal(nearest('anything', []), null);
  t.equal(nearest('names'.repeat(1000), ['names']), null);
  t.equal(didYouMean('backend', ['names']), '');
  t.equal(didYouMean('nams', ['names']), ', did you mean `names`?');
});

void t.test('edit distance is a distance', async () => {
  const word = fc.string({ maxLength: 12, unit: fc.constantFrom('a', 'b', 'c') });
  fc.assert(
    fc.property(word, word, (a, b) => {
      const distance = editDistance(a, b);
      return (
        distance === editDistance(b, a) &&
        (distance === 0) === (a === b) &&
        distance >= Math.abs(a.length - b.length) &&
        distance <= Math.max(a.length, b.length)
      );
    }),
  );
});

void t.test('a value cannot break the line, move the cursor or turn the writing around', async (t) => {
  t.equal(quote('a\nb\u001b[31m\u202e\u2028'), '`a\\u{a}b\\u{1b}[31m\\u{202e}\\u{2028}`');
  t.equal(quote('x'.repeat(200)), `\`${'x'.repeat(80)}…\``);
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary' }),
      (text) => !/[\p{Cc}\p{Cs}\u2028\u2029]/u.test(printable(text)),
    ),
  );
});

void t.test('a problem is one line: file, line, column, pointer, words', async (t) => {
  const problem = {
    file: 'a.yaml',
    line: 3,
    column: 7,
    path: '/hosts/0',
    message: 'is wrong',
    severity: 'error',
  };
  t.equal(formatProblem({ ...problem, severity: 'error' }), 'a.yaml:3:7 /hosts/0 is wrong');
  t.equal(formatProblem({ ...problem, severity: 'warning' }), 'a.yaml:3:7 /hosts/0 warning: is wrong');
  t.equal(formatProblem({ ...problem, path: '', severity: 'error' }), 'a.yaml:3:7 / is wrong');
  t.equal(
    formatProblem({ ...problem, path: pointer('a\nb'), severity: 'error' }),
    'a.yaml:3:7 /a\\u{a}b is wrong',
  );
});

void t.test('pointers and keys lead to each other', async () => {
  fc.assert(
    fc.property(
      fc.array(fc.string()),
      (keys) => pointerKeys(pointer(...keys)).join('\0') === keys.join('\0'),
    ),
  );
});

void t.test('lists read like language', async (t) => {
  t.equal(listOf([]), '');
  t.equal(listOf(['a']), 'a');
  t.equal(listOf(['a', 'b', 'c']), 'a, b or c');
});

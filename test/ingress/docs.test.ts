import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { annotation, different, ownPrefix, refused } from '../../src/ingress/annotations/annotation.ts';
import { family } from '../../src/ingress/annotations/family.ts';
import { families } from '../../src/ingress/annotations/registry.ts';
import { flag, oneOf } from '../../src/ingress/annotations/value-types.ts';
import { annotationsMarkdown } from '../../src/ingress/docs.ts';

const root = join(import.meta.dirname, '..', '..');

void t.test('the documentation says what the declarations say', async (t) => {
  const committed = readFileSync(join(root, 'docs', 'annotations.md'), 'utf8');
  t.equal(committed, annotationsMarkdown(families, []), '`npm run docs` writes it');
});

void t.test('README leads there', async (t) => {
  t.match(readFileSync(join(root, 'README.md'), 'utf8'), '](docs/annotations.md)');
});

void t.test('a row has name, type, default, state and what it does', async (t) => {
  const one = family({
    name: 'one',
    title: 'One',
    annotations: [
      annotation('a', oneOf('x', 'y'), 'Does a.', { default: 'x', aliases: ['old-a'] }),
      annotation('b', flag, 'Does b.', { state: different('Never on Sundays.') }),
      annotation('c', flag, 'Does c.', { state: refused('RE2 cannot.'), restricts: true }),
      annotation('d', flag, 'Does d.', { prefix: ownPrefix, state: { is: 'ours' } }),
    ],
  });
  const rows = annotationsMarkdown([one], [])
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  t.same(rows, [
    '| `a`, once `old-a` | x \\| y | `x` | same | Does a. |',
    '| `b` | true \\| false |  | different: never on Sundays. | Does b. |',
    '| `c` 🔒 | true \\| false |  | refused: RE2 cannot. | Does c. |',
    '| `mtls-ingress.io/d` | true \\| false |  | ours alone | Does d. |',
  ]);
  t.match(annotationsMarkdown([one], []), 'Of 4: 1 same, 1 different, 1 refused, 1 ours alone.');
});

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { annotation, different, ownPrefix, refused } from '../../src/ingress/annotations/annotation.ts';
import { family } from '../../src/ingress/annotations/family.ts';
import { families } from '../../src/ingress/annotations/registry.ts';
import { flag, oneOf } from '../../src/ingress/annotations/value-types.ts';
import { annotationsMarkdown } from '../../src/ingress/docs.ts';
import { settingGroups } from '../../src/ingress/settings/registry.ts';
import { setting } from '../../src/ingress/settings/setting.ts';

const root = join(import.meta.dirname, '..', '..');

void t.test('the documentation says what the declarations say', async (t) => {
  const committed = readFileSync(join(root, 'docs', 'annotations.md'), 'utf8');
  t.equal(committed, annotationsMarkdown(families, settingGroups), '`npm run docs` writes it');
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
  const keys = { title: 'E', settings: [setting('e-f', flag, 'Does e.', { default: 'false' })] };
  const rows = annotationsMarkdown([one], [keys])
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  t.same(rows, [
    '| `a`, once `old-a` | x \\| y | `x` | same | Does a. |',
    '| `b` | true \\| false |  | different: never on Sundays. | Does b. |',
    '| `c` 🔒 | true \\| false |  | refused: RE2 cannot. | Does c. |',
    '| `mtls-ingress.io/d` | true \\| false |  | ours alone | Does d. |',
    '| `e-f` | true \\| false | `false` | same | Does e. |',
  ]);
  t.match(annotationsMarkdown([one], []), 'Of 4: 1 same, 1 different, 1 refused, 1 ours alone.');
});

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { annotationsByKey } from '../../src/ingress/annotations/registry.ts';
import { snippet } from '../../src/ingress/annotations/value-types.ts';
import { keyOf } from '../../src/ingress/object.ts';
import { makePem, objectsOf } from './fixture.ts';

// Every annotation that is declared, aliases too, stands in a golden fixture twice: with a value that it takes, and with one
// that it does not, which the fixture's problems tell of.

const folder = join(import.meta.dirname, 'fixtures');
const pem = await makePem();
const taken = new Set<string>();
const refused = new Set<string>();
const untold: string[] = [];

for (const file of readdirSync(folder).filter((name) => name.endsWith('.yaml'))) {
  const objects = objectsOf(file, readFileSync(join(folder, file), 'utf8'), pem);
  const problems = readFileSync(join(folder, file.replace(/\.yaml$/, '.problems.txt')), 'utf8');
  for (const object of objects) {
    if (object.kind !== 'Ingress') continue;
    for (const [key, value] of object.annotations) {
      const annotation = annotationsByKey.get(key);
      if (annotation === undefined) continue;
      if ('value' in annotation.type.parse(value)) {
        taken.add(key);
        continue;
      }
      refused.add(key);
      const place = ` Ingress ${keyOf(object)} /metadata/annotations/${key.replace('/', '~1')} `;
      if (!problems.includes(place)) untold.push(`${file}:${place}`);
    }
  }
}

/** A snippet is never read, so that no text is a wrong one. */
const keys = [...annotationsByKey].map(([key, { type }]) => ({ key, canBeWrong: type !== snippet }));

void t.test('every annotation has a fixture with a value that it takes', async (t) => {
  t.ok(keys.length > 130);
  t.same(
    keys.filter(({ key }) => !taken.has(key)).map(({ key }) => key),
    [],
  );
});

void t.test('every annotation has a fixture with a value that it does not take', async (t) => {
  const missing = keys.filter(({ key, canBeWrong }) => canBeWrong && !refused.has(key));
  t.same(
    missing.map(({ key }) => key),
    [],
  );
});

void t.test('each of those is told at its place', async (t) => {
  t.same(untold, []);
});

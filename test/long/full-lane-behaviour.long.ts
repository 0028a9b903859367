import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { passesAgain } from '../support/run-again.ts';

// Every behaviour holds with the express lane, as the tests run by themselves, and without.
for (const folder of ['behaviour', 'proxy/full']) {
  for (const file of readdirSync(join(import.meta.dirname, '..', folder))) {
    const [, name] = /^(.*)\.test\.ts$/.exec(file) ?? [];
    if (name === undefined) continue;
    await t.test(`the full lane alone behaves as both: ${name}`, (t) =>
      passesAgain(t, `${folder}/${name}`, { MTLS_TEST_LANE: 'full' }, 90),
    );
  }
}

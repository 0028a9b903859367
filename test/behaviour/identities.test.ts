import t from 'tap';
import { identitiesAreKept } from '../support/identities.ts';

void t.test('who came through which CA is known, and still is after a restart', (t) =>
  identitiesAreKept(t, 1),
);

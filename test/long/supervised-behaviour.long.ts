import t from 'tap';
import { passesWithWorkers } from '../support/with-workers.ts';

// The rest of them are in test/long/workers-behaviour.long.ts.
for (const name of ['drain', 'deny-list', 'cors']) {
  await t.test(`two workers behave as one: ${name}`, (t) => passesWithWorkers(t, name, 60));
}

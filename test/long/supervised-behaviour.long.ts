import t from 'tap';
import { passesWithWorkers } from '../support/with-workers.ts';

// Left out: `routes`, whose request rates are counted by each worker, and `sessions`, which asks one process for its proofs;
// test/long/worker-processes.long.ts resumes sessions between workers.
for (const name of ['drain', 'deny-list', 'cors', 'misdirected', 'verdict-matrix', 'trust-per-route']) {
  await t.test(`two workers behave as one: ${name}`, (t) => passesWithWorkers(t, name, 60));
}

import t from 'tap';
import { passesAgain } from '../support/run-again.ts';

// Left out: `routes`, whose request rates are counted by each worker, and `sessions`, which asks one process for its proofs;
// test/long/worker-processes.long.ts resumes sessions between workers.
for (const name of [
  'drain',
  'deny-list',
  'cors',
  'misdirected',
  'verdict-matrix',
  'trust-per-route',
  'denials',
  'report-mode',
]) {
  await t.test(`two workers behave as one: ${name}`, (t) =>
    passesAgain(t, `behaviour/${name}`, { MTLS_TEST_WORKERS: '2' }, 60),
  );
}

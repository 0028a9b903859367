import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { cleanNode } from '../support/program.ts';

const run = promisify(execFile);
const folder = join(import.meta.dirname, '..', 'behaviour');

for (const name of ['drain']) {
  await t.test(`two workers behave as one: ${name}`, async (t) => {
    const [command, args] = cleanNode(join(folder, `${name}.test.ts`));
    const env = { ...process.env, MTLS_TEST_WORKERS: '2' };
    const { stdout } = await run(command, args, { env });
    t.match(stdout, /^ok /m);
    t.notMatch(stdout, /^not ok/m);
  });
}

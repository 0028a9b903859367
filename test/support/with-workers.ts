import { execFile } from 'node:child_process';
import { join } from 'node:path';
import type { Test } from 'tap';
import { cleanNode } from './program.ts';

const folder = join(import.meta.dirname, '..', 'behaviour');

/**
 * Runs a file of test/behaviour in a process of its own, against two worker processes: what passes with one must pass
 * with two.
 *
 * @param limitSeconds After it the file is ended, and has failed.
 */
export async function passesWithWorkers(t: Test, name: string, limitSeconds: number): Promise<void> {
  const [command, args] = cleanNode(join(folder, `${name}.test.ts`));
  const env = { ...process.env, MTLS_TEST_WORKERS: '2', TAP_TIMEOUT: String(limitSeconds) };
  const options = { env, timeout: (limitSeconds + 10) * 1000, maxBuffer: 64 * 1024 * 1024 };
  const { promise, resolve } = Promise.withResolvers<{ error: Error | null; stdout: string }>();
  execFile(command, args, options, (error, stdout) => resolve({ error, stdout }));
  const { error, stdout } = await promise;
  const failed = stdout.split('\n').filter((line) => /^ *not ok/.test(line));
  t.same(failed, [], `${name}: nothing fails`);
  t.equal(error, null, `${name}: and it ends well`);
  t.match(stdout, /^ok /m, `${name}: and something ran`);
}

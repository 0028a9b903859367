import { execFile } from 'node:child_process';
import { join } from 'node:path';
import type { Test } from 'tap';
import { cleanNode } from './program.ts';

const tests = join(import.meta.dirname, '..');

/**
 * Runs a test file in a process of its own under other circumstances: what passes as things are by default must pass
 * with MTLS_TEST_WORKERS=2, two worker processes, and with MTLS_TEST_LANE=full, without the express lane.
 *
 * @param file Below `test`, without `.test.ts`.
 * @param limitSeconds After it the file is ended, and has failed.
 */
export async function passesAgain(
  t: Test,
  file: string,
  circumstances: Readonly<Record<string, string>>,
  limitSeconds: number,
): Promise<void> {
  const [command, args] = cleanNode(join(tests, `${file}.test.ts`));
  const env = { ...process.env, ...circumstances, TAP_TIMEOUT: String(limitSeconds) };
  const options = { env, timeout: (limitSeconds + 10) * 1000, maxBuffer: 64 * 1024 * 1024 };
  const { promise, resolve } = Promise.withResolvers<{ error: Error | null; stdout: string }>();
  execFile(command, args, options, (error, stdout) => resolve({ error, stdout }));
  const { error, stdout } = await promise;
  const failed = stdout.split('\n').filter((line) => /^ *not ok/.test(line));
  t.same(failed, [], `${file}: nothing fails`);
  t.equal(error, null, `${file}: and it ends well`);
  t.match(stdout, /^ok /m, `${file}: and something ran`);
}

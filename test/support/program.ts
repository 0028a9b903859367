import { spawnSync } from 'node:child_process';

/** Whether a program can be run here. */
export function has(program: string, ...versionArguments: string[]): boolean {
  return (
    spawnSync(program, versionArguments.length > 0 ? versionArguments : ['--version']).error === undefined
  );
}

/**
 * The `skip` option of a test that needs an outside program: skipped where it is missing, but in CI, which
 * installs them all, run and so failed.
 */
export function needs(program: string, ...versionArguments: string[]): { readonly skip: string | false } {
  const missing = process.env['CI'] !== 'true' && !has(program, ...versionArguments);
  return { skip: missing ? `needs ${program}` : false };
}

/**
 * A Node program of ours as command and arguments for `spawn`: without the hooks that the test runner puts into
 * NODE_OPTIONS, and back into it at every spawn. `env` becomes the program, so its pid is the program's.
 */
export function cleanNode(...args: readonly string[]): [command: string, args: string[]] {
  return ['env', ['-u', 'NODE_OPTIONS', process.execPath, ...args]];
}

import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import type { Test } from 'tap';

/** Tests that want addresses of their own need this. */
export function canAddAddresses(): boolean {
  return process.getuid?.() === 0 && spawnSync('ip', ['-V']).error === undefined;
}

/**
 * An address of this machine's loopback interface that is no loopback address: what a Kubernetes API server takes for an
 * endpoint. Out of the range for benchmarks (RFC 2544); removed with the test.
 */
export function ownAddress(t: Test): string {
  for (let attempt = 0; ; attempt++) {
    const address = `198.18.${randomInt(256)}.${randomInt(1, 255)}`;
    const added = spawnSync('ip', ['address', 'add', `${address}/32`, 'dev', 'lo'], { encoding: 'utf8' });
    if (added.status !== 0) {
      if (attempt < 10 && /exists/i.test(added.stderr)) continue;
      throw new Error(`no address of our own: ${added.stderr}`);
    }
    t.teardown(() => {
      spawnSync('ip', ['address', 'del', `${address}/32`, 'dev', 'lo']);
    });
    return address;
  }
}

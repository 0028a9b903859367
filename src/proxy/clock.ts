// Imported: the global of the same name is an accessor, which costs more than the clock.
import { performance } from 'node:perf_hooks';

/** Milliseconds on a clock that never goes back; for how long things take and until when they are waited for. */
export function monotonicMs(): number {
  return performance.now();
}
